"""What a node serves to its peers: the stream that another node opens, on whatever gRPC server it is added to.

    a peer dials ──▶ Peer.Stream ──AcceptedLink──▶ accept (the mesh)

A broken stream is LinkLost to the mesh, whatever grpc calls it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio

from runtime.errors import LinkLost
from runtime.mesh.link import GrpcLink
from runtime.ports import Accept, Tasks

__all__ = ["AcceptedLink", "PeerServicer"]


class PeerServicer:
    """Add it to a server that is not started yet; `close` ends its streams."""

    def __init__(self, tasks: Tasks, accept: Accept) -> None:
        self._tasks = tasks
        self._accept = accept
        self._links: dict[AcceptedLink, None] = {}

    def add_to(self, server: grpc.aio.Server) -> None:
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self._stream)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("amends.Peer", {"Stream": handler}),))

    async def close(self) -> None:
        for link in list(self._links):
            await link.close()

    async def _stream(self, _: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        link = AcceptedLink(context)
        self._links[link] = None
        # The link has a task of its own, since grpc cancels this one in the middle of anything when the peer is gone.
        self._tasks.start(self._serve(link), name=f"link from {context.peer()}")
        try:
            await link.ended()
        finally:
            link.end()
            del self._links[link]

    async def _serve(self, link: AcceptedLink) -> None:
        try:
            await self._accept(link)
        finally:
            link.end()


class AcceptedLink(GrpcLink):
    """The accepting end of one stream. The stream ends when `accept` returns, or this is closed."""

    def __init__(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        super().__init__()
        self._context = context
        self._peer = context.peer()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def send(self, frame: bytes) -> None:
        self._check()
        await self._wait(self._context.write(frame))

    async def receive(self) -> bytes | None:
        self._check()
        frame = await self._wait(self._context.read())
        return frame if isinstance(frame, bytes) else None

    async def close(self) -> None:
        self.end()

    async def ended(self) -> None:
        """Wait until this end is done with the stream."""
        await self._ended

    def end(self) -> None:
        self._interrupt()
        if not self._ended.done():
            self._ended.set_result(None)

    def _lost(self, error: BaseException | None) -> LinkLost:
        return LinkLost(f"the link from {self._peer} has ended")
