"""One call of a client that waits for the outcome of its command, or for the store to have it."""

from __future__ import annotations

import asyncio

from runtime.durable.client import CommandOutcome
from runtime.envelope import Envelope, address_of
from runtime.errors import AmendsError, DeadlineExceeded
from runtime.record import record

__all__ = ["WaitingCommand"]


@record(frozen=True, slots=True)
class WaitingCommand:
    """Settled once, by an outcome or an error; what comes later is ignored."""

    future: asyncio.Future[CommandOutcome]
    envelope: Envelope
    timeout_s: float
    deadline_s: float  # monotonic

    def succeed(self, outcome: CommandOutcome) -> None:
        if not self.future.done():
            self.future.set_result(outcome)

    def fail(self, error: AmendsError) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    def unposted(self) -> DeadlineExceeded:
        what = f"{self.envelope.type} for {address_of(*self.envelope.address)}"
        return DeadlineExceeded(
            f"the store did not say within {self.timeout_s:g} s whether it has {what}. It may be handled: read the "
            f"state, or send the same again under the id {self.envelope.id.hex()}"
        )

    def expired(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"no outcome of {self.envelope.type} for {address_of(*self.envelope.address)} within {self.timeout_s:g} s. "
            "It may still be handled: read the state, or send the same again"
        )
