"""The promises of `Store`, as tests that every store passes; derive from the class and give it your store.

    class TestMyStore(StoreConformance):
        @asynccontextmanager
        async def open_stores(self, ports: Ports, count: int) -> AsyncIterator[list[Store]]:
            ...  # an empty store, opened `count` times, as by so many nodes

Collected by pytest with asyncio_mode=auto; the tests need nothing else of pytest.
"""

from __future__ import annotations

from runtime.testing.store_conformance_batches import BatchConformance
from runtime.testing.store_conformance_membership import MembershipConformance
from runtime.testing.store_conformance_operators import OperatorConformance
from runtime.testing.store_conformance_purge import PurgeConformance
from runtime.testing.store_conformance_settle import SettleConformance
from runtime.testing.store_conformance_sweeps import SweepConformance
from runtime.testing.store_conformance_turns import TurnConformance

__all__ = ["StoreConformance"]


class StoreConformance(
    TurnConformance,
    BatchConformance,
    SettleConformance,
    SweepConformance,
    PurgeConformance,
    MembershipConformance,
    OperatorConformance,
):
    """All tests of the suite."""
