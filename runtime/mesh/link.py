"""What both ends of a gRPC stream have in common: waits that closing ends, and errors in our own words.

    mesh ──send, receive──▶ GrpcLink ──bytes──▶ grpc.aio
    mesh ◀────LinkLost───── GrpcLink ◀── RpcError, CancelledError, InvalidStateError, ...

Ending a call does not always end the waits on it: a write that waits for its connection is forgotten, and one that
waits for a frozen peer sits until the connection is given up. So closing interrupts them, as `asyncio.timeout` does:
the task is cancelled, and the cancellation stops here. That is safe only because the stream is over anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import grpc
import grpc.aio

from runtime.errors import LinkLost

__all__ = ["GrpcLink"]

T = TypeVar("T")


class GrpcLink:
    """Derive from it; wrap each wait on the stream in `_wait`, and call `_interrupt` when this end is done with it."""

    def __init__(self) -> None:
        self._is_over = False
        self._waiting: dict[asyncio.Task[Any], None] = {}
        self._interrupted: dict[asyncio.Task[Any], None] = {}

    async def _wait(self, operation: Awaitable[T]) -> T:
        task = asyncio.current_task()
        assert task is not None, "a link is used by tasks"
        self._waiting[task] = None
        try:
            return await operation
        except (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError) as error:
            raise self._lost(error) from error
        except asyncio.CancelledError as error:
            # grpc also raises it in whoever waits on a call that was cancelled.
            if task.cancelling() > (task in self._interrupted):
                raise
            raise self._lost(error) from error
        finally:
            del self._waiting[task]
            if task in self._interrupted:
                del self._interrupted[task]
                task.uncancel()

    def _interrupt(self) -> None:
        """This end is done with the stream: whoever waits on it gets LinkLost."""
        self._is_over = True
        for task in self._waiting:
            if task not in self._interrupted:
                self._interrupted[task] = None
                task.cancel()

    def _check(self) -> None:
        """Raise LinkLost when this end is closed. Call it before each wait."""
        if self._is_over:
            raise self._lost(None)

    def _lost(self, error: BaseException | None) -> LinkLost:
        """What to tell of an error; None when this end is closed already."""
        raise NotImplementedError
