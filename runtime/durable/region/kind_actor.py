"""The actor that a kind itself is on a node: parent of its keyed actors, and the address of control messages.

node's root ── flights (KindActor) ── flights/LX1, flights/LX2, ... (Activation)
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.actor.actor import Actor
from runtime.actor.context import Context
from runtime.durable.region.sweeper import Sweeper
from runtime.errors import InvalidMessage

__all__ = ["AskKindStatus", "KindActor", "KindStatus", "PauseKind", "ResumeKind"]


@dataclass(frozen=True, slots=True)
class PauseKind:
    """Start no more turns of this kind on this node; its mail waits in the store."""


@dataclass(frozen=True, slots=True)
class ResumeKind:
    """Start turns of this kind on this node again."""


@dataclass(frozen=True, slots=True)
class AskKindStatus:
    """The kind's actor answers this with a KindStatus."""


@dataclass(frozen=True, slots=True)
class KindStatus:
    kind: str
    activations: int
    shards: int
    paused: bool
    throttled: bool


class KindActor(Actor):
    """Supervises the keyed actors of one kind on one node."""

    def __init__(self, sweeper: Sweeper) -> None:
        self._residents = sweeper.residents
        self._sweeper = sweeper

    async def started(self, context: Context) -> None:
        self._residents.bind(context)

    async def receive(self, context: Context, message: object) -> None:
        match message:
            case PauseKind():
                self._residents.paused = True
            case ResumeKind():
                self._residents.paused = False
                await self._sweeper.sweep_all()
            case AskKindStatus():
                context.reply(self._status())
            case _:
                context.reply(InvalidMessage(f"{self._residents.kind.name} takes no {type(message).__name__}"))

    def _status(self) -> KindStatus:
        residents = self._residents
        return KindStatus(
            residents.kind.name,
            len(residents),
            self._sweeper.shards,
            residents.paused,
            residents.throttle.is_open,
        )
