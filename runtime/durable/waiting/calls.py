"""Clients' calls that wait on this node for the outcome of a command."""

from __future__ import annotations

import asyncio

from google.protobuf.message import Message

from runtime.contracts import Contracts
from runtime.durable.client import CommandOutcome
from runtime.ports import Tasks
from runtime.protos import mesh_pb2

__all__ = ["PendingCalls"]


class PendingCalls:
    """Calls by number; an answer names node, incarnation and call, so that none reaches a later life of the node."""

    def __init__(self, node: str, incarnation: str, contracts: Contracts, tasks: Tasks) -> None:
        self._prefix = f"{node}#{incarnation}#"
        self._contracts = contracts
        self._tasks = tasks
        self._next = 0
        self._waiting: dict[str, asyncio.Future[CommandOutcome]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self) -> tuple[str, asyncio.Future[CommandOutcome]]:
        """A new call: where answers go to, and the future that gets one."""
        self._next += 1
        call = f"{self._prefix}{self._next}"
        future: asyncio.Future[CommandOutcome] = self._tasks.new_future()
        self._waiting[call] = future
        return call, future

    def end(self, call: str) -> None:
        self._waiting.pop(call, None)

    def is_local(self, call: str) -> bool:
        return call.startswith(self._prefix)

    def resolve(self, call: str, message: Message | None, fault: str, id: bytes) -> None:
        """An answer from this very node. Nothing happens when nobody waits any more."""
        future = self._waiting.get(call)
        if future is not None and not future.done():
            future.set_result(CommandOutcome(message, fault, id, b""))

    def fail(self, call: str, error: Exception) -> None:
        """No answer can come any more. Nothing happens when nobody waits."""
        future = self._waiting.get(call)
        if future is not None and not future.done():
            future.set_exception(error)

    def on_answer(self, answer: mesh_pb2.Answer) -> None:
        """An answer from another node."""
        if answer.call not in self._waiting:
            return
        message = self._contracts.parse(answer.type, answer.body) if answer.type else None
        self.resolve(answer.call, message, answer.fault, answer.message)
