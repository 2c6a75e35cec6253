"""The choreography under every order in which its messages can be handled, with a client who cancels at any moment.

Stronger than what the runtime promises: here even messages between two actors may overtake each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.message import Message

from actors.billing import CHARGE_MAX_CENTS, Billing
from actors.choreography import OrderChoreography
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos.billing_pb2 import BILLED, BillState
from protos.sales_pb2 import (
    CANCELLED,
    CHOREOGRAPHY,
    PENDING,
    READY_TO_SHIP,
    CancelOrder,
    OrderLine,
    OrderState,
    PlaceOrder,
)
from protos.warehouse_pb2 import StockState
from runtime.contracts import contract_of
from runtime.durable.reaction import Reaction
from runtime.durable.service import Service

SERVICES: dict[str, type[Service[Any]]] = {one.kind: one for one in (Sales, Billing, Warehouse)}
STOCKED = 5
OTHERS = 10  # labels of other orders, whose goods must not come back


@dataclass(frozen=True)
class TurnWorld:
    """Three actors' states and the messages that are on their way, as bytes, so that equal worlds are one."""

    sales: bytes
    billing: bytes
    warehouse: bytes
    mail: tuple[tuple[str, str, bytes], ...]  # (kind, type, body), sorted
    cancels: int  # that the client may still send

    @property
    def order(self) -> OrderState:
        return OrderState.FromString(self.sales)

    @property
    def bill(self) -> BillState:
        return BillState.FromString(self.billing)

    @property
    def stock(self) -> StockState:
        return StockState.FromString(self.warehouse)


def _reactions(event_type: type[Message]) -> tuple[Reaction, ...]:
    return tuple(one for one in OrderChoreography.compiled if one.event_type is event_type)


def _mail(message: Message) -> list[tuple[str, str, bytes]]:
    """A command to its kind; an event, translated, to each kind that reacts to it."""
    contract = contract_of(type(message))
    if contract.is_command:
        return [(contract.kind, contract.name, message.SerializeToString(deterministic=True))]
    commands = [one.translate(message) for one in _reactions(type(message))]
    return [letter for command in commands if command is not None for letter in _mail(command)]


def _handled(world: TurnWorld, kind: str, type_name: str, body: bytes) -> tuple[bytes, list[tuple[str, str, bytes]]]:
    """The actor's next state, and what its event leads to."""
    spec = SERVICES[kind].handlers[type_name]
    state = SERVICES[kind].state_type.FromString(getattr(world, kind))
    actor = SERVICES[kind].of(state, key="CUP" if kind == "warehouse" else "ORD-1")
    event = _result(spec.function(actor, spec.input_type.FromString(body)))
    mail = _mail(event) if isinstance(event, Message) else []
    return state.SerializeToString(deterministic=True), mail


def _result(handling: object) -> object:
    """Run a handler that never waits."""
    try:
        handling.send(None)  # type: ignore[attr-defined]
    except StopIteration as ended:
        return ended.value
    raise AssertionError("a handler of these services waits for nothing")


def _next(world: TurnWorld) -> Iterator[TurnWorld]:
    """Every world that may come of this one: any message is handled, or the client cancels."""
    for index, letter in enumerate(world.mail):
        if letter in world.mail[:index]:
            continue
        state, caused = _handled(world, *letter)
        mail = tuple(sorted([*world.mail[:index], *world.mail[index + 1 :], *caused]))
        yield TurnWorld(**{**vars(world), letter[0]: state, "mail": mail})
    if world.cancels and world.order.status == PENDING:
        mail = tuple(sorted([*world.mail, *_mail(CancelOrder(order_id="ORD-1", reason="mind changed"))]))
        yield TurnWorld(**{**vars(world), "mail": mail, "cancels": world.cancels - 1})


def _ends(quantity: int, amount_cents: int, cancels: int) -> list[TurnWorld]:
    """Every world in which nothing happens any more."""
    stock = StockState(sku="CUP", on_hand=STOCKED, restocked=STOCKED + OTHERS, labelled=OTHERS, labels=OTHERS)
    line = OrderLine(sku="CUP", quantity=quantity)
    place = PlaceOrder(order_id="ORD-1", line=line, amount_cents=amount_cents, flow=CHOREOGRAPHY)
    first = TurnWorld(b"", b"", stock.SerializeToString(deterministic=True), tuple(_mail(place)), cancels)
    seen, left, ends = {first}, [first], list[TurnWorld]()
    while left:
        world = left.pop()
        assert len(seen) < 50_000, "the choreography does not come to rest"
        following = list(_next(world))
        if not world.mail:
            ends.append(world)
        left.extend(one for one in following if one not in seen)
        seen.update(following)
    return ends


def _check_shipped(world: TurnWorld) -> None:
    assert world.bill.status == BILLED
    assert (world.bill.charges, world.bill.refunds) == (1, 0)
    assert world.stock.labels - world.stock.labels_voided == OTHERS + 1


def _check_cancelled(world: TurnWorld) -> None:
    assert world.bill.charges == world.bill.refunds
    assert world.bill.status != BILLED
    assert world.stock.labels - world.stock.labels_voided == OTHERS
    assert world.stock.on_hand == STOCKED


@pytest.mark.parametrize("cancels", [0, 1, 2])
@pytest.mark.parametrize(
    ("quantity", "amount_cents", "may_ship"),
    [(2, 500, True), (STOCKED + 1, 500, False), (2, CHARGE_MAX_CENTS + 1, False)],
    ids=["in stock", "back-ordered", "declined"],
)
def test_whatever_overtakes_what_the_order_is_shipped_and_paid_or_cancelled_without_a_trace(
    quantity: int, amount_cents: int, may_ship: bool, cancels: int
) -> None:
    ends = [world for world in _ends(quantity, amount_cents, cancels) if world.order.status != PENDING]
    for world in ends:
        assert world.bill.charges <= 1
        assert world.stock.labels <= OTHERS + 1
        (_check_shipped if world.order.status == READY_TO_SHIP else _check_cancelled)(world)
    statuses = {world.order.status for world in ends}
    assert (READY_TO_SHIP in statuses) is may_ship
    assert (CANCELLED in statuses) is (not may_ship or cancels > 0)


def test_no_order_is_left_pending() -> None:
    for quantity in (2, STOCKED + 1):
        assert all(world.order.status != PENDING for world in _ends(quantity, 500, cancels=1))
