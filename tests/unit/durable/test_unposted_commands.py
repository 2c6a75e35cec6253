"""A client's command for an idle actor is handled before it is posted, and committed with what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime.durable.behaviour import Outgoing
from runtime.errors import DeadlineExceeded, InvalidMessage, StoreUnavailable
from runtime.failpoints import Failpoint
from runtime.store.groups import TransitionGroup
from runtime.store.records import Expected, MailRow, Transition, Verdict
from tests.unit.durable.link import ChainLink, to
from tests.unit.durable.local import in_virtual_time
from tests.unit.durable.street import SHORT, Street, street

BILLED = Outgoing(OrderBilled(order_id="ORD-1"))
BEGUN, LEFT, POSTED = Failpoint.COMMAND_BEGUN, Failpoint.COMMAND_LEFT, Failpoint.COMMAND_POSTED


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    in_virtual_time(test)


def bill(amount: int, key: str = "ORD-1") -> BillOrder:
    return BillOrder(order_id=key, amount_cents=amount)


def commands(one: Street) -> list[Any]:
    """The commands that groups have begun with."""
    return [command for unit in one.store.units if isinstance(unit, TransitionGroup) for command in unit.commands]


def test_a_command_is_one_commit_with_all_that_came_of_it_and_is_never_mail() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", sends={1: (BILLED, to("sales", 2))})
        async with street(billing=billing, sales=ChainLink("sales", sends={2: (to("warehouse", 3),)})) as one:
            outcome = await one.local.client.ask(bill(1))
            assert outcome.message == BILLED.message and outcome.fault == ""
            assert one.store.turns == [["billing", "sales", "warehouse"]]
            assert one.local.committer.stats.commits == 1
            assert [command.id for command in commands(one)] == [outcome.id]
            rows = await one.store.conversation(outcome.conversation)
            assert [(row.kind, row.attempts, row.caused != b"") for row in rows] == [
                ("billing", 1, True),
                ("sales", 1, True),
                ("warehouse", 1, False),
            ]
            assert (one.reached(BEGUN), one.reached(Failpoint.COMMAND_COMMITTED), one.reached(POSTED)) == (1, 1, 0)

    run(scenario)


def test_a_command_that_leads_to_nothing_is_one_commit_too_and_is_accepted_once_it_is_handled() -> None:
    async def scenario() -> None:
        async with street() as one:
            accepted = await one.local.client.send(bill(1))
            [handled] = await one.store.handled([(accepted.conversation, accepted.id)])
            assert handled is not None
            assert (one.store.turns, one.local.committer.stats.commits) == ([["billing"]], 1)

    run(scenario)


def test_a_command_whose_kind_may_touch_what_is_outside_is_posted() -> None:
    async def scenario() -> None:
        async with street(billing=ChainLink("billing", runs_in_chains=False)) as one:
            await one.local.client.ask(bill(1))
            assert (one.reached(BEGUN), one.reached(POSTED)) == (0, 1)

    run(scenario)


def test_a_command_is_posted_where_the_setting_turns_chains_off() -> None:
    async def scenario() -> None:
        async with street(replace(SHORT, chain_messages_max=0)) as one:
            await one.local.client.ask(bill(1))
            assert (one.reached(BEGUN), one.reached(POSTED)) == (0, 1)

    run(scenario)


def test_a_command_for_an_actor_of_another_node_is_posted() -> None:
    async def scenario() -> None:
        async with street() as one:
            one.local.shards.sweepers["billing"].ownership.live.clear()
            await one.local.client.send(bill(1))
            assert (one.reached(BEGUN), one.reached(POSTED)) == (0, 1)

    run(scenario)


ID = b"\xff" + bytes(15)


def test_a_command_that_comes_again_under_its_id_is_handled_once_and_has_the_outcome_of_the_first() -> None:
    async def scenario() -> None:
        async with street(billing=ChainLink("billing", sends={1: (BILLED, to("sales", 2))})) as one:
            first = await one.local.client.ask(bill(1), message_id=ID)
            again = await one.local.client.ask(bill(1), message_id=ID)
            assert (first.message, again.message, again.fault) == (BILLED.message, None, "")
            assert (await one.local.client.send(bill(1), message_id=ID)).id == ID
            assert (await one.heard("billing", "ORD-1"), await one.heard("sales")) == ("1", "2")
            assert (one.reached(BEGUN), one.reached(LEFT), one.reached(POSTED)) == (3, 2, 0)

    run(scenario)


def test_a_command_that_waits_under_its_id_is_not_handled_beside_that() -> None:
    """Its mail was posted on another node, and no push has come here yet."""

    async def scenario() -> None:
        async with street(replace(SHORT, sweep_s=3.0)) as one:
            await one.local.sleep(1)
            mail = one.post.bill(1, id=ID, conversation=ID, sender="", sequence=0)
            await one.store.commit([Transition(mail=(MailRow.of(mail, one.post.shard),), check_duplicates=True)])
            assert (await one.local.client.ask(bill(1), message_id=ID)).fault == ""
            assert await one.heard("billing", "ORD-1") == "1"
            assert (commands(one), one.reached(LEFT)) == ([], 1), "the store has refused the group"
            assert await one.local.mail("billing", "ORD-1") == []

    run(scenario)


def test_one_id_for_two_commands_is_refused_though_the_first_was_never_mail() -> None:
    async def scenario() -> None:
        async with street() as one:
            await one.local.client.ask(bill(1), message_id=ID)
            with pytest.raises(InvalidMessage, match="was used for two commands"):
                await one.local.client.ask(bill(1, "ORD-2"), message_id=ID)
            assert await one.heard("billing", "ORD-2") == ""

    run(scenario)


def test_i7_a_command_is_posted_while_mail_of_its_actor_waits() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        billing = ChainLink("billing", waits={1: gate})
        async with street(billing=billing) as one:
            first = asyncio.ensure_future(one.local.client.ask(bill(1)))
            await one.local.sleep(0.5)
            second = asyncio.ensure_future(one.local.client.ask(bill(2)))
            await one.local.sleep(0.5)
            assert billing.runs == [1, 1], "once before it was posted, and now as mail"
            gate.set()
            await asyncio.gather(first, second)  # replay: both have come by then
            assert await one.heard("billing", "ORD-1") == "1 2"
            assert (one.reached(BEGUN), one.reached(LEFT)) == (1, 1)

    run(scenario)


def test_a_handler_that_fails_over_a_command_is_retried_as_over_any_mail() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", fails={1: 2}, sends={1: (to("sales", 2),)})
        async with street(billing=billing) as one:
            outcome = await one.local.client.ask(bill(1))
            assert outcome.fault == ""
            assert billing.runs == [1, 1, 1]
            assert (await one.heard("billing", "ORD-1"), await one.heard("sales")) == ("1", "2")
            [row] = [row for row in await one.store.conversation(outcome.conversation) if row.kind == "billing"]
            assert row.attempts == 2, "the run before the post is not counted"
            assert one.reached(LEFT) == 1

    run(scenario)


def test_what_follows_from_a_command_and_fails_becomes_mail_and_the_command_stays_handled() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", sends={1: (to("sales", 2),)})
        async with street(billing=billing, sales=ChainLink("sales", fails={2: 1})) as one:
            await one.local.client.ask(bill(1))
            assert (one.store.turns, one.store.posted) == ([["billing"]], ["sales"])
            await one.local.sleep(10)
            assert (billing.runs, await one.heard("sales")) == ([1], "2")

    run(scenario)


def test_a_command_that_no_handler_takes_is_posted_and_refused_as_mail() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", accepts=frozenset())
        async with street(billing=billing) as one:
            outcome = await one.local.client.ask(bill(1))
            assert "has no handler" in outcome.fault
            assert one.reached(LEFT) == 1

    run(scenario)


async def _another_writes(one: Street, kind: str, key: str) -> None:
    row = await one.local.row(kind, key)
    other = replace(row, revision=2, last_id=b"o" * 16, state=BillState(reason="other ").SerializeToString())
    foreign = Transition(actor=other, expected=Expected(row.revision, row.last_id))
    assert await one.store.commit([foreign]) == [Verdict.COMMITTED]


@pytest.mark.parametrize(("kind", "key"), [("billing", "ORD-1"), ("sales", "K")])
def test_a_command_whose_group_is_refused_is_posted_and_handled_once(kind: str, key: str) -> None:
    """Another node has written in the name of the actor, or of one of those that followed."""

    async def scenario() -> None:
        billing = ChainLink("billing", sends={1: (to("sales", 2),), 3: (BILLED, to("sales", 4))})
        async with street(billing=billing) as one:
            await one.local.client.ask(bill(1))
            await _another_writes(one, kind, key)
            outcome = await one.local.client.ask(bill(3))
            assert outcome.fault == ""
            await one.local.sleep(5)
            said = {"billing": "1 3", "sales": "2 4"} | {kind: "other 3" if kind == "billing" else "other 4"}
            assert {name: await one.heard(name, at) for name, at in (("billing", "ORD-1"), ("sales", "K"))} == said
            assert (one.reached(BEGUN), one.reached(LEFT)) == (2, 1)

    run(scenario)


def test_a_caller_is_told_that_the_store_failed_and_nothing_has_happened() -> None:
    async def scenario() -> None:
        async with street(billing=ChainLink("billing", sends={1: (to("sales", 2),)})) as one:
            one.store.groups_fail = 1
            with pytest.raises(StoreUnavailable, match="no commit today"):
                await one.local.client.ask(bill(1))
            await one.local.sleep(5)
            assert (await one.heard("billing", "ORD-1"), await one.heard("sales")) == ("", "")
            await one.local.client.ask(bill(1))
            assert (await one.heard("billing", "ORD-1"), await one.heard("sales")) == ("1", "2")

    run(scenario)


@pytest.mark.parametrize("at", [Failpoint.COMMAND_BEGUN, Failpoint.CHAIN_RETURNED])
def test_an_actor_whose_shard_is_given_up_meanwhile_leaves_its_command_to_the_mail(at: Failpoint) -> None:
    async def scenario() -> None:
        async with street() as one:
            sending = asyncio.ensure_future(one.local.client.send(bill(1)))
            point = one.local.ports.failpoint

            def pointing(reached: Failpoint) -> None:
                point(reached)
                if reached is at:
                    one.local.shards.on_lease_lost("it ran out")

            object.__setattr__(one.local.ports, "failpoint", pointing)
            await one.local.sleep(0.5)
            accepted = await sending
            [row] = await one.local.mail("billing", "ORD-1")
            assert row.id == accepted.id
            assert await one.store.load([("billing", "ORD-1")]) == [None]

    run(scenario)


def test_a_node_that_stops_takes_no_command_and_says_so() -> None:
    async def scenario() -> None:
        async with street() as one:
            await one.local.committer.close()
            with pytest.raises(StoreUnavailable, match="this node is stopping"):
                await one.local.client.ask(bill(1))
            assert one.links["billing"].runs == [1], "it has run, and nothing was kept of it"
            assert await one.heard("billing", "ORD-1") == ""

    run(scenario)


def test_a_caller_who_goes_away_takes_nothing_back() -> None:
    async def scenario() -> None:
        async with street(billing=ChainLink("billing", sends={1: (to("sales", 2),)})) as one:
            asking = asyncio.ensure_future(one.local.client.ask(bill(1)))
            while not one.reached(BEGUN):
                await asyncio.sleep(0)
            asking.cancel()
            await one.local.sleep(1)
            assert one.store.turns == [["billing", "sales"]]

    run(scenario)


def test_a_caller_whose_time_is_over_may_ask_again_under_the_same_id_while_the_commit_is_under_way() -> None:
    """On another node the same command was posted. The store lets one of them be handled."""

    async def scenario() -> None:
        async with street() as one:
            commit, held, begun = one.store.commit, asyncio.Event(), list[Any]()

            async def slow(batch: Any) -> Any:
                if isinstance(batch[0], TransitionGroup):
                    begun.extend(batch[0].commands)
                    await held.wait()
                return await commit(batch)

            one.store.commit = slow  # type: ignore[method-assign]  # this object alone
            with pytest.raises(DeadlineExceeded, match="the store did not say within 1 s"):
                await one.local.client.send(bill(1), timeout=1.0)
            [command] = begun
            await commit([Transition(mail=(MailRow.of(command, one.post.shard),), check_duplicates=True)])
            held.set()
            await one.local.sleep(5)
            assert await one.heard("billing", "ORD-1") == "1"
            assert await one.local.mail("billing", "ORD-1") == []
            outcome = await one.local.client.ask(bill(1), message_id=command.id)
            assert (outcome.fault, len(await one.store.conversation(command.id))) == ("", 1)

    run(scenario)


def test_i7_commands_for_one_actor_that_come_one_after_the_other_are_handled_so() -> None:
    async def scenario() -> None:
        async with street() as one:
            sent = [asyncio.ensure_future(one.local.client.send(bill(number))) for number in (1, 2, 3)]
            await asyncio.gather(*sent)  # replay: all have come by then
            await one.local.sleep(1)
            assert await one.heard("billing", "ORD-1") == "1 2 3"
            await one.local.client.send(bill(4))
            assert await one.heard("billing", "ORD-1") == "1 2 3 4"

    run(scenario)


def test_mail_that_comes_while_a_command_is_handled_has_its_turn_after_it() -> None:
    async def scenario() -> None:
        async with street() as one:
            late = one.post.bill(7)
            await one.post.store(late)
            asking = asyncio.ensure_future(one.local.client.ask(bill(1)))
            while not one.reached(BEGUN):
                await asyncio.sleep(0)
            one.local.router.route(late)
            await asking
            await one.local.sleep(1)
            assert await one.heard("billing", "ORD-1") == "1 7"

    run(scenario)
