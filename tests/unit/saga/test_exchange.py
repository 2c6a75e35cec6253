"""One durable question, through everything that can be heard about it: refused only if nothing of it can have happened.

Every order of asking, silence, faults, refusals and answers is tried, "not finished yet" among them, up to three
commands and seven events. Beside the record a model keeps what is known of each command.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from runtime.protos.saga_pb2 import Exchange
from runtime.saga import exchange
from runtime.saga.exchange import Refusal

SILENT, FAULTED, REFUSED = "silent", "faulted", "refused"
WORKING = "working"
DEFERRED = "deferred"  # worked on, and a command after it decides
SETTLED = (REFUSED, DEFERRED)
ASKS_MAX, EVENTS_MAX = 3, 7


@dataclass(frozen=True)
class Heard:
    """What is known of each command, in the order in which they were asked; empty of one that is open."""

    fates: tuple[str, ...] = ()
    body: bytes = b""
    story: tuple[str, ...] = ()

    @property
    def record(self) -> Exchange:
        return Exchange.FromString(self.body)

    def after(self, record: Exchange, event: str, fates: tuple[str, ...]) -> Heard:
        return Heard(fates, record.SerializeToString(deterministic=True), (*self.story, event))


def id_of(number: int) -> bytes:
    return bytes([number + 1]) * 16


def with_fate(fates: tuple[str, ...], number: int, fate: str) -> tuple[str, ...]:
    return (*fates[:number], fate, *fates[number + 1 :])


def next_of(heard: Heard) -> Iterator[Heard]:
    """Whatever may happen next."""
    status, count = heard.record.status, len(heard.fates)
    if status in (Exchange.DONE, Exchange.REFUSED):
        return
    if status in (Exchange.UNASKED, Exchange.UNKNOWN, Exchange.WORKING) and count < ASKS_MAX:
        record = heard.record
        exchange.ask(record, id_of(count), 1.0)
        # Commands reach their actor in the order in which they were sent, so it has given up the faulted one for good.
        later = {FAULTED: REFUSED, WORKING: DEFERRED}
        settled = tuple(later.get(fate, fate) for fate in heard.fates)
        yield heard.after(record, f"ask {count}", (*settled, ""))
    if status == Exchange.OPEN:
        record = heard.record
        exchange.unclear(record, "no answer")
        yield heard.after(record, "silence", with_fate(heard.fates, count - 1, SILENT))
    for number, fate in enumerate(heard.fates):
        yield from answers(heard, number, fate)


def answers(heard: Heard, number: int, fate: str) -> Iterator[Heard]:
    """That may come to this command."""
    id, is_known = id_of(number), fate in (REFUSED, FAULTED, WORKING, DEFERRED)
    if not is_known:
        record = heard.record
        assert exchange.faulted(record, id, "boom")
        yield heard.after(record, f"fault {number}", with_fate(heard.fates, number, FAULTED))
        record = heard.record
        exchange.refused(record, id, "No")
        yield heard.after(record, f"refuse {number}", with_fate(heard.fates, number, REFUSED))
    if not is_known or fate == FAULTED:
        record = heard.record
        assert exchange.working(record, id, 1.0)
        is_decided_later = number < len(heard.fates) - 1 and heard.fates[-1] != REFUSED
        yield heard.after(
            record, f"work {number}", with_fate(heard.fates, number, DEFERRED if is_decided_later else WORKING)
        )
    if fate in (WORKING, DEFERRED):  # it says later that nothing comes of it
        record = heard.record
        exchange.refused(record, id, "No")
        yield heard.after(record, f"give up, refuse {number}", with_fate(heard.fates, number, REFUSED))
    if fate == FAULTED:  # an operator has it handled after all
        record = heard.record
        exchange.refused(record, id, "No")
        yield heard.after(record, f"replay, refuse {number}", with_fate(heard.fates, number, REFUSED))


@cache
def reachable() -> tuple[Heard, ...]:
    found: list[Heard] = []
    seen: set[tuple[tuple[str, ...], bytes]] = set()
    left = [Heard()]
    while left:
        heard = left.pop()
        if (heard.fates, heard.body) in seen:
            continue
        seen.add((heard.fates, heard.body))
        found.append(heard)
        if len(heard.story) < EVENTS_MAX:
            left.extend(next_of(heard))
    return tuple(found)


def test_a_question_counts_as_refused_exactly_when_no_command_of_it_can_have_happened() -> None:
    looked_at = 0
    for heard in reachable():
        looked_at += 1
        none_happened = bool(heard.fates) and all(fate in SETTLED for fate in heard.fates)
        is_refused = heard.record.status == Exchange.REFUSED
        assert is_refused <= none_happened, f"refused too early: {heard.story}"
        if heard.record.status != Exchange.OPEN:
            assert none_happened <= is_refused, f"never settled: {heard.story}"
    assert looked_at > 100


def test_the_last_command_is_open_as_long_as_nothing_is_known_of_it() -> None:
    for heard in reachable():
        if heard.fates and heard.record.status not in (Exchange.REFUSED, Exchange.DONE):
            assert (heard.record.status == Exchange.OPEN) == (heard.fates[-1] == ""), heard.story


def test_every_command_whose_fate_is_not_known_is_remembered() -> None:
    for heard in reachable():
        for number, fate in enumerate(heard.fates):
            if fate in ("", SILENT, WORKING):
                assert exchange.has_sent(heard.record, id_of(number)), heard.story
                assert id_of(number) in exchange.ids(heard.record), heard.story


def test_the_question_is_worked_on_exactly_while_that_is_the_newest_word_about_its_last_command() -> None:
    for heard in reachable():
        if heard.fates and heard.record.status not in (Exchange.REFUSED, Exchange.DONE):
            assert (heard.record.status == Exchange.WORKING) == (heard.fates[-1] == WORKING), heard.story


def test_that_it_is_worked_on_is_news_once_and_a_copy_changes_nothing() -> None:
    looked_at = 0
    for heard in reachable():
        for number, fate in enumerate(heard.fates):
            if fate in (WORKING, DEFERRED):
                looked_at += 1
                record = heard.record
                assert not exchange.working(record, id_of(number), 9.0)
                assert not exchange.faulted(record, id_of(number), "boom")
                assert record == heard.record
                assert id_of(number) not in exchange.unsettled_ids(record)
    assert looked_at > 100


def test_no_budget_counts_commands_that_are_worked_on() -> None:
    record = Exchange()
    for number in range(12):
        exchange.ask(record, id_of(number), 1.0)
        assert exchange.counted(record) == 1
        exchange.working(record, id_of(number), 1.0 + number)
    exchange.ask(record, id_of(12), 1.0)
    exchange.unclear(record, "silence")
    exchange.ask(record, id_of(13), 1.0)
    assert (exchange.counted(record), record.attempts, record.working_since_s) == (2, 14, 1.0)
    assert record.working_ids[0] == id_of(0) and len(record.working_ids) == 8, "of many the first and the latest"
    exchange.refresh(record)
    assert (exchange.counted(record), record.working_since_s) == (0, 0.0)


def test_what_is_worked_on_for_too_long_is_in_doubt_until_it_is_refused() -> None:
    record = Exchange()
    exchange.ask(record, id_of(0), 1.0)
    exchange.working(record, id_of(0), 1.0)
    exchange.unclear(record, "too long")
    assert (record.status, list(record.earlier_ids)) == (Exchange.UNKNOWN, [])
    assert exchange.refused(record, id_of(0), "No") is Refusal.SETTLED


def test_an_answer_settles_the_question_wherever_it_stands() -> None:
    for heard in reachable():
        if heard.fates:
            record = heard.record
            exchange.answered(record, "shop.OrderBilled")
            assert (record.status, record.outcome) == (Exchange.DONE, "shop.OrderBilled")


def test_a_fault_and_a_refusal_are_news_once() -> None:
    record = Exchange()
    exchange.ask(record, id_of(0), 1.0)
    assert exchange.faulted(record, id_of(0), "boom")
    assert not exchange.faulted(record, id_of(0), "boom")
    exchange.ask(record, id_of(1), 2.0)
    exchange.unclear(record, "silence")
    exchange.ask(record, id_of(2), 3.0)
    exchange.unclear(record, "silence")
    assert exchange.refused(record, id_of(2), "No") is Refusal.IN_DOUBT
    assert exchange.refused(record, id_of(2), "No") is Refusal.REPEATED
    assert exchange.refused(record, id_of(1), "No") is Refusal.SETTLED


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_fresh_budget_counts_from_the_beginning(attempts: int) -> None:
    record = Exchange()
    for number in range(attempts):
        exchange.ask(record, id_of(number), float(number))
    assert (record.attempts, record.asked_at_s) == (attempts, attempts - 1)
    exchange.refresh(record)
    exchange.ask(record, id_of(9), 9.0)
    assert record.attempts == 1


def test_ids_are_told_once_each_the_last_one_first() -> None:
    record = Exchange()
    assert exchange.ids(record) == []
    exchange.ask(record, id_of(0), 1.0)
    exchange.unclear(record, "silence")
    assert exchange.ids(record) == [id_of(0)]
    exchange.ask(record, id_of(1), 2.0)
    exchange.faulted(record, id_of(1), "boom")
    exchange.ask(record, id_of(2), 3.0)
    assert exchange.ids(record) == [id_of(2), id_of(0), id_of(1)]
