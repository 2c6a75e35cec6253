"""What must hold at rest: every fault is healed, every client is done, and enough time has passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from runtime.envelope import address_of
from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.records import ActorRow, MailRow
from runtime.testing.rules.ledger import Ledger, Violation

__all__ = ["AtRest", "broken_at_rest"]

_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)


class AtRest(Protocol):
    """Clients of a run, as judges of its end."""

    def check(self) -> Iterable[Violation]:
        """At rest, gives what breaks the rules of the business."""
        ...

    def excuses(self, row: ActorRow | MailRow) -> bool:
        """At rest, says whether the workload meant this saga not to end, or this message to be parked.

        Without an excuse it breaks a promise. A workload that spoils nothing on purpose excuses nothing.
        """
        ...


def broken_at_rest(ledger: Ledger, play: AtRest) -> Iterator[Violation]:
    """Sagas that did not end, parked messages, and what the workload finds. The ledger reports its own."""
    ledger.check_rest()
    for row in ledger.actors.values():
        if row.state_type == SagaRecord.DESCRIPTOR.full_name:
            record = SagaRecord.FromString(row.state)
            if record.status not in _ENDED and not play.excuses(row):
                text = f"{address_of(*row.address)} is {SagaRecord.Status.Name(record.status)}"
                yield Violation("I4", f"{text}: {record.stuck_reason}", row.conversation)
    for mail in ledger.parked:
        if not play.excuses(mail):
            text = f"{mail.id.hex()} for {address_of(*mail.address)} is parked: {mail.parked}"
            yield Violation("I9", text, mail.conversation)
    yield from play.check()
