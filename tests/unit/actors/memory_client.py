"""A client of services in memory, for tests of the gateway: no store, no mail, the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message

from actors.catalogue import catalogue
from runtime.contracts import Contracts
from runtime.durable.client import ActorState, Client, CommandAccepted, CommandOutcome
from runtime.durable.service import Service

Answer = Callable[[Message, str], Awaitable[Message | None]]


@dataclass
class Sent:
    command: Message
    options: dict[str, Any]


@dataclass
class MemoryClient(Client):
    """`answers` gives what a command of a type is answered with, instead of what its handler returns."""

    services: tuple[type[Service[Any]], ...] = ()
    answers: dict[type[Message], Message | Exception | CommandOutcome] = field(default_factory=dict)
    states: dict[tuple[str, str], Message] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _revisions: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def contracts(self) -> Contracts:
        return catalogue().contracts

    async def ask(self, command: Message, *, timeout: float | timedelta = 30.0, **options: Any) -> CommandOutcome:
        self.sent.append(Sent(command, options))
        given = self.answers.get(type(command))
        if isinstance(given, Exception):
            raise given
        if isinstance(given, CommandOutcome):
            return given
        answer = given if given is not None else await self._handle(command)
        return CommandOutcome(answer, "", bytes(16), bytes(16))

    async def send(self, command: Message, *, timeout: float | timedelta = 30.0, **options: Any) -> CommandAccepted:
        outcome = await self.ask(command, **options)
        return CommandAccepted(outcome.id, outcome.conversation)

    async def _handle(self, command: Message) -> Message | None:
        name = command.DESCRIPTOR.full_name
        (service,) = [one for one in self.services if name in one.handlers]
        key: str = getattr(command, "sku" if service.kind == "warehouse" else "order_id")
        actor = service.of(self.states.get((service.kind, key)), key=key)
        result = await service.handlers[name].function(actor, command)
        self.change(service.kind, key, actor.state)
        return result if isinstance(result, Message) else None

    def change(self, kind: str, key: str, state: Message) -> None:
        """Commit a state, and tell whoever watches."""
        self.states[kind, key] = state
        self._revisions[kind, key] = self._revisions.get((kind, key), 0) + 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def read(self, kind: str, key: str) -> ActorState | None:
        state = self.states.get((kind, key))
        if state is None:
            return None
        revision = self._revisions.get((kind, key), 1)
        return ActorState(revision, type(state).FromString(state.SerializeToString()), b"c" * 16)

    @asynccontextmanager
    async def watch(self, kind: str, key: str) -> AsyncIterator[AsyncIterator[ActorState]]:
        yield self._readings(kind, key)

    async def _readings(self, kind: str, key: str) -> AsyncIterator[ActorState]:
        seen = 0
        while True:
            changed = self._changed
            reading = await self.read(kind, key)
            if reading is not None and reading.revision > seen:
                seen = reading.revision
                yield reading
            else:
                await changed.wait()
