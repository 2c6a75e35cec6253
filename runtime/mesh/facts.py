"""What the links between nodes report to operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runtime.ports import Fact

__all__ = ["FrameRejected", "PeerConnected", "PeerLost", "PeerRejected", "PeerUnreachable", "ReceiverFailed"]


@dataclass(frozen=True, slots=True)
class PeerConnected(Fact):
    """The fast path to a node is open."""

    peer: str
    address: str
    protocol: int


@dataclass(frozen=True, slots=True)
class PeerLost(Fact):
    """An open link ended. Mail for that node waits in the store meanwhile."""

    level: ClassVar[str] = "warning"
    peer: str
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class PeerUnreachable(Fact):
    """A node could not be dialled. This is reported once; dialling goes on until it works or the node is no member."""

    level: ClassVar[str] = "warning"
    peer: str
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class PeerRejected(Fact):
    """A node of another cluster, protocol or incarnation, or one without a proof: it was refused, or has refused us."""

    level: ClassVar[str] = "error"
    peer: str
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class FrameRejected(Fact):
    """A peer sent bytes that are no frame, or a frame out of place. The link was ended."""

    level: ClassVar[str] = "error"
    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReceiverFailed(Fact):
    """This node failed to take what a peer sent. The link was ended, and a sweep finds the mail."""

    level: ClassVar[str] = "error"
    peer: str
    error: BaseException
