"""Seconds that an operator waits for lists in a store of very many choreographed orders, each with a deadline.

python -m bench.many_deadlines [--conversations 100000] [--json]

Of a hundred orders, ninety have come to their end, nine are watched, and one is overdue. The history has five messages
of each. The store lies in a temporary folder, and is removed afterwards.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from bench.shop import machine
from runtime.adapters import system_ports
from runtime.envelope import message_id, shard_of
from runtime.operate.process_entry import AT_REST, OVERDUE
from runtime.operate.processes import processes
from runtime.operate.timers import TimersWanted, timers
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.protos.durable_pb2 import Timer, TimerFired, Timers
from runtime.saga.deadline_summary import deadline_summary
from runtime.store.records import ActorRow, Expected, HistoryRow, Outcome, Subscription, Transition
from runtime.store.sqlite import SqliteStore

__all__ = ["main"]

_FLOW = "order-choreography"
_KEEPER = f"{_FLOW}-deadline"
_SHARDS = 16
_BATCH = 500
_WITHIN_S = 3_600.0
_LOOKS = 5
_STEPS = (
    (_KEEPER, "OrderPlaced"),
    ("billing", "OrderPlaced"),
    ("warehouse", "OrderBilled"),
    ("sales", "LabelCreated"),
    ("mail", "OrderReady"),
)


@click.command(help=__doc__)
@click.option("--conversations", type=click.IntRange(100), default=100_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(conversations: int, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="amends-bench-") as folder:
        figures = asyncio.run(measure(Path(folder) / "amends.db", conversations))
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:32} {value:,.3f}" if isinstance(value, float) else f"{name:32} {value}")


async def measure(path: Path, conversations: int) -> dict[str, Any]:
    store = SqliteStore(path, system_ports())
    await store.open()
    try:
        starts = [Subscription("shop.OrderPlaced", kind, "", _FLOW, starts=True) for kind in ("billing", _KEEPER)]
        for one in starts:
            await store.subscribe([one], kind=one.kind)
        transitions = _transitions(conversations, time.time())
        while batch := list(islice(transitions, _BATCH)):
            await store.commit(batch)
        figures = {name: await _seconds(look) for name, look in _looks(store).items()}
    finally:
        await store.close()
    return {"conversations": conversations, **figures, **machine()}


def _looks(store: SqliteStore) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "processes_s": lambda: processes(store, limit=50),
        "processes_of_kind_s": lambda: processes(store, kind=_FLOW, limit=50),
        "processes_at_rest_s": lambda: processes(store, status=AT_REST, limit=50),
        "processes_overdue_s": lambda: processes(store, status=OVERDUE, limit=50),
        "timers_s": lambda: timers(store, TimersWanted(), limit=50),
        "timers_of_key_s": lambda: timers(store, TimersWanted(key="00"), limit=50),
        "timers_of_no_key_s": lambda: timers(store, TimersWanted(key="nobody"), limit=50),
    }


async def _seconds(look: Callable[[], Awaitable[object]]) -> float:
    """The shortest of several looks, the first of which warms the cache."""
    found = list[float]()
    for _ in range(_LOOKS):
        began_s = time.perf_counter()
        await look()
        found.append(time.perf_counter() - began_s)
    return min(found)


# --- the store ---


def _transitions(count: int, now_s: float) -> Iterator[Transition]:
    """Each conversation began a second after the one before; the last has just begun."""
    for number in range(count):
        started_at_s = now_s - _WITHIN_S - 60.0 - (count - number)
        conversation = message_id(started_at_s, number.to_bytes(16, "big"), 0, "client")
        yield Transition(actor=_keeper(number, conversation, started_at_s, now_s), expected=Expected(0, b""))
        for place, (kind, event) in enumerate(_STEPS):
            yield Transition(history=(_handled(number, conversation, started_at_s, place, kind, event),))


def _keeper(number: int, conversation: bytes, started_at_s: float, now_s: float) -> ActorRow:
    status = {0: DeadlineRecord.OVERDUE}.get(number % 100, DeadlineRecord.SETTLED)
    due_at_s = started_at_s + _WITHIN_S
    if number % 11 == 1:
        status, due_at_s = DeadlineRecord.WATCHED, now_s + _WITHIN_S + number / 1e6
    record = DeadlineRecord(
        status=status,
        started_by=f"sales/ORD-{number:09}",
        start_type="shop.OrderPlaced",
        start=b"x" * 60 if status == DeadlineRecord.WATCHED else b"",
        started_at_s=started_at_s,
        due_at_s=due_at_s,
        process=_FLOW,
        awaited=["shop.OrderReady", "shop.OrderCancelled"],
    )
    timers, at_s = b"", None
    if status == DeadlineRecord.WATCHED:
        timer = Timer(name="deadline", due_at_s=due_at_s, type=TimerFired.DESCRIPTOR.full_name, set_by=conversation)
        timers, at_s = Timers(timers=[timer]).SerializeToString(), due_at_s
    key, name, state = conversation.hex(), record.DESCRIPTOR.full_name, record.SerializeToString()
    shard, told = shard_of(key, _SHARDS), deadline_summary(record, None)
    return ActorRow(
        _KEEPER, key, shard, 1, conversation, conversation, name, state, timers, at_s, started_at_s, summary=told
    )


def _handled(number: int, conversation: bytes, at_s: float, place: int, kind: str, event: str) -> HistoryRow:
    key = f"ORD-{number:09}"
    return HistoryRow(
        conversation=conversation,
        id=message_id(at_s, conversation, place, kind),
        kind=kind,
        key=key,
        shard=shard_of(key, _SHARDS),
        revision=1,
        handled_at_s=at_s + place / 10,
        outcome=Outcome.HANDLED,
        attempts=1,
        node="one@1",
        error="",
        type=f"shop.{event}",
        sender=f"sales/{key}",
        cause=conversation,
        sent_at_s=at_s + place / 10,
        caused=b"",
    )


if __name__ == "__main__":
    main()
