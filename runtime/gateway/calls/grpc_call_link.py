"""The client's end of a stream of calls over gRPC, and errors as gRPC would raise them."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio

from runtime.errors import LinkLost
from runtime.mesh.link import GrpcLink

__all__ = ["GrpcCallLink", "broken"]


def broken(code: grpc.StatusCode, text: str | None, metadata: Any = ()) -> grpc.aio.AioRpcError:
    """What a call raises that has failed by itself with these."""
    trailing = grpc.aio.Metadata(*(metadata or ()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, text)


class GrpcCallLink(GrpcLink):
    """The client's end of the stream, which remembers by which error it ended."""

    def __init__(self, stream: grpc.aio.StreamStreamCall[bytes, bytes]) -> None:
        super().__init__()
        self._stream = stream
        self.error: grpc.aio.AioRpcError | None = None

    async def send(self, frame: bytes) -> None:
        self._check()
        await self._wait(self._stream.write(frame))

    async def end(self) -> None:
        """Nothing more will be sent."""
        self._check()
        await self._wait(self._stream.done_writing())

    async def receive(self) -> bytes | None:
        self._check()
        frame = await self._wait(self._stream.read())
        if isinstance(frame, bytes):
            return frame
        await self._wait(self._status())
        return None

    def cancel(self) -> None:
        self._stream.cancel()
        self._interrupt()

    async def _status(self) -> None:
        """Raises the error, if the stream has ended with one."""
        code = await self._stream.code()
        if code is not grpc.StatusCode.OK:
            raise broken(code, await self._stream.details(), await self._stream.trailing_metadata())

    def _lost(self, error: BaseException | None) -> LinkLost:
        if isinstance(error, grpc.aio.AioRpcError):
            self.error = self.error or error
        return LinkLost("the stream of calls has ended")
