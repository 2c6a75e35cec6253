"""Dead letters are run again or given up, once, and the history keeps who did it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.errors import CommitUnknown, InvalidMessage, StoreUnavailable
from runtime.observe.conversation import MessageStatus, read_conversation
from runtime.operate.dead_letters import Act, NotFound, NotParked, carry_out, dead_letters, discard, find, replay
from runtime.store.groups import Unit
from runtime.store.memory import MemoryStore
from runtime.store.port import Store
from runtime.store.records import Outcome, Transition, Verdict
from runtime.store.sqlite import SqliteStore
from tests.unit.operate.rows import TALK, fill, history, id_of, mail

ACT = Act("ann", 500.0, "card was fixed")


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """The two acts are transitions of a shape of their own, so each store has to take them."""
    ports = system_ports()
    store: Store = MemoryStore(ports) if request.param == "memory" else SqliteStore(tmp_path / "a.db", ports)
    await store.open()
    yield store
    await store.close()


async def parked(store: Store) -> Store:
    return await fill(store, history(1, caused=(2,)), mail(2, attempts=12, parked="ValueError: no"), mail(3))


async def test_only_parked_mail_is_listed(store: Store) -> None:
    (letter,) = await dead_letters(await parked(store), limit=10)
    assert (letter.row.id, letter.type, letter.sender) == (id_of(2), "shop.BillOrder", "sales/ORD-1")


async def test_dead_letters_of_one_id_are_named_by_kind_and_key(store: Store) -> None:
    await fill(store, *(mail(2, kind=kind, parked="boom") for kind in ("billing", "sales")))
    with pytest.raises(InvalidMessage, match="for billing/ORD-1 and sales/ORD-1: choose one by its kind and key"):
        await find(store, id_of(2).hex())


async def test_s60_replay_from_dead_letter(store: Store) -> None:
    await parked(store)
    await carry_out(store, replay(await find(store, id_of(2).hex()), ACT))
    again = (await store.waiting("billing", [3], due_before_s=0.0, sent_before_s=1e12, limit=10))[0]
    assert (again.id, again.parked, again.due_at_s) == (id_of(2), "", 0.0)
    assert await dead_letters(store, limit=10) == []


async def test_a_replayed_message_still_counts_as_tried(store: Store) -> None:
    """An undo that meets it in the mail must not take it for one that never ran."""
    await parked(store)
    await carry_out(store, replay(await find(store, id_of(2).hex()), ACT))
    rows = await store.waiting_for(("billing", "ORD-1"), 3, limit=10)
    assert [row.attempts for row in rows] == [1, 0]


async def test_who_replayed_when_and_why_is_kept_before_the_message_itself(store: Store) -> None:
    await parked(store)
    await carry_out(store, replay(await find(store, id_of(2).hex()), ACT))
    told = (await read_conversation(store, TALK)).messages
    assert [(message.type, message.status) for message in told] == [
        ("shop.PlaceOrder", MessageStatus.HANDLED),
        ("replayed", MessageStatus.IGNORED),
        ("shop.BillOrder", MessageStatus.RETRYING),
        ("shop.BillOrder", MessageStatus.WAITING),
    ]
    act = told[1]
    assert (act.sender, act.handled_at_s, act.attempts) == ("operator/ann", 500.0, 12)
    assert act.note == f"replayed {id_of(2).hex()} by ann: card was fixed (it was parked: ValueError: no)"


async def test_a_dead_letter_is_replayed_once(store: Store) -> None:
    letter = await find(await parked(store), id_of(2).hex())
    await carry_out(store, discard(letter, ACT))
    with pytest.raises(NotParked, match="no longer parked"):
        await carry_out(store, replay(letter, ACT))


async def test_a_discarded_message_never_comes_back(store: Store) -> None:
    letter = await find(await parked(store), id_of(2).hex())
    await carry_out(store, discard(letter, ACT))
    await store.commit([Transition(mail=(mail(2),))])  # a stray copy
    assert [row.id for row in await store.waiting_for(("billing", "ORD-1"), 3, limit=10)] == [id_of(3)]
    (row,) = await store.handled([(TALK, id_of(2))])
    assert row is not None
    assert (row.outcome, row.type, row.sender, row.cause) == (
        Outcome.IGNORED,
        "shop.BillOrder",
        "sales/ORD-1",
        id_of(1),
    )
    assert row.error.startswith(f"discarded {id_of(2).hex()} by ann: card was fixed")


async def test_the_first_digits_of_an_id_are_enough(store: Store) -> None:
    await fill(store, mail(2, parked="a"), mail(0x10 << 120, parked="b"))
    assert (await find(store, "10")).row.parked == "b"


@pytest.mark.parametrize("text", ["", "xyz", "0x12", "12 34"])
async def test_what_is_no_id_is_refused(store: Store, text: str) -> None:
    with pytest.raises(InvalidMessage, match="no id of a message"):
        await find(store, text)


async def test_an_unknown_id_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="begins with ab"):
        await find(await parked(store), "AB")


async def test_an_ambiguous_id_names_those_it_may_be(store: Store) -> None:
    await fill(store, mail(2, parked="a"), mail(3, parked="b"))
    with pytest.raises(InvalidMessage, match=r"2 dead letters .* give more digits"):
        await find(store, "00")


async def test_undecodable_mail_can_be_listed_and_discarded(store: Store) -> None:
    broken = replace(mail(2, parked="undecodable"), envelope=b"\xff")
    letter = await find(await fill(store, broken), id_of(2).hex())
    assert (letter.type, letter.sender) == ("", "")
    await carry_out(store, discard(letter, ACT))
    assert await dead_letters(store, limit=10) == []


class Doubtful(MemoryStore):
    """Its commits end in an error that does not tell whether they happened."""

    applies = True

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if self.applies:
            await super().commit(batch)
        raise CommitUnknown("the connection broke at COMMIT")


@pytest.mark.parametrize("applies", [True, False])
async def test_an_unknown_commit_is_settled_before_anything_is_said(applies: bool) -> None:
    letter = await find(await parked(MemoryStore(system_ports())), id_of(2).hex())
    doubtful = Doubtful(system_ports())
    await MemoryStore.commit(doubtful, [Transition(mail=(letter.row,))])
    doubtful.applies = applies
    if applies:
        await carry_out(doubtful, discard(letter, ACT))
    else:
        with pytest.raises(StoreUnavailable, match="nothing was done"):
            await carry_out(doubtful, discard(letter, ACT))
