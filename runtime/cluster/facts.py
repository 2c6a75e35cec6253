"""What membership reports: who came and went, which shards moved, whether the own lease holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runtime.ports import Fact

__all__ = [
    "ClockBehindStore",
    "ClockJumped",
    "ClockSetRight",
    "LeaseLost",
    "LeaseRegained",
    "NameHeld",
    "NodeEvicted",
    "NodeJoined",
    "NodeLeft",
    "ShardsGivenUp",
    "ShardsTaken",
    "StoreUnreachable",
]


@dataclass(frozen=True, slots=True)
class ClockBehindStore(Fact):
    """This node starts where no other runs, and its clock shows less than the store has seen: it goes on from there."""

    level: ClassVar[str] = "warning"
    member: str
    by_s: float


@dataclass(frozen=True, slots=True)
class ClockJumped(Fact):
    """The wall clock of this node's machine has jumped, and is off by so much; nothing goes by it."""

    level: ClassVar[str] = "warning"
    member: str
    off_s: float


@dataclass(frozen=True, slots=True)
class NameHeld(Fact):
    """A node of our name has a lease and does not answer: frozen, or cut off. We wait until it renews or expires."""

    level: ClassVar[str] = "warning"
    member: str
    address: str
    holder: str
    waits_up_to_s: float


@dataclass(frozen=True, slots=True)
class ClockSetRight(Fact):
    """The wall clock of this node's machine was off when the node started: it goes by the time of its live peers."""

    level: ClassVar[str] = "warning"
    member: str
    by_s: float
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeJoined(Fact):
    """A node, perhaps this one, is a member now; also a restart under the same name."""

    member: str
    incarnation: str
    address: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeLeft(Fact):
    """A node gave its shards up and went."""

    member: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class NodeEvicted(Fact):
    """A node was removed because its lease ran out; it may still run, but its commits no longer match its shards."""

    level: ClassVar[str] = "warning"
    member: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class ShardsTaken(Fact):
    """This node runs these shards from now on."""

    kind: str
    shards: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShardsGivenUp(Fact):
    """This node ran the last turn of these shards; `to` is their next owner, empty for nobody."""

    kind: str
    shards: tuple[int, ...]
    to: str


@dataclass(frozen=True, slots=True)
class LeaseLost(Fact):
    """This node stopped all turns, since others may take its shards by now."""

    level: ClassVar[str] = "warning"
    reason: str


@dataclass(frozen=True, slots=True)
class LeaseRegained(Fact):
    """This node is a member again. `evicted` says whether others had removed it meanwhile."""

    evicted: bool


@dataclass(frozen=True, slots=True)
class StoreUnreachable(Fact):
    """A round of membership failed; reported once per outage."""

    level: ClassVar[str] = "warning"
    reason: str
