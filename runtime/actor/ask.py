"""One question, one answer, one deadline."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from runtime.actor.ref import Recipient
from runtime.errors import AmendsError, DeadlineExceeded

__all__ = ["ReplyTarget"]


class Asked(Protocol):
    @property
    def path(self) -> str: ...


class ReplyTarget(Recipient):
    """Where the answer to one `ask` goes: the sender that the asked actor sees. The first answer counts."""

    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self._future = future

    def try_tell(self, message: object, sender: Recipient | None = None) -> bool:
        if self._future.done():
            return False
        self._future.set_result(message)
        return True

    def fail(self, error: AmendsError) -> None:
        if not self._future.done():
            self._future.set_exception(error)

    def expire(self, asked: Asked, timeout_s: float) -> None:
        self.fail(DeadlineExceeded(f"{asked.path} has not answered within {timeout_s} s"))
