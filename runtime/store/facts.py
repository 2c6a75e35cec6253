"""What the store and its committer report to `Ports.report`; nobody here decides how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runtime.ports import Fact

__all__ = [
    "CallbackFailed",
    "CommitFailed",
    "CommitOutcomeUnknown",
    "CommitSettled",
    "CommitSlow",
    "CommitterStopped",
    "SettleFailed",
    "StoreLogLong",
    "StoreLogShort",
]


@dataclass(frozen=True, slots=True)
class CommitSlow(Fact):
    """A commit took longer than the committer's limit."""

    level: ClassVar[str] = "warning"
    took_s: float
    transitions: int


@dataclass(frozen=True, slots=True)
class CommitFailed(Fact):
    """The store refused a batch; nothing of it was written, and each of its transitions was told so."""

    level: ClassVar[str] = "error"
    error: str
    transitions: int


@dataclass(frozen=True, slots=True)
class CommitOutcomeUnknown(Fact):
    """A commit ended in an error that does not tell whether it happened; the store is asked for the truth next."""

    level: ClassVar[str] = "warning"
    error: str
    transitions: int


@dataclass(frozen=True, slots=True)
class SettleFailed(Fact):
    """The store could not yet say what became of an unknown commit; it is asked again after a pause."""

    level: ClassVar[str] = "warning"
    error: str
    pause_s: float


@dataclass(frozen=True, slots=True)
class CommitSettled(Fact):
    """The store has told what became of an unknown commit."""

    level: ClassVar[str] = "warning"
    committed: int
    missing: int


@dataclass(frozen=True, slots=True)
class CallbackFailed(Fact):
    """The callback that was to learn of a verdict raised. A bug of the caller; the other callbacks go on."""

    level: ClassVar[str] = "error"
    error: str


@dataclass(frozen=True, slots=True)
class CommitterStopped(Fact):
    """The committer has flushed its queue and ended; its totals since it was made."""

    commits: int
    transitions: int
    conflicts: int
    failures: int
    unknown: int


@dataclass(frozen=True, slots=True)
class StoreLogLong(Fact):
    """The log beside the store's file is longer than it should be; said again each time it has doubled."""

    level: ClassVar[str] = "warning"
    bytes: int
    cure: str


@dataclass(frozen=True, slots=True)
class StoreLogShort(Fact):
    """The log was moved into the file and cut; how long it had been when that was last reported."""

    bytes_before: int
