"""Commands of clients that come at once, or while a commit is under way, are handled together and are one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any

from protos.billing_pb2 import BillOrder, BillState
from runtime.durable.behaviour import Outgoing
from runtime.durable.client import CommandOutcome
from runtime.errors import Overloaded, StoreUnavailable
from runtime.failpoints import Failpoint
from runtime.store.groups import TransitionGroup
from runtime.store.records import Expected, MailRow, Transition, Verdict
from tests.unit.durable.link import ChainLink, to
from tests.unit.durable.local import in_virtual_time
from tests.unit.durable.street import SHORT, Street, street

BEGUN, LEFT, POSTED = Failpoint.COMMAND_BEGUN, Failpoint.COMMAND_LEFT, Failpoint.COMMAND_POSTED


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    in_virtual_time(test)


def bill(amount: int, key: str) -> BillOrder:
    return BillOrder(order_id=key, amount_cents=amount)


def keys(count: int) -> list[str]:
    return [f"ORD-{number}" for number in range(count)]


async def ask_all(one: Street, amounts: Iterable[int]) -> list[CommandOutcome]:
    """Ask for a bill of each amount, of an order of its own, all at once."""
    asking = [one.local.client.ask(bill(amount, f"ORD-{at}")) for at, amount in enumerate(amounts)]
    return list(await asyncio.gather(*asking))  # replay: all have come by then


def groups(one: Street) -> list[list[str]]:
    """By group, the actors of the commands that it has begun with."""
    return [[command.key for command in unit.commands] for unit in one.store.units if isinstance(unit, TransitionGroup)]


def test_commands_that_come_at_once_are_one_commit_with_the_actor_that_all_of_them_need() -> None:
    async def scenario() -> None:
        async with street(billing=ChainLink("billing", sends={1: (to("sales", 2),)})) as one:
            outcomes = await ask_all(one, [1] * 5)
            assert groups(one) == [keys(5)]
            assert one.store.turns == [["billing"] * 5 + ["sales"]]
            assert (await one.heard("sales"), one.store.posted) == ("2 2 2 2 2", [])
            assert (one.reached(BEGUN), one.reached(POSTED), one.local.committer.stats.commits) == (1, 0, 1)
            for outcome in outcomes:
                rows = await one.store.conversation(outcome.conversation)
                assert [(row.kind, row.attempts) for row in rows] == [("billing", 1), ("sales", 1)]

    run(scenario)


def test_each_client_that_only_wants_its_command_accepted_is_told() -> None:
    async def scenario() -> None:
        async with street() as one:
            sending = [one.local.client.send(bill(1, key), timeout=1.0) for key in keys(3)]
            assert len({accepted.id for accepted in await asyncio.gather(*sending)}) == 3  # replay: all have come
            assert groups(one) == [keys(3)]

    run(scenario)


def test_commands_that_come_while_a_commit_is_under_way_wait_for_it_and_are_one_commit() -> None:
    async def scenario() -> None:
        async with street() as one:
            commit, held = one.store.commit, asyncio.Event()

            async def slow(batch: Any) -> Any:
                await held.wait()
                return await commit(batch)

            one.store.commit = slow  # type: ignore[method-assign]  # this object alone
            first = asyncio.ensure_future(one.local.client.ask(bill(1, "first")))
            await one.local.sleep(0.1)
            later = asyncio.ensure_future(ask_all(one, [1] * 3))
            await one.local.sleep(0.1)
            assert (one.links["billing"].runs, one.local.committer.waiting) == ([1], 3), "the others wait"
            held.set()
            await asyncio.gather(first, later)  # replay: all have come by then
            assert groups(one) == [["first"], keys(3)]

    run(scenario)


def test_commands_that_come_while_others_are_handled_wait_for_the_commit_of_those() -> None:
    async def scenario() -> None:
        async with street() as one:
            asking = asyncio.ensure_future(ask_all(one, [1] * 2))
            while not one.reached(BEGUN):
                await asyncio.sleep(0)
            await one.local.client.ask(bill(1, "late"))
            await asking
            assert groups(one) == [keys(2), ["late"]]

    run(scenario)


def test_more_commands_than_one_group_may_have_are_several() -> None:
    async def scenario() -> None:
        async with street() as one:
            await ask_all(one, [1] * 100)
            assert [len(commands) for commands in groups(one)] == [64, 36]

    run(scenario)


def test_rows_of_actors_that_are_not_in_memory_are_read_together() -> None:
    """One after the other, 64 reads would take longer than a turn may."""

    async def scenario() -> None:
        sends: dict[int, tuple[Outgoing, ...]] = {at: (to("sales", 9, f"K-{at}"),) for at in range(10)}
        async with street(billing=ChainLink("billing", sends=sends)) as one:
            for times in (1, 2):
                loads = list[int]()
                load = one.store.load

                async def noting(addresses: Any, load: Any = load, loads: list[int] = loads) -> Any:
                    loads.append(len(addresses))
                    return await load(addresses)

                one.store.load = noting  # type: ignore[method-assign]  # this object alone
                await ask_all(one, range(10))
                assert (sum(loads), len(loads) <= 3) == (20, True), loads
                one.store.load = load  # type: ignore[method-assign]
                assert await one.heard("sales", "K-7") == " ".join("9" * times)
                for region in one.local.shards.sweepers.values():
                    for _ in range(3):
                        region.residents.passivate()
                await one.local.sleep(1)

    run(scenario)


def test_after_a_refused_group_no_more_are_handled_before_a_commit_than_else() -> None:
    async def scenario() -> None:
        async with street() as one:
            await one.local.client.ask(bill(1, "ORD-1"))
            await _another_writes(one, "ORD-1")
            await ask_all(one, [3] * 2)
            before = one.local.committer.stats.commits
            await ask_all(one, [4] * 100)
            assert one.local.committer.stats.commits == before + 2
            assert [len(commands) for commands in groups(one)[-65:]] == [1] * 64 + [36]

    run(scenario)


def test_commands_that_are_posted_since_their_actor_is_busy_hold_up_no_others() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        async with street(billing=ChainLink("billing", waits={1: gate})) as one:
            first = asyncio.ensure_future(one.local.client.ask(bill(1, "ORD-0")))
            await one.local.sleep(0.5)
            sending = [asyncio.ensure_future(one.local.client.send(bill(2, "ORD-0"))) for _ in range(65)]
            await asyncio.gather(*sending)  # replay: all have come by then
            gate.set()
            await first

    run(scenario)


def test_what_is_sent_for_later_brings_no_actor_into_memory() -> None:
    async def scenario() -> None:
        async with street() as one:
            later_s = one.local.ports.clock.now_s() + 60
            one.links["billing"].sends[1] = (to("sales", 2, due_at_s=later_s),)
            outcomes = await ask_all(one, [1] * 2)
            assert not one.local.shards.sweepers["sales"].residents.is_here(("sales", "K"))
            for outcome in outcomes:
                [row] = await one.store.mail_of_conversation(outcome.conversation)
                assert row.kind == "sales"

    run(scenario)


def test_a_group_of_commands_has_room_for_what_follows_from_each_of_them() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", sends={1: (to("sales", 2), to("sales", 3))})
        async with street(replace(SHORT, chain_messages_max=2), billing=billing) as one:
            await ask_all(one, [1] * 5)
            assert (one.store.posted, await one.heard("sales")) == ([], "2 3 2 3 2 3 2 3 2 3")

    run(scenario)


def test_what_one_group_has_no_room_for_is_posted() -> None:
    async def scenario() -> None:
        body = bill(1, "ORD-0").SerializeToString()
        async with street(replace(SHORT, turn_bytes_max=3 * len(body))) as one:
            await ask_all(one, [1] * 5)
            assert 0 < one.reached(LEFT) < 5
            assert sorted(one.links["billing"].runs) == [1] * 5

    run(scenario)


def test_a_command_whose_handler_fails_leaves_its_neighbours_where_they_are() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", fails={2: 1}, sends={2: (to("sales", 5),)})
        async with street(billing=billing) as one:
            outcomes = await ask_all(one, [1, 2, 3])
            assert [outcome.fault for outcome in outcomes] == ["", "", ""]
            assert groups(one)[0] == ["ORD-0", "ORD-2"]
            assert (one.reached(LEFT), one.reached(POSTED)) == (1, 1)
            assert (billing.runs, await one.heard("sales")) == ([1, 2, 3, 2], "5")

    run(scenario)


def test_a_second_command_for_the_same_actor_is_posted() -> None:
    async def scenario() -> None:
        async with street() as one:
            both = [one.local.client.ask(bill(amount, "ORD-0")) for amount in (1, 2)]
            await asyncio.gather(*both)  # replay: both have come by then
            assert (groups(one), one.reached(POSTED)) == ([["ORD-0"]], 1)
            assert await one.heard("billing", "ORD-0") == "1 2"

    run(scenario)


async def _another_writes(one: Street, key: str) -> None:
    row = await one.local.row("billing", key)
    other = replace(row, revision=2, last_id=b"o" * 16, state=BillState(reason="other ").SerializeToString())
    foreign = Transition(actor=other, expected=Expected(row.revision, row.last_id))
    assert await one.store.commit([foreign]) == [Verdict.COMMITTED]


def test_commands_of_a_refused_group_are_posted_and_handled_once() -> None:
    """Another node has written in the name of one of the actors."""

    async def scenario() -> None:
        async with street() as one:
            await one.local.client.ask(bill(1, "ORD-1"))
            await _another_writes(one, "ORD-1")
            outcomes = await ask_all(one, [3, 4, 5])
            assert [outcome.fault for outcome in outcomes] == ["", "", ""]
            heard = [await one.heard("billing", key) for key in keys(3)]
            assert heard == ["3", "other 4", "5"]
            assert (one.reached(LEFT), one.reached(POSTED)) == (3, 3)

    run(scenario)


def test_after_a_refused_group_commands_are_groups_of_their_own_and_then_of_more_again() -> None:
    async def scenario() -> None:
        async with street() as one:
            await one.local.client.ask(bill(1, "ORD-1"))
            await _another_writes(one, "ORD-1")
            await ask_all(one, [3] * 2)
            before = len(groups(one))
            for _ in range(3):
                await ask_all(one, [4] * 3)
            assert [len(commands) for commands in groups(one)[before:]] == [1, 1, 1, 3, 3]

    run(scenario)


def test_one_refused_command_alone_makes_no_group_smaller() -> None:
    async def scenario() -> None:
        async with street() as one:
            first = await one.local.client.ask(bill(1, "ORD-1"), message_id=b"\xff" + bytes(15))
            await one.local.client.ask(bill(1, "ORD-1"), message_id=first.id)
            assert one.reached(LEFT) == 1, "the store has refused it, since it came before"
            await ask_all(one, [4] * 3)
            assert groups(one)[-1] == keys(3)

    run(scenario)


def test_everybody_is_told_that_the_store_failed_and_nothing_has_happened() -> None:
    async def scenario() -> None:
        async with street() as one:
            one.store.groups_fail = 1
            asking = [one.local.client.ask(bill(1, key)) for key in keys(3)]
            told = await asyncio.gather(*asking, return_exceptions=True)  # replay: all have come by then
            assert [type(error) for error in told] == [StoreUnavailable] * 3
            await one.local.sleep(5)
            assert [await one.heard("billing", key) for key in keys(3)] == ["", "", ""]
            await ask_all(one, [1] * 3)
            assert groups(one) == [keys(3)]

    run(scenario)


def test_an_actor_whose_shard_is_given_up_meanwhile_leaves_all_of_the_group_to_the_mail() -> None:
    async def scenario() -> None:
        async with street() as one:
            sending = [asyncio.ensure_future(one.local.client.send(bill(1, key))) for key in keys(3)]
            point = one.local.ports.failpoint

            def pointing(reached: Failpoint) -> None:
                point(reached)
                if reached is Failpoint.CHAIN_RETURNED:
                    one.local.shards.on_lease_lost("it ran out")

            object.__setattr__(one.local.ports, "failpoint", pointing)
            await asyncio.gather(*sending)  # replay: all have come by then
            assert [len(await one.local.mail("billing", key)) for key in keys(3)] == [1, 1, 1]
            assert await one.store.load([("billing", key) for key in keys(3)]) == [None] * 3

    run(scenario)


def test_a_command_is_refused_while_as_many_as_allowed_wait_for_a_commit() -> None:
    async def scenario() -> None:
        async with street() as one:
            one.local.committer.waiting_max = 2
            asking = [one.local.client.ask(bill(1, key)) for key in keys(3)]
            told = await asyncio.gather(*asking, return_exceptions=True)  # replay: all have come by then
            assert isinstance(told[2], Overloaded) and "2 commands wait for a commit" in str(told[2])
            assert one.local.committer.waiting == 0
            assert groups(one) == [keys(2)]

    run(scenario)


def test_commands_that_wait_while_a_node_stops_are_refused() -> None:
    async def scenario() -> None:
        async with street() as one:
            mail = one.post.bill(7, conversation=b"elsewhere")
            one.local.committer.submit(Transition(mail=(MailRow.of(mail, one.post.shard),)), lambda _: None)
            asking = [asyncio.ensure_future(one.local.client.ask(bill(1, key))) for key in keys(2)]
            await asyncio.sleep(0)
            await one.local.committer.close()
            told = await asyncio.gather(*asking, return_exceptions=True)  # replay: all have come by then
            assert [type(error) for error in told] == [StoreUnavailable] * 2
            assert [await one.heard("billing", key) for key in keys(2)] == ["", ""]

    run(scenario)
