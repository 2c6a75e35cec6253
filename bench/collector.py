"""A collector of traces that takes everything and keeps nothing, so that a bench measures the nodes that send."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio

__all__ = ["listen"]

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


async def _take(request: bytes, context: object) -> bytes:
    return b""  # as a message it says: all of it was taken


async def listen() -> None:
    """Print the URL, and serve until the process is ended."""
    server = grpc.aio.server()
    export: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_take)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Export": export}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(listen())
