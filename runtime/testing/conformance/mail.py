"""Conformance: messages. Each waits once, is handled once, and goes when a turn has consumed it."""

from __future__ import annotations

from dataclasses import replace

from runtime.store.records import Outcome, Transition, Verdict
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import EMPTY, SHARD, actor_row, history_row, id_of, mail_row, post, turn

__all__ = ["MailConformance"]


class MailConformance(ConformanceBase):
    async def test_s37_a_message_that_was_handled_is_not_handled_again(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), turn(1))
            [row] = await store.load([("billing", "a")])
            assert await self.one(store, turn(1, start=row, mail=[mail_row(5, "b")])) is Verdict.MAIL_MISSING
            # Even without its mail: what is in the history was handled.
            copy = replace(turn(1, start=row), consumed=())
            assert await self.one(store, copy) is Verdict.MAIL_MISSING

    async def test_s40_one_id_waits_once(self) -> None:
        async with self.store() as store:
            row = mail_row(1)
            assert await self.one(store, post(row)) is Verdict.COMMITTED
            assert await self.one(store, post(row)) is Verdict.DUPLICATE
            assert await self.one(store, post(row, check_duplicates=False)) is Verdict.COMMITTED
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == [row]

    async def test_one_id_of_a_client_waits_at_one_address(self) -> None:
        async with self.store() as store:
            first, second = mail_row(1), mail_row(1, "b")
            for other in (second, mail_row(1, kind="sales"), mail_row(1, shard=SHARD + 1)):
                assert await store.commit([post(first), post(other)]) != [Verdict.COMMITTED, Verdict.COMMITTED]
                assert await self.one(store, post(other)) is Verdict.DUPLICATE
                assert await self.one(store, post(other, check_duplicates=False)) is Verdict.COMMITTED
                assert await store.waiting_for((other.kind, other.key), other.shard, limit=9) in ([], [first])
            told_on = mail_row(1, "b", sequence=1)
            assert await self.one(store, post(told_on)) is Verdict.COMMITTED, "what an actor sends has ids of its own"
            assert await self.one(store, post(mail_row(1, "b", conversation=2))) is Verdict.DUPLICATE, "it waits there"
            assert await self.one(store, post(mail_row(1, "c", conversation=2))) is Verdict.COMMITTED

    async def test_a_copy_of_mail_that_waits_does_not_reset_its_attempts(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1, attempts=4)))
            await self.commit(store, post(mail_row(1), check_duplicates=False))
            [waits] = await store.waiting_for(("billing", "a"), SHARD, limit=9)
            assert waits.attempts == 4

    async def test_an_id_given_twice_in_one_post_waits_once(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1), mail_row(1)))
            assert len(await store.waiting_for(("billing", "a"), SHARD, limit=9)) == 1

    async def test_s41_the_payload_goes_and_the_id_stays(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), turn(1))
            assert await store.mail_of_conversation(id_of(0)) == []
            assert [row.id for row in await store.conversation(id_of(0))] == [id_of(1)]
            assert await self.one(store, post(mail_row(1))) is Verdict.DUPLICATE

    async def test_s69_a_tombstone_refuses_late_copies(self) -> None:
        async with self.store() as store:
            tombstone = Transition(
                actor=actor_row(last=9), expected=EMPTY, history=(history_row(1, outcome=Outcome.UNDONE),)
            )
            await self.commit(store, tombstone)
            assert await self.one(store, post(mail_row(1))) is Verdict.DUPLICATE
            # A sender's turn is not to blame: it commits, and the message that is refused is left out.
            await self.commit(store, post(mail_row(2, "b")), turn(2, "b", mail=[mail_row(1), mail_row(3)]))
            assert [row.id for row in await store.waiting_for(("billing", "a"), SHARD, limit=9)] == [id_of(3)]

    async def test_the_same_id_in_another_conversation_is_another_message(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), turn(1), post(mail_row(1, conversation=5)))
            assert len(await store.waiting_for(("billing", "a"), SHARD, limit=9)) == 1

    async def test_rescheduling_changes_when_and_why_and_nothing_else(self) -> None:
        async with self.store() as store:
            row = mail_row(1, sent_at_s=5.0)
            await self.commit(store, post(row))
            later = replace(row, due_at_s=60.0, attempts=3, parked="boom", parked_at_s=9.0)
            given = replace(later, envelope=b"other", conversation=id_of(8), sent_at_s=77.0, sequence=7)
            await self.commit(store, Transition(address=row.address, shard=SHARD, rescheduled=(given,)))
            assert await store.waiting_for(row.address, SHARD, limit=9) == [later]

    async def test_mail_that_is_not_there_cannot_be_rescheduled(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)))
            both = Transition(address=("billing", "a"), shard=SHARD, rescheduled=(mail_row(1, attempts=1), mail_row(2)))
            assert await self.one(store, both) is Verdict.MAIL_MISSING
            twice = replace(both, rescheduled=(mail_row(1, attempts=1), mail_row(1, attempts=2)))
            assert await self.one(store, twice) is Verdict.MAIL_MISSING
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == [mail_row(1)]

    async def test_a_dead_letter_is_not_consumed_by_a_turn_whatever_else_is_in_it(self) -> None:
        async with self.store() as store:
            parked = mail_row(1, parked="boom")
            await self.commit(store, post(parked), post(mail_row(2)))
            late_copy = turn(1, mail=[mail_row(5, "b")])
            both = replace(turn(2), consumed=(id_of(2), id_of(1)))
            assert [await self.one(store, one) for one in (late_copy, both)] == [Verdict.MAIL_MISSING] * 2
            assert await self.one(store, replace(late_copy, actor=None, expected=None)) is Verdict.MAIL_MISSING
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == [parked, mail_row(2)]
            assert await store.waiting_for(("billing", "b"), SHARD, limit=9) == []
            # Among turns of others it is the only one that is refused.
            batch = [late_copy, turn(2)]
            assert await store.commit(batch) == [Verdict.MAIL_MISSING, Verdict.COMMITTED]

    async def test_a_turn_does_not_set_a_dead_letter_free_and_an_operator_does(self) -> None:
        async with self.store() as store:
            parked = mail_row(1, parked="boom")
            free = mail_row(1, attempts=1)
            await self.commit(store, post(parked))
            retried = replace(turn(1), consumed=(), history=(), rescheduled=(free,))
            parked_again = replace(retried, rescheduled=(mail_row(1, attempts=9, parked="boom again"),))
            assert [await self.one(store, one) for one in (retried, parked_again)] == [Verdict.MAIL_MISSING] * 2
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == [parked]
            replayed = Transition(address=("billing", "a"), shard=SHARD, rescheduled=(free,))
            assert await store.commit([replayed, turn(1)]) == [Verdict.COMMITTED] * 2
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == []

    async def test_what_is_given_up_for_good_goes_be_it_parked_or_not(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1, parked="boom")), post(mail_row(2, attempts=1)), post(mail_row(3)))
            laid_to_rest = replace(turn(3), given_up=(id_of(1), id_of(2)))
            await self.commit(store, laid_to_rest)
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == []
            [row] = await store.load([("billing", "a")])
            again = replace(turn(4, start=row), consumed=(), given_up=(id_of(1),))
            assert await self.one(store, again) is Verdict.MAIL_MISSING
            await self.commit(store, post(mail_row(5)))
            twice = replace(turn(5, start=row), given_up=(id_of(5),))
            assert await self.one(store, twice) is Verdict.MAIL_MISSING

    async def test_mail_is_consumed_once_even_within_one_turn(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)))
            twice = replace(turn(1), consumed=(id_of(1), id_of(1)))
            assert await self.one(store, twice) is Verdict.MAIL_MISSING
            handled_twice = replace(turn(1), history=turn(1).history * 2)
            assert await self.one(store, handled_twice) is Verdict.MAIL_MISSING
            await self.commit(store, turn(1))

    async def test_mail_of_another_actor_cannot_be_consumed(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1, "b")))
            assert await self.one(store, turn(1, "a")) is Verdict.MAIL_MISSING

    async def test_a_lost_race_is_a_conflict_whatever_else_is_wrong(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), turn(1))
            assert await self.one(store, turn(1)) is Verdict.CONFLICT

    async def test_any_text_and_any_bytes_are_kept(self) -> None:
        async with self.store() as store:
            key = "Übergröße\x00/🚚 '\"%" + "x" * 5_000
            every_byte = bytes(range(256)) * 4_000
            row = mail_row(1, key, sequence=2**62, envelope=every_byte)
            await self.commit(store, post(row))
            assert await store.waiting_for(("billing", key), SHARD, limit=9) == [row]
            handled = turn(1, key, state=every_byte)
            await self.commit(store, handled)
            assert await store.load([("billing", key)]) == [handled.actor]
            assert await store.actors_with_key(key) == [handled.actor]
