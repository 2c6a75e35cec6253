"""The order system whose effects lie outside: Billing moves money at the bank, Warehouse goods at the depot.

    class StormBilling(Billing)      decides as Billing does, and asks the bank for what it decided
    class StormWarehouse(Warehouse)  asks the depot, which keeps the goods, and does as that says

They are written as handlers with effects outside have to be, since a handler may run again after a crash, and then
perhaps after others that it came before:

- A key for each effect. The message's id where no other message can cause the same effect; where one can, a key of the
  business: a charge is given back once, whoever asks for that.
- An undo whose do failed goes by the order, not by what our own row remembers: what that did outside may be there all
  the same. The participant then refuses the do for good, since a frozen process may still come with it.
- What is decided from a state that others change too, such as goods on hand, is decided by the one who keeps it. The
  same key then gives the same answer, whatever our own row says by now.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque

from actors.billing import Billing
from actors.choreography import OrderChoreography
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse, label_id_of
from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from protos.billing_pb2 import (
    BILLED,
    REFUNDED,
    UNBILLED,
    BillOrder,
    CloseBill,
    OrderBilled,
    OrderRefunded,
    PaymentDeclined,
    RefundOrder,
)
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    Restock,
    Restocked,
    RestockRefused,
    ShippingLabelCreated,
    ShippingLabelVoided,
    VoidShippingLabel,
)
from runtime import Catalogue

__all__ = ["StormBilling", "StormServices", "StormWarehouse", "storm_catalogue"]

_ANSWER_S = 5.0


class StormServices:
    """One node's connection to bank and depot. Requests are answered in their order."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._writer: asyncio.StreamWriter | None = None
        self._asked: deque[asyncio.Future[int]] = deque()
        self._dialling = asyncio.Lock()
        self._hearing: asyncio.Task[None] | None = None

    async def ask(self, what: str, key: str, **fields: object) -> int:
        """The participant's answer. Raises OSError or TimeoutError, and then it may have been carried out."""
        writer = await self._connected()
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        writer.write(json.dumps({"what": what, "key": key, **fields}).encode() + b"\n")
        async with asyncio.timeout(_ANSWER_S):
            return await answer

    async def close(self) -> None:
        """Called when the node stops."""
        if self._writer is not None and self._hearing is not None:
            self._writer.close()
            await self._hearing

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._dialling:
            if self._writer is None or self._writer.is_closing():
                reader, self._writer = await asyncio.open_unix_connection(self._socket)
                self._asked = deque()
                self._hearing = asyncio.get_running_loop().create_task(_hear(reader, self._writer, self._asked))
            return self._writer


async def _hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: deque[asyncio.Future[int]]) -> None:
    try:
        while line := await reader.readline():
            answer = asked.popleft()
            if not answer.done():
                answer.set_result(int(line))
    finally:
        writer.close()
        for answer in asked:
            if not answer.done():
                answer.set_exception(ConnectionError("the participants have gone"))


class StormBilling(Billing, kind="billing"):
    def __init__(self, participants: StormServices) -> None:
        self.participants = participants

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        was = self.state.status
        answer = await super().bill(command)
        if was == UNBILLED and self.state.status == BILLED:
            taken = await self._ask("charge", self.message_id.hex(), units=self.state.amount_cents)
            if not taken and self.state.amount_cents:
                raise RuntimeError(f"the bank takes nothing more for {self.key}: it was refunded")
        return answer

    async def refund(self, command: RefundOrder) -> OrderRefunded:
        was = self.state.status
        answer = await super().refund(command)
        await self._give_back(was)
        return answer

    async def close(self, command: CloseBill) -> OrderRefunded | None:
        was = self.state.status
        answer = await super().close(command)
        await self._give_back(was)
        return answer

    async def _give_back(self, was: int) -> None:
        if self.do_failed or (was == BILLED and self.state.status == REFUNDED):
            await self._ask("refund", f"refund of {self.key}")

    async def _ask(self, what: str, key: str, **fields: object) -> int:
        return await self.participants.ask(what, key, order=self.key, message=self.message_id.hex(), **fields)


class StormWarehouse(Warehouse, kind="warehouse"):
    """Its own count is a copy of the depot's, and may be short of it while a label waits to be handled again."""

    def __init__(self, participants: StormServices) -> None:
        self.participants = participants

    async def restock(self, command: Restock) -> Restocked | RestockRefused:
        answer = await super().restock(command)
        if isinstance(answer, Restocked):
            await self._ask("put", units=command.quantity)
        return answer

    async def label(self, command: CreateShippingLabel) -> ShippingLabelCreated | BackOrdered:
        stock = self.state
        stock.sku = self.key
        order_id, quantity = command.order_id, command.quantity
        if not await self._ask("label", order=order_id, units=quantity):
            stock.back_orders += 1
            return BackOrdered(order_id=order_id, sku=self.key, quantity=quantity, on_hand=stock.on_hand)
        stock.on_hand -= quantity
        stock.labelled += quantity
        stock.labels += 1
        label_id = label_id_of(order_id)
        return ShippingLabelCreated(order_id=order_id, sku=self.key, quantity=quantity, label_id=label_id)

    async def void(self, command: VoidShippingLabel) -> ShippingLabelVoided:
        if await self._ask("void", order=command.order_id):
            return await super().void(command)
        return ShippingLabelVoided(order_id=command.order_id, sku=self.key, label_id=command.label_id)

    async def _ask(self, what: str, **fields: object) -> int:
        message = self.message_id.hex()
        return await self.participants.ask(what, message, sku=self.key, message=message, **fields)


def storm_catalogue(
    socket: str, billing: type[StormBilling] = StormBilling, warehouse: type[StormWarehouse] = StormWarehouse
) -> Catalogue:
    """The catalogue of the order system, with participants behind `socket`. Others may be given, to see them fail."""
    return Catalogue(
        contracts=[sales_pb2, billing_pb2, warehouse_pb2, orders_pb2],
        services={
            "sales": [Sales],
            "billing": [billing],
            "warehouse": [warehouse],
            "orchestration": [OrderProcess],
        },
        choreographies=[OrderChoreography],
        provides={StormServices: lambda: StormServices(socket)},
    )
