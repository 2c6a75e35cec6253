"""The order system, while a version whose saga has other steps is rolled out, taken back, and rolled out again.

    python -m runtime.testing simulate --workload upgrade

An instance of the other version is lent to a node of that version. While there is no such node, its mail is put off,
and its order ends late. That is all: no operator has to act, and nothing else may happen.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

import grpc

from actors.billing import Billing
from actors.choreography import OrderChoreography
from actors.gateway import OrderService
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from protos.billing_pb2 import BillOrder, OrderBilled, PaymentDeclined
from protos.orders_pb2 import OrderProcessState
from runtime.durations import seconds
from runtime.gateway.interceptors import CallFailed, Context
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.carrying import renames
from runtime.saga.catalogue import Catalogue
from runtime.saga.saga import Saga
from runtime.saga.wait import Wait
from runtime.store.records import ActorRow
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.cluster import SimCluster
from runtime.testing.world.node import SimNode
from runtime.testing.world.world import World
from tests.proof.workloads.deploying import deploy
from tests.proof.workloads.orders import OrderClients, Orders, Wish

__all__ = ["Carry", "Chain", "Upgrade", "UpgradeClients", "carry", "chain", "upgrade"]

Answer = TypeVar("Answer")

_LOOK_S = 0.25
_PAUSES_S = (0.0, 1.5, 0.0, 2.5)  # How long billing takes; each order has one of these.


class NextOrderProcess(Saga[OrderProcessState], kind=OrderProcess.kind):
    """The order process that makes the label before it bills, and voids it when the payment is declined."""

    started_by = OrderProcess.started_by
    ship = replace(OrderProcess.ship, pivot=False)
    bill = replace(OrderProcess.bill, pivot=True)
    close = replace(OrderProcess.close)
    flow = ship >> bill >> close
    closing = OrderProcess.closing


class CarryingOrderProcess(Saga[OrderProcessState], kind=OrderProcess.kind):
    """The order process with other names for its steps and a rest before the last. It carries on what it did not begin.

    A step that stood where the rest is now, or behind it, when an instance is carried over, has the rest passed over.
    """

    started_by = OrderProcess.started_by
    charge = replace(OrderProcess.bill)
    label = replace(OrderProcess.ship)
    rest = Wait(seconds(1))
    close = replace(OrderProcess.close)
    flow = charge >> label >> rest >> close
    closing = OrderProcess.closing
    carries = MappingProxyType({OrderProcess: renames(bill="charge", ship="label")})


class LastOrderProcess(Saga[OrderProcessState], kind=OrderProcess.kind):
    """A third version, which knows nothing of the first: an instance of that comes to it by way of the second."""

    started_by = OrderProcess.started_by
    bill = replace(OrderProcess.bill)  # the name that the first has, after another one between the two
    parcel = replace(OrderProcess.ship)
    rest = Wait(seconds(2))
    close = replace(OrderProcess.close)
    flow = bill >> parcel >> rest >> close
    closing = OrderProcess.closing
    carries = MappingProxyType({CarryingOrderProcess: renames(charge="bill", label="parcel")})


class SlowBilling(Billing, kind=Billing.kind):
    """Takes its time over some orders, so that they are under way while nodes change their version."""

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PAUSES_S[sum(self.key.encode()) % len(_PAUSES_S)]):
                await asyncio.Event().wait()
        return await super().bill(command)


def _slow_catalogue(process: type[Saga[Any]], beside: Mapping[str, str] | None = None) -> Catalogue:
    return Catalogue(
        contracts=[sales_pb2, billing_pb2, warehouse_pb2, orders_pb2],
        services={
            "sales": [Sales],
            "billing": [SlowBilling],
            "warehouse": [Warehouse],
            "orchestration": [process],
        },
        choreographies=[OrderChoreography],
        beside=beside,
    )


class Upgrade(Orders):
    """The workload."""

    hazards = ("roll out",) * 3

    def __init__(self) -> None:
        super().__init__()
        self.catalogue = _slow_catalogue(OrderProcess)
        self.expects += (
            "version rolled out",
            "of the first version",
            "of the next version",
            "lent to a node of their version",
            "ended side by side",
            "cancellations left alone",
        )
        self.never = ()

    later: type[Saga[Any]] = NextOrderProcess

    def next_catalogue(self) -> Catalogue:
        """With this version, sagas begin to live beside sales, once no node of the first one is left."""
        return _slow_catalogue(self.later, {OrderProcess.kind: Sales.kind})

    def begin(self, world: World, dice: Dice) -> OrderClients:
        """Raises TypeError in a world whose nodes have no versions."""
        if not isinstance(world, SimCluster):
            raise TypeError(f"versions are rolled out in a SimCluster, not in a {type(world).__name__}")
        return self._clients(world, dice)

    def _clients(self, cluster: SimCluster, dice: Dice) -> OrderClients:
        return UpgradeClients(cluster, dice)


class Carry(Upgrade):
    """The same, with a later version that carries over the instances of the first."""

    later: type[Saga[Any]] = CarryingOrderProcess

    def __init__(self) -> None:
        super().__init__()
        self.expects += ("carried over",)

    def _clients(self, cluster: SimCluster, dice: Dice) -> OrderClients:
        return _CarryClients(cluster, dice)


class Chain(Carry):
    """The same, with a third version, to which the instances of the first come by way of the second."""

    later = LastOrderProcess

    def _clients(self, cluster: SimCluster, dice: Dice) -> OrderClients:
        return _ChainClients(cluster, dice)


upgrade = Upgrade
carry = Carry
chain = Chain


class UpgradeClients(OrderClients):
    """They do not wait for the end of an order, since it may need a version that is not running.

    A cancellation of such an order gets no answer in time. It is accepted or refused when the version is back.
    """

    later: type[Saga[Any]] = NextOrderProcess
    last = (1, 0)  # The versions that end what is open, one after the other, where one node can host orders.
    pause_s = 3.0  # Some orders come during each roll-out.
    cancels_within_s = 6.0  # Some orders are cancelled while their version is gone.
    cancels_for_s = 20.0

    def __init__(self, cluster: SimCluster, dice: Dice) -> None:
        super().__init__(cluster, dice)
        self._cluster = cluster
        self._left_alone = 0  # Cancellations without an answer in time.
        self._side_by_side = 0  # Instances that were open when nodes of both versions had to end them.

    def _wish(self, number: int, dice: Dice) -> Wish:
        wish = super()._wish(number, dice)
        wish.request.wait = False
        return wish

    async def _insist(
        self, dice: Dice, call: Callable[[OrderService, Context], Awaitable[Answer]], patience_s: float = math.inf
    ) -> Answer | CallFailed:
        answer = await super()._insist(dice, call, patience_s)
        if isinstance(answer, CallFailed) and answer.code is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._left_alone += 1
        return answer

    async def run(self) -> None:
        """Place all orders. Then nodes of both versions end the open orders, side by side if several can host them.

        Otherwise first one version runs on every node until it can do no more, and then the other.
        """
        await super().run()
        while not self._cluster.healed:
            await self._cluster.sleep(_LOOK_S)
        hosts = [node for node in self._cluster.nodes if not node.failed_for_good and _may_host_orders(node)]
        if len(hosts) > 1:
            await deploy(self._cluster, {node.name: number % 2 for number, node in enumerate(hosts)})
            self._side_by_side = self._open()
            await self._until_quiet(None)
            return
        for version in self.last:
            await deploy(self._cluster, {node.name: version for node in self._cluster.nodes})
            await self._until_quiet(version)

    def _open(self) -> int:
        """Instances of either version that are under way."""
        return sum(
            SagaRecord.FromString(row.state).status in (SagaRecord.RUNNING, SagaRecord.COMPENSATING)
            for row in self._world.ledger.rows_of(OrderProcess.kind)
        )

    async def _until_quiet(self, version: int | None) -> None:
        """Wait until only mail and timers of the other version are left; without a version, until none are left."""
        ledger = self._cluster.ledger
        while any(
            version is None or not self._is_left_alone(ledger.actors.get(address), version)
            for address in (*(mail.address for mail in ledger.open), *(row.address for row in ledger.timed))
        ):
            await self._cluster.sleep(_LOOK_S)

    def _is_left_alone(self, row: ActorRow | None, version: int) -> bool:
        """Whether nodes of this version cannot run an instance."""
        if row is None or row.state_type != SagaRecord.DESCRIPTOR.full_name:
            return False
        definition = (OrderProcess, self.later)[version].definition
        return SagaRecord.FromString(row.state).fingerprint not in (definition.fingerprint, *definition.carries)

    def figures(self) -> dict[str, int]:
        rows = self._world.ledger.rows_of(OrderProcess.kind)
        begun = Counter(SagaRecord.FromString(row.state).fingerprint for row in rows)
        first, following = (begun[one.definition.fingerprint] for one in (OrderProcess, self.later))
        return {
            **super().figures(),
            "of the first version": first,
            "of the next version": following,
            "lent to a node of their version": self._cluster.facts["ActorLent"],
            "ended side by side": self._side_by_side,
            "cancellations left alone": self._left_alone,
        }


class _CarryClients(UpgradeClients):
    """Their orders are all ended by the later version, but for those that the first has ended."""

    later: type[Saga[Any]] = CarryingOrderProcess
    last = (0, 1)

    def figures(self) -> dict[str, int]:
        records = [SagaRecord.FromString(row.state) for row in self._world.ledger.rows_of(OrderProcess.kind)]
        return {**super().figures(), "carried over": sum(bool(one.earlier_fingerprints) for one in records)}


def _may_host_orders(node: SimNode) -> bool:
    return not node.spec.services or "orchestration" in node.spec.services


class _ChainClients(_CarryClients):
    later = LastOrderProcess
