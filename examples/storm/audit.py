"""Adds up money and goods from the participants' own files, and compares with how the orders ended.

    bank.log, depot.log ──each key once──▶ what moved for each order ──▶ AuditVerdict ◀── how the service says it ended

Nothing here looks into a store of ours: the files are the participants', and final states come from asking the
service as a client does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from examples.storm.participants import BANK_LOG, DEPOT_LOG
from protos.orders_pb2 import Order, Stock
from protos.sales_pb2 import READY_TO_SHIP, OrderStatus

__all__ = ["AuditVerdict", "Movements", "judge", "read_movements"]


@dataclass(slots=True)
class Movements:
    """What the participants did, by order and by SKU; each key counts once."""

    charged: Counter[str] = field(default_factory=Counter)  # cents by order
    refunded: Counter[str] = field(default_factory=Counter)
    labelled: Counter[str] = field(default_factory=Counter)  # units by order
    voided: Counter[str] = field(default_factory=Counter)
    times: Counter[tuple[str, str]] = field(default_factory=Counter)  # (what, order): under how many keys
    on_hand: Counter[str] = field(default_factory=Counter)  # units by SKU
    lowest: Counter[str] = field(default_factory=Counter)  # that ever were on hand
    repeated: int = 0  # requests that came again: handlers that ran more than once
    contradicted: list[str] = field(default_factory=list)  # keys that were used for two different effects


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What is off. All of it must be nothing."""

    cents_off: int
    units_off: int
    faults: tuple[str, ...]  # a sentence each


def read_movements(directory: Path) -> Movements:
    """Add up both files. Raises ValueError when one is no journal."""
    moved = Movements()
    by_order = {"charge": moved.charged, "refund": moved.refunded, "label": moved.labelled, "void": moved.voided}
    for entry in _each_key_once(directory, moved):
        what, units = entry["what"], int(entry["answer"])
        if what in by_order:
            by_order[what][entry["order"]] += units
            moved.times[what, entry["order"]] += units != 0
        if "sku" in entry:
            sku = entry["sku"]
            moved.on_hand[sku] += -units if what == "label" else units
            moved.lowest[sku] = min(moved.lowest[sku], moved.on_hand[sku])
    return moved


def judge(moved: Movements, orders: Iterable[Order], stocks: Iterable[Stock]) -> AuditVerdict:
    """Compare with how every order ended, and with what the service says is on hand."""
    ended = {order.order_id: order for order in orders}
    faults = [f"one key for two effects: {key}" for key in moved.contradicted]
    cents_off = units_off = 0
    touched = dict.fromkeys([*ended, *moved.charged, *moved.refunded, *moved.labelled, *moved.voided])
    for key in touched:
        order = ended.get(key, Order(order_id=key))
        shipped = order.status == READY_TO_SHIP
        how = OrderStatus.Name(order.status) if key in ended else "not an order"
        cents = moved.charged[key] - moved.refunded[key] - (order.amount_cents if shipped else 0)
        units = moved.labelled[key] - moved.voided[key] - (order.line.quantity if shipped else 0)
        cents_off += abs(cents)
        units_off += abs(units)
        if cents or units:
            faults.append(f"{key} is {how}, and {cents:+} cents and {units:+} units are out")
        faults.extend(_repeats(moved, key))
    for stock in stocks:
        off = stock.on_hand - moved.on_hand[stock.sku]
        units_off += abs(off)
        if off or moved.lowest[stock.sku] < 0:
            found, least = moved.on_hand[stock.sku], moved.lowest[stock.sku]
            faults.append(f"{stock.sku}: {stock.on_hand} are said to be on hand, {found} are, never less than {least}")
    return AuditVerdict(cents_off, units_off, tuple(faults))


def _repeats(moved: Movements, key: str) -> Iterator[str]:
    """Effects that an order may have once, and had under several keys: that the sum is right excuses nothing."""
    for what in ("charge", "refund", "label", "void"):
        if moved.times[what, key] > 1:
            yield f"{key} had {moved.times[what, key]} of {what}"


def _each_key_once(directory: Path, moved: Movements) -> Iterator[Mapping[str, str]]:
    for name in (BANK_LOG, DEPOT_LOG):
        first: dict[str, Mapping[str, str]] = {}
        for number, line in enumerate((directory / name).read_text(encoding="utf-8").splitlines(), 1):
            try:
                entry = json.loads(line)
                key = entry["key"]
            except (ValueError, KeyError) as error:
                raise ValueError(f"{name}, line {number} is none of a participant: {line!r}") from error
            before = first.setdefault(key, entry)
            if before is entry:
                yield entry
                continue
            moved.repeated += 1
            if _effect(before) != _effect(entry):
                moved.contradicted.append(key)


def _effect(entry: Mapping[str, str]) -> tuple[object, ...]:
    return tuple(entry.get(name) for name in ("what", "order", "sku", "units", "answer"))
