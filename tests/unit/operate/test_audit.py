"""What operators did, as the history has it: the latest first, with who, why, and what came of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.operate import audit
from runtime.operate.audit import acts_done
from runtime.operate.dead_letters import Act, carry_out, dead_letters, replay
from runtime.protos.durable_pb2 import CausedList, KeptInput
from runtime.protos.saga_pb2 import RepairSaga, RetrySaga
from runtime.store.memory import MemoryStore
from runtime.store.records import HistoryRow, Outcome
from tests.unit.operate.rows import fill, history, join, mail, saga


def act_row(number: int, act: RepairSaga | RetrySaga, *, error: str = "", kept: bool = True) -> HistoryRow:
    caused = CausedList(input=KeptInput(body=act.SerializeToString())) if kept else CausedList()
    return replace(
        history(number, kind="order-process"),
        type=act.DESCRIPTOR.full_name,
        sender="operator/ann",
        handled_at_s=float(number),
        outcome=Outcome.IGNORED if error else Outcome.HANDLED,
        error=error,
        caused=caused.SerializeToString(),
    )


async def test_each_act_says_who_did_it_to_what_and_why(store: MemoryStore) -> None:
    await join(store, "a", kinds=("order-process", "billing"))
    skip = RepairSaga(act=RepairSaga.SKIP, task="bill", who="ann", reason="paid by hand")
    await fill(store, saga(), mail(7, parked="boom"), history(50), act_row(100, skip))
    await fill(store, act_row(300, skip, error="it is at revision 3 and not 2"), act_row(200, skip, kept=False))
    await fill(store, act_row(400, RetrySaga(who="carla", reason="mended")))
    (letter,) = await dead_letters(store, limit=9)
    await carry_out(store, replay(letter, Act("bo", 350.0, "the reader was mended")))
    found, is_all = await acts_done(store, limit=9)
    assert is_all
    assert [(one.at_s, one.who, one.act, one.why, one.is_done) for one in found] == [
        (400.0, "carla", "retry", "mended", True),
        (350.0, "bo", "replay", "", True),
        (300.0, "ann", "skip bill", "paid by hand", False),
        (200.0, "ann", "an act", "", True),
        (100.0, "ann", "skip bill", "paid by hand", True),
    ]
    assert found[2].text == "it is at revision 3 and not 2" and "the reader was mended" in found[1].text
    assert [one.to for one in found[:2]] == ["order-process/ORD-1", "billing/ORD-1"]


async def test_of_very_many_acts_some_are_read_and_that_is_said(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "READ_MAX", 3)
    await join(store, "a", kinds=("order-process",))
    await fill(store, saga(), *(act_row(number, RetrySaga(who="ann", reason="x")) for number in range(100, 104)))
    found, is_all = await acts_done(store, limit=2)
    assert (len(found), is_all) == (2, False)
