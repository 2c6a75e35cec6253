"""Bodies of client calls, read and written as messages here, so that one that cannot be is an error like any other.

bytes of a request ──▶ MethodCodec ──▶ message, or BodyUnreadable        message ──▶ MethodCodec ──▶ bytes
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, cast

import grpc.aio

from runtime.errors import InvalidMessage

__all__ = ["BodyUnreadable", "Context", "MethodCodec"]

Context = grpc.aio.ServicerContext[Any, Any]


class BodyUnreadable(InvalidMessage):
    """Bytes that are no request of the method they were sent to."""


@dataclass(frozen=True, slots=True)
class MethodCodec:
    """How the bodies of one method are read and written."""

    method: str
    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    is_stream: bool  # of requests
    writes: bool = False  # its responses are a stream

    def request(self, given: Any) -> Any:
        """The request, or the requests of a stream as they come. Raises BodyUnreadable."""
        return self._each(given) if self.is_stream and isinstance(given, AsyncIterable) else self.one(given)

    def context(self, given: Any, context: Context) -> Context:
        """What the method sees as its call; requests of a stream may be read from there, and responses written."""
        streamed = self.is_stream and isinstance(given, AsyncIterable)
        return cast("Context", _Decoded(context, self)) if streamed or self.writes else context

    def one(self, encoded: bytes) -> Any:
        try:
            return self.read(encoded)
        except Exception as error:
            raise BodyUnreadable(
                f"the {len(encoded)} bytes of the request are no message that {self.method} takes: they are no "
                "protobuf, are cut short, or were made from other definitions"
            ) from error

    async def _each(self, requests: AsyncIterable[bytes]) -> AsyncIterator[Any]:
        async for encoded in requests:
            yield self.one(encoded)


class _Decoded:
    """A call whose requests are read, and whose responses are written, one by one as messages."""

    def __init__(self, context: Context, codec: MethodCodec) -> None:
        self._context = context
        self._codec = codec

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def read(self) -> Any:
        encoded = await self._context.read()
        return self._codec.one(encoded) if isinstance(encoded, bytes) else encoded  # else the end of the stream

    async def write(self, response: Any) -> None:
        await self._context.write(self._codec.write(response))
