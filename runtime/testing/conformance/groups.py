"""Conformance: the members of a group are written together or not at all, in one verdict."""

from __future__ import annotations

from dataclasses import replace

from runtime.envelope import Envelope
from runtime.store.groups import TransitionGroup, Unit
from runtime.store.port import Store
from runtime.store.records import Transition, Verdict
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import SHARD, actor_row, history_row, id_of, mail_row, post, turn

__all__ = ["GroupConformance"]


def led_to(number: int, key: str) -> Transition:
    """The turn of another actor over a message that was never mail."""
    return replace(turn(number, key), consumed=())


def command(number: int, key: str = "a") -> Envelope:
    """What a client has sent."""
    row = mail_row(number, key)
    return Envelope(row.id, row.kind, row.key, "trip.Pay", b"", row.conversation, sent_at_s=row.sent_at_s)


async def keys_there(store: Store, *keys: str) -> list[str]:
    rows = await store.load([("billing", key) for key in keys])
    return [row.key for row in rows if row is not None]


class GroupConformance(ConformanceBase):
    async def test_a_group_is_written_whole_and_its_messages_are_in_the_history_alone(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)))
            await self.commit(store, TransitionGroup((turn(1), led_to(2, "b"), led_to(3, "c"))))
            assert await keys_there(store, "a", "b", "c") == ["a", "b", "c"]
            assert [row.id for row in await store.conversation(id_of(0))] == [id_of(1), id_of(2), id_of(3)]
            assert await store.mail_of_conversation(id_of(0)) == []

    async def test_of_a_group_nothing_is_written_if_one_member_is_not_as_expected(self) -> None:
        async with self.store() as store:
            first = turn(8, "c")
            await self.commit(store, post(mail_row(1)), post(mail_row(8, "c")), first)
            group = TransitionGroup((turn(1), led_to(2, "b"), led_to(3, "c")))
            assert await self.one(store, group) is Verdict.CONFLICT
            assert await keys_there(store, "a", "b") == []
            assert [row.id for row in await store.mail_of_conversation(id_of(0))] == [id_of(1)]

    async def test_of_a_group_nothing_is_written_if_a_tombstone_refuses_one_of_its_messages(self) -> None:
        async with self.store() as store:
            refused = replace(turn(8, "z"), history=(history_row(8, "z"), history_row(2, "b")))
            await self.commit(store, post(mail_row(1)), post(mail_row(8, "z")), refused)
            assert await self.one(store, TransitionGroup((turn(1), led_to(2, "b")))) is Verdict.MAIL_MISSING
            assert await keys_there(store, "a", "b") == []

    async def test_a_group_that_is_refused_spoils_no_neighbour_and_no_neighbour_spoils_it(self) -> None:
        async with self.store() as store:
            await self.commit(store, *(post(mail_row(number, f"k{number}")) for number in range(6)))
            await self.commit(store, turn(5, "k5"))
            batch: list[Unit] = [
                turn(0, "k0"),
                TransitionGroup((turn(1, "k1"), led_to(11, "k11"))),
                turn(9, "k9"),  # It has no mail.
                TransitionGroup((turn(2, "k2"), led_to(12, "k5"))),  # That actor is no longer new.
                TransitionGroup((turn(3, "k3"), led_to(13, "k13"))),
                turn(4, "k4"),
            ]
            ok, conflict = Verdict.COMMITTED, Verdict.CONFLICT
            assert await store.commit(batch) == [ok, ok, Verdict.MAIL_MISSING, conflict, ok, ok]
            there = await keys_there(store, *(f"k{number}" for number in range(15)))
            assert there == ["k0", "k1", "k3", "k4", "k5", "k11", "k13"]

    async def test_two_groups_over_one_actor_are_written_one_after_the_other(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), post(mail_row(2, "b")))
            groups = [TransitionGroup((turn(1), led_to(3, "x"))), TransitionGroup((turn(2, "b"), led_to(4, "x")))]
            assert await store.commit(groups) == [Verdict.COMMITTED, Verdict.CONFLICT]
            assert await keys_there(store, "a", "b", "x") == ["a", "x"]

    async def test_a_group_sends_mail_to_others_and_text_of_any_kind_is_kept(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)))
            told = replace(led_to(2, "b"), mail=(mail_row(5, "z"),), history=(history_row(2, "b", error="\udc80 \0"),))
            await self.commit(store, TransitionGroup((turn(1), told)))
            assert [row.id for row in await store.waiting_for(("billing", "z"), SHARD, limit=9)] == [id_of(5)]
            [row] = await store.handled([(id_of(0), id_of(2))])
            assert row is not None
            assert row.error in ("\udc80 \0", "\\udc80 \\x00")

    async def test_a_group_may_begin_with_a_command_that_was_never_mail(self) -> None:
        """Whoever sends it again is told that it came before, and so is whoever handles it again."""
        async with self.store() as store:
            await self.commit(store, TransitionGroup((led_to(1, "a"), led_to(2, "b")), (command(1),)))
            assert await keys_there(store, "a", "b") == ["a", "b"]
            assert await self.one(store, post(mail_row(1))) is Verdict.DUPLICATE
            again = TransitionGroup((replace(turn(1, start=actor_row("a", last=1)), consumed=()),), (command(1),))
            assert await self.one(store, again) is Verdict.MAIL_MISSING
            assert await self.one(store, TransitionGroup((led_to(1, "c"),), (command(1, "c"),))) is Verdict.MAIL_MISSING
            assert await keys_there(store, "a", "c") == ["a"]
            assert await store.mail_of_conversation(id_of(0)) == []

    async def test_a_command_that_is_posted_in_the_batch_of_its_group_is_a_duplicate_or_was_first(self) -> None:
        async with self.store() as store:
            group = TransitionGroup((led_to(1, "a"),), (command(1),))
            assert await store.commit([group, post(mail_row(1))]) == [Verdict.COMMITTED, Verdict.DUPLICATE]
            assert await store.settle([group]) == [True]

    async def test_a_group_whose_command_waits_as_mail_is_a_duplicate_whomever_that_is_for(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), post(mail_row(2)), post(mail_row(5, "e")))
            batch: list[Unit] = [
                TransitionGroup((led_to(1, "a"),), (command(1),)),
                TransitionGroup((led_to(3, "c"), led_to(4, "d")), (command(3, "c"),)),
                TransitionGroup((led_to(2, "b"),), (command(2, "b"),)),
                turn(5, "e"),
                TransitionGroup((led_to(5, "f"),), (command(5, "f"),)),  # By then it has been handled.
            ]
            ok, duplicate = Verdict.COMMITTED, Verdict.DUPLICATE
            assert await store.commit(batch) == [duplicate, ok, duplicate, ok, Verdict.MAIL_MISSING]
            assert await keys_there(store, "a", "b", "c", "d", "e", "f") == ["c", "d", "e"]
            assert [row.id for row in await store.waiting_for(("billing", "a"), SHARD, limit=9)] == [id_of(1), id_of(2)]

    async def test_a_group_may_begin_with_several_commands_of_which_none_may_wait_as_mail(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(2, "b")))
            members, commands = (led_to(1, "a"), led_to(2, "b"), led_to(3, "c")), (command(1), command(2, "b"))
            assert await self.one(store, TransitionGroup(members, commands)) is Verdict.DUPLICATE
            assert await keys_there(store, "a", "b", "c") == []
            await self.commit(store, TransitionGroup((led_to(1, "a"), led_to(3, "c")), (command(1), command(3, "c"))))
            for one in (mail_row(1), mail_row(3, "c")):
                assert await self.one(store, post(one)) is Verdict.DUPLICATE

    async def test_a_message_of_an_actor_that_has_the_id_of_a_command_is_another(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1, "z", sequence=7)))
            await self.commit(store, TransitionGroup((led_to(1, "a"),), (command(1),)))

    async def test_after_an_unknown_outcome_a_group_is_there_or_it_is_not(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), post(mail_row(2, "b")))
            written = TransitionGroup((turn(1), led_to(3, "c")))
            missing = TransitionGroup((turn(2, "b"), led_to(4, "d")))
            await self.commit(store, written)
            assert await store.settle([missing, written]) == [False, True]
            await self.commit(store, missing)
            assert await store.settle([missing]) == [True]
