"""The promises of `Store`, as tests that every store passes. Derive from the class, and open your store.

    class TestMyStore(StoreConformance):
        @asynccontextmanager
        async def open_stores(self, ports: Ports, count: int) -> AsyncIterator[list[Store]]:
            ...  # an empty store, opened `count` times, as by so many nodes

pytest collects it with asyncio_mode=auto. The tests need nothing else of pytest.
"""

from __future__ import annotations

from runtime.testing.conformance.batches import BatchConformance
from runtime.testing.conformance.busy import BusyConformance
from runtime.testing.conformance.conversations import ConversationConformance
from runtime.testing.conformance.definitions import DefinitionConformance
from runtime.testing.conformance.groups import GroupConformance
from runtime.testing.conformance.kind_names import KindNameConformance
from runtime.testing.conformance.mail import MailConformance
from runtime.testing.conformance.membership import MembershipConformance
from runtime.testing.conformance.operators import OperatorConformance
from runtime.testing.conformance.proofs import ProofConformance
from runtime.testing.conformance.purge import PurgeConformance
from runtime.testing.conformance.races import RaceConformance
from runtime.testing.conformance.settle import SettleConformance
from runtime.testing.conformance.summaries import SummaryConformance
from runtime.testing.conformance.sweeps import SweepConformance
from runtime.testing.conformance.tallies import TallyConformance
from runtime.testing.conformance.turns import TurnConformance

__all__ = ["StoreConformance"]


class StoreConformance(
    TurnConformance,
    MailConformance,
    BatchConformance,
    GroupConformance,
    RaceConformance,
    SettleConformance,
    SweepConformance,
    PurgeConformance,
    MembershipConformance,
    BusyConformance,
    OperatorConformance,
    ConversationConformance,
    SummaryConformance,
    TallyConformance,
    DefinitionConformance,
    ProofConformance,
    KindNameConformance,
):
    """All tests of the suite."""
