"""How the client shows orders and stock: a line for people, or a line of JSON for scripts."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.markup import escape

from protos.orders_pb2 import Order, Stock
from protos.sales_pb2 import CANCELLED, READY_TO_SHIP, Flow, OrderStatus
from runtime.observe.console import say_json

__all__ = ["name_of", "order_text", "plain", "show", "stock_text"]

_STYLES = {"PENDING": "yellow", "READY_TO_SHIP": "green", "CANCELLED": "red"}


def show(message: Order | Stock, console: Console, *, as_json: bool) -> None:
    """One line on the standard output."""
    if as_json:
        say_json(plain(message))
    else:
        text = order_text(message) if isinstance(message, Order) else stock_text(message)
        console.print(text, highlight=False, soft_wrap=True)


def order_text(order: Order) -> str:
    """With rich's markup: id, status, what was ordered, and the label or the reason."""
    status = name_of(OrderStatus, order.status)
    detail = {READY_TO_SHIP: order.label_id, CANCELLED: order.reason}.get(order.status, "")
    flow = name_of(Flow, order.flow).lower()
    text = f"{order.line.quantity} x {order.line.sku} for {order.amount_cents / 100:.2f}, {flow}"
    line = f"{_safe(order.order_id)}  [{_STYLES.get(status, 'white')}]{status}[/]  {_safe(text)}"
    return f"{line}  {_safe(detail)}" if detail else line


def name_of(words: Any, number: int) -> str:
    """The word of an enumeration; the number if only a newer node has a word for it."""
    try:
        name: str = words.Name(number)
        return name
    except ValueError:
        return str(number)


def stock_text(stock: Stock) -> str:
    return (
        f"{_safe(stock.sku)}  [bold]{stock.on_hand}[/] on hand: {stock.restocked} put in, {stock.labelled} labelled, "
        f"{stock.voided} put back; {stock.labels} labels, {stock.labels_voided} voided, {stock.back_orders} back orders"
    )


def plain(message: Message) -> dict[str, Any]:
    """For JSON: every field, enums by name, and whole numbers as numbers (protobuf's mapping writes int64 as text)."""
    fields: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return {name: _plain_value(getattr(message, name), value) for name, value in fields.items()}


def _plain_value(value: object, mapped: object) -> object:
    if isinstance(value, Message):
        return plain(value)
    by_name = isinstance(mapped, str) and not mapped.lstrip("-").isdigit()
    return mapped if not isinstance(value, int) or by_name else value


def _safe(text: str) -> str:
    """Text from outside, so that it can neither style nor steer the terminal."""
    return escape("".join(char if char.isprintable() else ascii(char)[1:-1] for char in text))
