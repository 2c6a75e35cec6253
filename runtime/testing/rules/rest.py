"""What must be so at rest: when every fault is healed, every client is content, and there was time enough."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.envelope import address_of
from runtime.protos.saga_pb2 import SagaRecord
from runtime.testing.rules.ledger import Ledger, Violation
from runtime.testing.runs.workload import Play
from runtime.testing.world.cluster import SimCluster

__all__ = ["broken_at_rest", "without_stream"]

_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED)


def broken_at_rest(ledger: Ledger, play: Play) -> Iterator[Violation]:
    """Sagas that did not end, parked messages, and what the workload finds; the ledger notes its own by itself."""
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


def without_stream(cluster: SimCluster) -> list[tuple[str, str]]:
    """Who dials, and whom, of all nodes that serve, where there is no open stream."""
    open_now = dict.fromkeys(cluster.network.streams)
    serving = [node for node in cluster.nodes if node.serves and not node.frozen]
    pairs = [(one, other) for one in serving for other in serving if one is not other]
    return [(one.name, other.name) for one, other in pairs if (one.address, other.address) not in open_now]
