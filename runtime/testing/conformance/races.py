"""Conformance: two nodes that write about the same messages at the same instant.

A statement of a server may look at rows as they were before another one committed. What is refused after that commit
must be refused as well while it is under way.
"""

from __future__ import annotations

import asyncio

from runtime.store.records import Transition, Verdict
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import SHARD, id_of, mail_row, post, turn

__all__ = ["RaceConformance"]

_ROUNDS = 10
_MESSAGES = 20  # in each round, for an actor each


class RaceConformance(ConformanceBase):
    async def test_a_late_copy_that_comes_while_its_original_is_handled_does_not_wait(self) -> None:
        async with self.stores(2) as (store, other):
            for numbers in _rounds():
                await self.commit(store, *(post(mail_row(number, _key(number))) for number in numbers))
                copies = [post(mail_row(number, _key(number)), check_duplicates=False) for number in numbers]
                await asyncio.gather(  # replay: real stores race here
                    self.commit(store, *(turn(number, _key(number)) for number in numbers)),
                    self.commit(other, *reversed(copies)),
                )
                for number in numbers:
                    assert await store.waiting_for(("billing", _key(number)), SHARD, limit=9) == []

    async def test_a_command_that_is_given_again_while_it_is_handled_is_a_duplicate(self) -> None:
        async with self.stores(2) as (store, other):
            for numbers in _rounds():
                commands = [post(mail_row(number, _key(number))) for number in numbers]
                await self.commit(store, *commands)
                _, verdicts = await asyncio.gather(  # replay: real stores race here
                    self.commit(store, *(turn(number, _key(number)) for number in numbers)), other.commit(commands)
                )
                assert verdicts == [Verdict.DUPLICATE] * len(numbers)

    async def test_of_two_who_post_one_id_one_is_told_that_it_was_first(self) -> None:
        async with self.stores(2) as (store, other):
            for numbers in _rounds():
                commands = [post(mail_row(number, _key(number))) for number in numbers]
                answers = await asyncio.gather(  # replay: real stores race here
                    store.commit(commands), other.commit(commands[::-1])
                )
                for one, another in zip(answers[0], answers[1][::-1], strict=True):
                    assert {one, another} == {Verdict.COMMITTED, Verdict.DUPLICATE}

    async def test_of_a_turn_and_a_discard_one_is_whole_and_the_other_leaves_nothing(self) -> None:
        async with self.stores(2) as (store, other):
            for numbers in _rounds():
                await self.commit(store, *(post(mail_row(number, _key(number))) for number in numbers))
                turns = [
                    turn(number, _key(number), mail=[mail_row(1_000 + number, kind="sales")]) for number in numbers
                ]
                answers = await asyncio.gather(  # replay: real stores race here
                    store.commit(turns), other.commit([_discard(number) for number in numbers[::-1]])
                )
                for number, turned, discarded in zip(numbers, answers[0], answers[1][::-1], strict=True):
                    assert {turned, discarded} == {Verdict.COMMITTED, Verdict.MAIL_MISSING}
                    [row] = await store.load([("billing", _key(number))])
                    [handled] = await store.handled([(id_of(0), id_of(number))])
                    sent = await store.mail_of(("sales", "a"), SHARD, id_of(1_000 + number))
                    there = turned is Verdict.COMMITTED
                    assert [row is not None, handled is not None, sent is not None] == [there, there, there]

    async def test_of_two_who_take_the_same_turns_in_another_order_each_is_won_by_one(self) -> None:
        async with self.stores(2) as (store, other):
            for numbers in _rounds():
                await self.commit(store, *(post(mail_row(number, _key(number))) for number in numbers))
                turns = [turn(number, _key(number)) for number in numbers]
                answers = await asyncio.gather(  # replay: real stores race here
                    store.commit(turns), other.commit(turns[::-1])
                )
                for one, another in zip(answers[0], answers[1][::-1], strict=True):
                    assert {one, another} == {Verdict.COMMITTED, Verdict.CONFLICT}

    async def test_of_two_nodes_that_disagree_about_a_kind_one_is_kept_whole_and_both_are_told_so(self) -> None:
        async with self.stores(2) as (store, other):
            for numbers in _rounds():
                first, again, last = (f"{letter}{numbers.start}" for letter in "amz")
                mine = {first: first, again: first}  # again is what first is called now
                theirs = {again: again, last: last}  # again is a kind of its own
                answers = await asyncio.gather(  # replay: real stores race here
                    store.keep_kind_names(mine), other.keep_kind_names(theirs)
                )
                told = [{name: one[name] for name in (first, again, last) if name in one} for one in answers]
                assert told[0] == told[1] and told[0] in (mine, theirs)

    async def test_two_nodes_that_agree_about_a_kind_keep_all_that_each_of_them_tells(self) -> None:
        async with self.stores(2) as (store, other):
            for numbers in _rounds():
                first, again, last = (f"{letter}{numbers.start}" for letter in "amz")
                mine, theirs = {first: first, again: first}, {last: first, again: first, first: first}
                await asyncio.gather(store.keep_kind_names(mine), other.keep_kind_names(theirs))  # replay: they race
                kept = await store.keep_kind_names({})
                assert mine.items() | theirs.items() <= kept.items()


def _rounds() -> list[range]:
    return [range(first, first + _MESSAGES) for first in range(1, _ROUNDS * _MESSAGES, _MESSAGES)]


def _key(number: int) -> str:
    return f"k{number}"


def _discard(number: int) -> Transition:
    return Transition(address=("billing", _key(number)), shard=SHARD, given_up=(id_of(number),))
