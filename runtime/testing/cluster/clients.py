"""The client of a test's cluster. It does all that a node's own client does, by calls that the node may not survive.

test ──▶ ClusterClient ──a hop──▶ SimNode.call ──▶ node.client, unchanged
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Unpack

from google.protobuf.message import Message

from runtime.contracts import Contracts
from runtime.durable.client import (
    TIMEOUT_S,
    ActorState,
    Client,
    CommandAccepted,
    CommandOptions,
    CommandOutcome,
)
from runtime.durations import in_seconds
from runtime.testing.world.front import NodeDown
from runtime.testing.world.node import SimNode

__all__ = ["ClusterClient", "CommandFailed", "answer_of"]

_SLACK_S = 1.0  # The call waits longer, so that the node itself says that time is up.


class CommandFailed(AssertionError):
    """The participant gave up on a command, or answered with another event than the test wanted."""


class ClusterClient(Client):
    """`member` chooses the node for each call. Every call raises NodeDown, too, if that node is gone."""

    def __init__(self, member: Callable[[], SimNode], contracts: Contracts) -> None:
        self._member = member
        self._contracts = contracts

    @property
    def contracts(self) -> Contracts:
        return self._contracts

    async def send(
        self, command: Message, *, timeout: float | timedelta = TIMEOUT_S, **options: Unpack[CommandOptions]
    ) -> CommandAccepted:
        return await self._member().call(
            lambda at: at.client.send(command, timeout=timeout, **options), timeout_s=in_seconds(timeout) + _SLACK_S
        )

    async def ask(
        self, command: Message, *, timeout: float | timedelta = TIMEOUT_S, **options: Unpack[CommandOptions]
    ) -> CommandOutcome:
        return await self._member().call(
            lambda at: at.client.ask(command, timeout=timeout, **options), timeout_s=in_seconds(timeout) + _SLACK_S
        )

    async def read(self, kind: str, key: str) -> ActorState | None:
        return await self._member().call(lambda at: at.client.read(kind, key), timeout_s=TIMEOUT_S)

    @asynccontextmanager
    async def watch(self, kind: str, key: str) -> AsyncIterator[AsyncIterator[ActorState]]:
        member = self._member()
        node = member.node
        if not member.serves or node is None:
            raise NodeDown(f"{member.name} takes no calls")
        watching = node.client.watch(kind, key)
        changes = await member.call(lambda _: watching.__aenter__(), timeout_s=TIMEOUT_S)
        try:
            yield _told(member, changes)
        finally:
            if member.node is node:  # Else its watch has died with it.
                with suppress(NodeDown):
                    await member.call(lambda _: watching.__aexit__(None, None, None), timeout_s=TIMEOUT_S)


async def _told(member: SimNode, changes: AsyncIterator[ActorState]) -> AsyncIterator[ActorState]:
    while True:
        yield await member.call(lambda _: changes.__anext__(), timeout_s=math.inf)


def answer_of(outcome: CommandOutcome, command: str, answer: type[Message] | None) -> Message | None:
    """The event that answered a command. Raises CommandFailed if it is not of the wanted type."""
    if outcome.fault:
        raise CommandFailed(f"{command} was given up: {outcome.fault}")
    if answer is None or isinstance(outcome.message, answer):
        return outcome.message
    none = "no event (the handler gave none, or it was lost on the way: read the state)"
    told = none if outcome.message is None else type(outcome.message).__name__
    raise CommandFailed(f"{command} was answered with {told}, not {answer.__name__}")
