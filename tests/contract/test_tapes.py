"""I15: every store gives the same answers to the same tape of operations, drawn at random.

Few actors, few messages, few instants: so that a drawn operation mostly concerns what earlier ones left.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.adapters import system_ports
from runtime.ports import Cancellable, Ports
from runtime.store.conversation_pages import HandledFilter, HandledPlace
from runtime.store.lived import Lived
from runtime.store.memory import MemoryStore
from runtime.store.parked import ParkedPlace
from runtime.store.port import Store
from runtime.store.postgresql import PostgresqlStore
from runtime.store.postgresql.target import PostgresqlTarget
from runtime.store.records import (
    Busy,
    BusyHandler,
    ClusterView,
    Expected,
    MailRow,
    NodeRow,
    Outcome,
    ShardRow,
    Subscription,
    Transition,
)
from runtime.store.sqlite import SqliteStore
from runtime.store.summaries import SummaryFilter, SummaryOrder, SummaryPlace
from runtime.store.tallies import Tallies
from runtime.store.timed import TimedFilter, TimedPlace
from runtime.testing.conformance.samples import EMPTY, actor_row, history_row, id_of, mail_row, told
from runtime.testing.processes.postgresql.server import PostgresServer

Operation = Callable[[Store], Awaitable[object]]

KINDS = ("billing", "sales")
KEYS = ("a", "🚚")
SHARDS = (0, 1)
INSTANTS = st.sampled_from([0.0, 1.0, 2.5, 1e9])
LIMITS = st.sampled_from([1, 2, 5, 100])
NUMBERS = st.integers(1, 4)
CONVERSATIONS = st.sampled_from([0, 0, 0, 1])
kinds = st.sampled_from([KINDS[0]] * 4 + [KINDS[1]])
keys = st.sampled_from([KEYS[0]] * 2 + [KEYS[1]])
shards = st.sampled_from([SHARDS[0]] * 6 + [SHARDS[1]])
names = st.sampled_from(["one", "two"])


@dataclass
class TapeClock:
    """A wall clock that stands still until the tape moves it; what waits for a thread runs on the real one."""

    wall_s: float = 100.0

    def now_s(self) -> float:
        return self.wall_s

    def monotonic_s(self) -> float:
        return system_ports().clock.monotonic_s()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    def call_later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> Cancellable:
        return asyncio.get_running_loop().call_later(delay_s, callback, *arguments)


@st.composite
def mails(draw: st.DrawFn) -> MailRow:
    return mail_row(
        draw(NUMBERS),
        draw(keys),
        kind=draw(kinds),
        shard=draw(shards),
        conversation=draw(CONVERSATIONS),
        sent_at_s=draw(INSTANTS),
        sequence=draw(st.integers(0, 2)),
        due_at_s=draw(INSTANTS),
        attempts=draw(st.integers(0, 3)),
        parked=draw(st.sampled_from(["", "", "boom"])),
    )


def _of_one_place(rows: list[MailRow]) -> tuple[MailRow, ...]:
    """Without those that repeat an id in another place: a message has one conversation, one actor, one sequence."""
    first = {row.id: row for row in reversed(rows)}
    return tuple(row for row in rows if _place(row) == _place(first[row.id]))


def _place(row: MailRow) -> tuple[bytes, str, str, int]:
    return row.conversation, row.kind, row.key, row.sequence


summaries = st.builds(
    told,
    st.sampled_from(["running", "stuck"]),
    step=st.sampled_from(["", "bill", "bill, ship"]),
    started_at_s=INSTANTS,
    progressed_at_s=INSTANTS,
    error=st.sampled_from(["", "No Refund"]),
    owed_at_s=st.none() | INSTANTS,
    unknown_at_s=st.none() | INSTANTS,
)


filters = st.builds(
    SummaryFilter,
    kind=st.sampled_from(["", "", *KINDS]),
    statuses=st.sampled_from([(), (), ("stuck",), ("running", "stuck")]),
    not_statuses=st.sampled_from([(), (), ("stuck",)]),
    prefix=st.sampled_from(["", "", "a"]),
    step=st.sampled_from(["", "", "bill"]),
    error=st.sampled_from(["", "", "refund"]),
    progressed_by_s=INSTANTS,
    started_by_s=INSTANTS,
    not_carried=st.sampled_from([None, None, ("billing/aa01", "other/bb")]),
    has_dead_letters=st.sampled_from([False, False, True]),
    owes=st.sampled_from([False, False, True]),
    is_unknown=st.sampled_from([False, False, True]),
)


handled_filters = st.builds(
    HandledFilter,
    kind=st.sampled_from(["", "", *KINDS]),
    key=st.sampled_from(["", *KEYS]),
    type=st.sampled_from(["", "", "Pay", "trip.Pay", "ay"]),
    error=st.sampled_from(["", "", "REASON"]),
    only_errors=st.booleans(),
)


@st.composite
def transitions(draw: st.DrawFn) -> Transition:
    kind, key, shard = draw(kinds), draw(keys), draw(shards)
    consumed = tuple(id_of(number) for number in draw(st.lists(NUMBERS, max_size=2)))
    given_up = tuple(id_of(number) for number in draw(st.lists(NUMBERS, max_size=1)))
    mail = _of_one_place(draw(st.lists(mails(), max_size=2)))
    if draw(st.booleans()):
        return Transition(mail=mail, check_duplicates=draw(st.booleans()))
    history = tuple(
        history_row(
            number,
            key,
            kind=kind,
            shard=shard,
            conversation=draw(CONVERSATIONS),
            handled_at_s=draw(INSTANTS),
            outcome=draw(st.sampled_from(Outcome)),
        )
        for number in draw(st.lists(NUMBERS, max_size=2))
    )
    rescheduled = tuple(replace(row, kind=kind, key=key, shard=shard) for row in draw(st.lists(mails(), max_size=1)))
    if draw(st.integers(0, 3)) == 0:
        return Transition(
            address=(kind, key),
            shard=shard,
            consumed=consumed,
            given_up=given_up,
            history=history,
            mail=mail,
            rescheduled=rescheduled,
        )
    # Mostly the row that an earlier turn of the tape may have left, now and then another history of that length.
    revision = draw(st.integers(0, 2))
    was, last = (number if draw(st.integers(0, 4)) else 9 for number in (revision, revision + 1))
    actor = actor_row(
        key,
        kind=kind,
        shard=shard,
        revision=revision + 1,
        last=last,
        conversation=draw(CONVERSATIONS),
        due_at_s=draw(st.none() | INSTANTS),
        summary=draw(st.none() | summaries),
    )
    expected = Expected(revision, id_of(was)) if revision else EMPTY
    return Transition(
        actor=actor,
        expected=expected,
        consumed=consumed,
        given_up=given_up,
        history=history,
        mail=mail,
        rescheduled=rescheduled,
    )


batches = st.lists(transitions(), max_size=6)


async def tell_busy(store: Store, busy: Busy) -> None:
    store.tell_busy(busy)
    await store.subscribe([], kind="nobody")  # once this is written, that is


async def told_busy(store: Store) -> list[Busy]:
    return await store.busy()


@st.composite
def reads(draw: st.DrawFn) -> Operation:
    kind, key, shard, limit = draw(kinds), draw(keys), draw(shards), draw(LIMITS)
    due_s, sent_s, conversation = draw(INSTANTS), draw(INSTANTS), id_of(draw(CONVERSATIONS))
    some = draw(st.lists(shards, max_size=3))
    id = id_of(draw(NUMBERS))
    last = draw(st.none() | mails())
    wanted, order = draw(filters), draw(st.sampled_from(SummaryOrder))
    place = draw(st.none() | st.builds(SummaryPlace, INSTANTS, kinds, keys))
    due = draw(st.none() | st.builds(TimedPlace, INSTANTS, kinds, keys))
    done = draw(st.none() | st.builds(HandledPlace, INSTANTS, st.builds(id_of, NUMBERS)))
    handled, is_newest = draw(handled_filters), draw(st.booleans())
    choices: list[Operation] = [
        lambda s: s.load([(kind, key), ("sales", "a")]),
        lambda s: s.handled([(conversation, id)]),
        lambda s: s.waiting(kind, some, due_before_s=due_s, sent_before_s=sent_s, limit=limit, after=last),
        lambda s: s.waiting_for((kind, key), shard, limit=limit),
        lambda s: s.mail_of((kind, key), shard, id),
        lambda s: s.due(kind, some, before_s=due_s, limit=limit),
        lambda s: s.conversation(conversation),
        lambda s: s.handled_of([(kind, "trip.Pay"), ("sales", "other")], limit=limit, after=(conversation, id)),
        lambda s: s.handled_in(conversation, handled, limit=limit, after=done, newest_first=is_newest),
        lambda s: s.mail_of_conversation(conversation),
        lambda s: s.mail_in(conversation, limit=limit, after=last),
        lambda s: s.conversation_size(conversation),
        lambda s: s.dead_letters(limit=limit, after=None if last is None else ParkedPlace.of(last)),
        lambda s: s.actors_with_key(key),
        lambda s: s.mail_with_key(key),
        lambda s: s.actors(kind, limit=limit, after=key),
        lambda s: s.summaries(wanted, limit=limit, order=order, after=place),
        lambda s: s.summary_counts(),
        lambda s: s.tallies(uncounted=("running",), actors_max=limit, mail_max=limit),
        lambda s: s.timed(TimedFilter(), limit=limit, after=due),
        lambda s: s.cluster(),
        told_busy,
    ]
    return draw(st.sampled_from(choices))


@st.composite
def writes(draw: st.DrawFn) -> Operation:
    batch, name, incarnation = draw(batches), draw(names), draw(st.sampled_from("12"))
    node = NodeRow(name, incarnation, "127.0.0.1:1", tuple(draw(st.lists(kinds, max_size=2))), "0.1.0")
    lease_s, limit, instant_s = draw(st.sampled_from([20.0, 50.0])), draw(LIMITS), draw(INSTANTS)
    wanted = [
        ShardRow(draw(kinds), draw(shards), name, draw(st.integers(0, 2))) for _ in range(draw(st.integers(0, 3)))
    ]
    subscriptions = [
        Subscription("e", draw(kinds), "k", draw(names), draw(st.booleans()), "f", "v")
        for _ in range(draw(st.integers(0, 2)))
    ]
    other, off_s = draw(st.sampled_from(["", "1", "2"])), draw(st.sampled_from([None, 0.0, -3.5]))
    after = b"" if draw(st.booleans()) else id_of(draw(CONVERSATIONS))
    kind = draw(kinds)
    mine = [replace(subscription, kind=kind, process=str(n)) for n, subscription in enumerate(subscriptions)]
    handlers = draw(
        st.lists(st.builds(BusyHandler, keys, kinds, keys, st.just(id_of(1)), *[keys] * 2, *[INSTANTS] * 2))
    )
    busy = Busy(name, incarnation, instant_s, instant_s + lease_s, tuple(handlers))
    commit: Operation = lambda s: s.commit(batch)  # noqa: E731 -- one of many, and the one drawn most
    choices: list[Operation] = [
        *[commit] * 8,
        lambda s: s.settle(batch),
        lambda s: s.purge(handled_before_s=instant_s, limit=limit, after=after),
        lambda s: s.lived(),
        lambda s: s.put_lived(Lived(lease_s, ((0.0, instant_s),))),
        lambda s: s.join(node, lease_s=lease_s, replace=other),
        lambda s: s.renew(name, incarnation, lease_s=lease_s, clock_off_s=off_s),
        lambda s: s.leave(name, incarnation),
        lambda s: s.evict(name, incarnation),
        lambda s: tell_busy(s, busy),
        lambda s: s.assign_many(wanted),
        lambda s: s.subscribe(mine, kind=kind),
    ]
    return draw(st.sampled_from(choices))


tapes = st.lists(writes() | reads() | st.floats(0.0, 60.0), min_size=8, max_size=30)


@pytest.mark.timeout(900)  # a failure takes its time to be made small
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(tape=tapes)
def test_i15_memory_and_sqlite_give_the_same_answers_to_one_tape(tape: list[Operation | float]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(_compare(tape, lambda ports: SqliteStore(Path(folder) / "amends.db", ports), _as_it_is))


@pytest.mark.timeout(900)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(tape=tapes)
def test_i15_memory_and_postgresql_give_the_same_answers_to_one_tape(
    postgres_server: PostgresServer, tape: list[Operation | float]
) -> None:
    url = f"{postgres_server.url}?schema=tape_{next(_NUMBERS)}"
    open_on = lambda ports: PostgresqlStore(PostgresqlTarget.of(url), ports)  # noqa: E731
    asyncio.run(_compare([one for one in tape if not isinstance(one, float)], open_on, _without_clock))


_NUMBERS = itertools.count(1)


async def _compare(
    tape: Sequence[Operation | float], open_on: Callable[[Ports], Store], told: Callable[[object], object]
) -> None:
    clock = TapeClock()
    ports = replace(system_ports(), clock=clock)
    memory, other = MemoryStore(ports), open_on(ports)
    await other.open()
    try:
        for operation in tape:
            if isinstance(operation, float):
                clock.wall_s += operation
                continue
            assert _plain(told(await operation(memory))) == _plain(told(await operation(other)))
        assert await _everything(memory, told) == await _everything(other, told)
    finally:
        await other.close()


def _as_it_is(answer: object) -> object:
    return answer


def _without_clock(answer: object) -> object:
    """A server has a clock of its own: what is by its clock is left out, and leases last as long as a tape does."""
    if isinstance(answer, NodeRow):
        return replace(answer, lease_until_s=0.0)
    if isinstance(answer, ClusterView):
        return replace(answer, now_s=0.0, nodes=tuple(replace(node, lease_until_s=0.0) for node in answer.nodes))
    if isinstance(answer, Tallies):
        return replace(answer, now_s=0.0)
    return answer


async def _everything(store: Store, told: Callable[[object], object]) -> list[object]:
    answers: list[object] = [told(await store.cluster()), await store.busy()]
    for kind in KINDS:
        answers.append(await store.actors(kind, limit=999))
        answers.extend([await store.waiting_for((kind, key), shard, limit=999) for key in KEYS for shard in SHARDS])
    answers.extend([await store.conversation(id_of(number)) for number in range(3)])
    return [_plain(answer) for answer in answers]


def _plain(answer: object) -> object:
    """Rows as text with their types, so that an answer can't pass for another by comparing equal to it."""
    return json.dumps(answer, default=_described)


def _described(value: object) -> object:
    if isinstance(value, bytes):
        return f"bytes {value.hex()}"
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *(getattr(value, field.name) for field in fields(value))]
    raise TypeError(f"{value!r} in an answer")
