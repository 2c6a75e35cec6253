"""What participants do with one command, by the script of its deed; their books tell when something runs twice."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.durable.behaviour import CancelTimer, RetryPolicy, SetTimer
from runtime.errors import FinalError
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.external_effects import ExternalEffects, HandlerBreaks, Spoiled
from tests.proof.programs.participants import participant_classes
from tests.proof.programs.program import AlarmAct, Deed, Fate, Features, Program, Script


def deed(script: Script, undo: Script | None = None, *, amount: int = 3, is_firm: bool = False) -> Deed:
    return Deed("run#s0", "alpha", "one", amount, script, undo or Script(), is_firm)


class DeedAccount:
    """One account with 10 on hand, and one deed it knows."""

    def __init__(self, one: Deed) -> None:
        self.outside = ExternalEffects()
        program = Program(Features(()), (), None, (), (one,), 10, RetryPolicy())
        self._class: Any = participant_classes(program, self.outside)[0]
        self.state = pb.ParticipantState()
        self.timers: list[SetTimer | CancelTimer] = []
        self._ids = 0

    def _actor(self, id: bytes) -> Any:
        self._ids += 1
        return self._class.of(self.state, key="one", now_s=100.0, message_id=id or self._ids.to_bytes(16, "big"))

    async def change(self, id: bytes = b"") -> Any:
        actor = self._actor(id)
        answer = await actor.change(pb.ChangeAlpha(key="one", deed="run#s0", amount=3))
        self.timers.extend(actor.timer_changes)
        return answer

    async def restore(self, id: bytes = b"") -> Any:
        actor = self._actor(id)
        answer = await actor.restore(pb.RestoreAlpha(key="one", deed="run#s0"))
        self.timers.extend(actor.timer_changes)
        return answer

    async def ring(self, timer: SetTimer | CancelTimer) -> Any:
        assert isinstance(timer, SetTimer)
        actor = self._actor(b"")
        actor.now_s = timer.due_at_s
        return await actor.ring(timer.message)

    @property
    def entry(self) -> pb.Entry:
        (entry,) = self.state.entries
        return entry


async def test_a_change_is_applied_and_put_back() -> None:
    account = DeedAccount(deed(Script(notes=2)))
    said = await account.change()
    assert isinstance(said.answer, pb.AlphaChanged)
    assert [type(one) for one in said.events] == [pb.AlphaNoted, pb.AlphaNoted]
    assert (account.state.on_hand, account.entry.dos) == (7, 1)
    assert isinstance(await account.restore(), pb.AlphaRestored)
    await account.restore()
    assert (account.state.on_hand, account.entry.dos, account.entry.undos) == (10, 1, 1)


async def test_a_change_that_runs_twice_shows_and_so_does_one_after_its_undo() -> None:
    account = DeedAccount(deed(Script()))
    await account.change()
    await account.change()
    assert (account.entry.dos, account.state.on_hand) == (2, 4)
    await account.restore()
    await account.change()
    assert list(account.state.wrong) == ["run#s0 came after its undo"]


async def test_one_that_may_be_asked_again_answers_alike_and_runs_once() -> None:
    account = DeedAccount(deed(Script(Fate.SILENT), is_firm=True))
    assert await account.change() is None
    assert isinstance(await account.change(), pb.AlphaChanged)
    assert account.entry.dos == 1


async def test_a_refusal_is_remembered_also_when_there_would_be_enough_by_then() -> None:
    account = DeedAccount(deed(Script(), amount=11))
    assert isinstance(await account.change(), pb.AlphaRefused)
    account.state.on_hand = 100
    assert isinstance(await account.change(), pb.AlphaRefused)
    assert account.entry.dos == 0


async def test_late_work_is_done_by_its_timer_or_by_who_asks_before_and_not_after_an_undo() -> None:
    account = DeedAccount(deed(Script(Fate.LATE, late_s=5.0)))
    assert await account.change() is None
    assert account.entry.dos == 0
    assert isinstance(await account.ring(account.timers[0]), pb.AlphaChanged)
    assert (account.entry.dos, account.entry.pending, account.state.alarms_rung) == (1, False, 1)

    hurried = DeedAccount(deed(Script(Fate.LATE, late_s=5.0), is_firm=True))
    await hurried.change()
    await hurried.change()
    assert (hurried.entry.dos, hurried.state.alarms_cancelled) == (1, 1)

    undone = DeedAccount(deed(Script(Fate.LATE, late_s=5.0)))
    await undone.change()
    await undone.restore()
    assert [type(one) for one in undone.timers] == [SetTimer, CancelTimer]
    await undone.ring(undone.timers[0])
    assert any("does not stand" in what for what in undone.state.wrong)


async def test_alarms_are_set_moved_and_cancelled_and_each_is_accounted_for() -> None:
    acts = (AlarmAct("t0", 1.0), AlarmAct("t0", 2.0), AlarmAct("t1", 3.0), AlarmAct("t1", None), AlarmAct("t2", None))
    account = DeedAccount(deed(Script(alarms=acts)))
    await account.change()
    state = account.state
    assert [(one.name, one.due_at_s) for one in state.alarms] == [("t0", 102.0)]
    assert (state.alarms_set, state.alarms_moved, state.alarms_cancelled) == (3, 1, 1)
    await account.ring(account.timers[1])
    assert (len(state.alarms), state.alarms_rung, list(state.wrong)) == (0, 1, [])
    await account.ring(account.timers[0])
    assert len(state.wrong) == 1, "what was moved has rung"


async def test_what_fails_at_first_is_told_apart_by_the_id_of_the_message() -> None:
    account = DeedAccount(deed(Script(fails_first=2)))
    for _ in range(2):
        with pytest.raises(HandlerBreaks):
            await account.change(b"a" * 16)
    await account.change(b"a" * 16)
    with pytest.raises(HandlerBreaks):
        await account.change(b"b" * 16)


async def test_what_is_poisoned_fails_until_it_is_cured() -> None:
    account = DeedAccount(deed(Script(Fate.FINAL), Script(Fate.POISON)))
    with pytest.raises(Spoiled):
        await account.change()
    with pytest.raises(HandlerBreaks):
        await account.restore()
    account.outside.cure("run#s0", of_undo=False)
    await account.change()
    with pytest.raises(HandlerBreaks):
        await account.restore()


async def test_a_deed_that_no_program_has_is_refused_for_good() -> None:
    account = DeedAccount(deed(Script()))
    with pytest.raises(FinalError, match="knows no deed"):
        await account._actor(b"").change(pb.ChangeAlpha(key="one", deed="another"))
