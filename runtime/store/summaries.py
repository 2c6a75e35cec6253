"""What an actor tells of itself in columns of its row, so that a listing finds it by index and decodes no state."""

from __future__ import annotations

from runtime.record import record

__all__ = ["ActorSummary"]


@record(frozen=True, slots=True)
class ActorSummary:
    """How a process stands. Each field is a column. Instants are seconds since 1970."""

    status: str  # A word in lower case; its kind knows which there are.
    step: str  # Names of what is under way, with commas between them; cut where there are many.
    version: str  # Of its definition, as nodes say that they carry it.
    started_at_s: float
    progressed_at_s: float
    error: str  # What went wrong last; cut where it is long.
