"""The participants of one program: services for accounts and counters that can be changed and put back.

    Change ──▶ ExternalEffects.meet ──▶ Entry of the deed: applied, with or without answer, refused, or left to a timer
    Restore ─▶ ExternalEffects.meet ──▶ an applied deed is put back; the timer of a late deed is cancelled
    Ring ────▶ the alarm of this serial, and no other

Each keeps books in its state: how often each deed was applied and put back, and which timers it has. A do is applied
each time that its handler runs, even if it was applied before, so that a second run shows.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from runtime.durable.results import Answer
from runtime.durable.service import Service
from runtime.errors import FinalError
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.alarms import Alarmed
from tests.proof.programs.external_effects import ExternalEffects
from tests.proof.programs.program import Deed, Fate, Program
from tests.proof.programs.vocabulary import PARTICIPANTS, Words

__all__ = ["participant_classes"]


class _Participant(Alarmed):
    """The behaviour of all four kinds. A class that is made from it has the message types of one kind."""

    words: Words
    program: Program
    outside: ExternalEffects
    deeds: Mapping[str, Deed]

    state: pb.ParticipantState
    key: str

    async def _change(self, command: Any) -> Any:
        deed = self._deed(command.deed)
        await self.outside.meet(self.message_id, deed.do, deed.name, of_undo=False)
        self._open()
        entry = self._entry(deed)
        if entry.closed:
            self._wrong(f"{deed.name} came after its undo")
        if entry.refused or self._refuses(deed, entry):
            entry.refused = True
            return self.words.refused(key=self.key, deed=deed.name, back_key=self._neighbour(deed, -1))
        if deed.do.works:
            return self._work(deed, entry)
        if entry.pending:
            self._cancel(_work_of(deed))
            entry.pending = False
        elif entry.dos and deed.is_firm:
            return self._changed(deed)  # It was asked again.
        elif deed.do.fate is Fate.LATE:
            entry.pending = True
            self._set(_work_of(deed), deed.do.late_s, deed.name, work=True)
            return None
        asked_before = entry.dos > 0
        self._apply(deed, entry)
        self._act(deed)
        return None if deed.do.fate is Fate.SILENT and not asked_before else self._with_notes(deed, self._changed(deed))

    def _work(self, deed: Deed, entry: pb.Entry) -> Any:
        """The deed is done at once, and the saga is told so when it has asked often enough."""
        if not entry.dos:
            self._apply(deed, entry)
            self._act(deed)
        if entry.works < deed.do.works:
            entry.works += 1
            return self.words.busy(key=self.key, deed=deed.name)
        return self._changed(deed)

    async def _restore(self, command: Any) -> Any:
        deed = self._deed(command.deed)
        await self.outside.meet(self.message_id, deed.undo, deed.name, of_undo=True)
        self._open()
        entry = self._entry(deed)
        entry.closed = True
        if entry.pending:
            self._cancel(_work_of(deed))
            entry.pending = False
        if entry.dos > entry.undos and entry.undo_works < deed.undo.works:
            entry.undo_works += 1
            return self.words.busy(key=self.key, deed=deed.name)
        if entry.dos > entry.undos:
            entry.undos += 1
            self.state.on_hand += self._sign * deed.amount
        return self.words.restored(key=self.key, deed=deed.name, back_key=self._neighbour(deed, -1))

    async def _ring(self, ring: pb.Ring) -> Any:
        deed = self._deed(ring.deed)
        alarm = f"{self.words.kind}/{self.key} {ring.name} {ring.serial}"
        self.outside.ring(self.message_id, alarm, 0 if ring.work else deed.do.alarm_fails, deed.name)
        self._rung(ring)
        if not ring.work:
            return self.words.noted(key=self.key, deed=deed.name)
        entry = self._entry(deed)
        if not entry.pending:
            self._wrong(f"{deed.name} was applied by a timer that nobody waited for")
        entry.pending = False
        self._apply(deed, entry)
        return self._changed(deed)

    # --- books ---

    @property
    def _sign(self) -> int:
        """A deed takes its amount from an account, and adds it to a counter."""
        return 1 if self.words.is_account else -1

    def _open(self) -> None:
        if not self.state.opened:
            self.state.opened = True
            self.state.key = self.key
            self.state.on_hand = self.program.opening if self.words.is_account else 0

    def _entry(self, deed: Deed) -> pb.Entry:
        for entry in self.state.entries:
            if entry.deed == deed.name:
                return entry
        return self.state.entries.add(deed=deed.name, amount=deed.amount)

    def _refuses(self, deed: Deed, entry: pb.Entry) -> bool:
        if deed.is_firm or entry.dos:
            return False
        return deed.do.fate is Fate.REFUSE or (self.words.is_account and self.state.on_hand < deed.amount)

    def _apply(self, deed: Deed, entry: pb.Entry) -> None:
        entry.dos += 1
        self.state.on_hand -= self._sign * deed.amount

    def _act(self, deed: Deed) -> None:
        for act in deed.do.alarms:
            if act.delay_s is None:
                self._cancel(act.name)
            else:
                self._set(act.name, act.delay_s, deed.name)

    # --- answers ---

    def _deed(self, name: str) -> Deed:
        deed = self.deeds.get(name)
        if deed is None or deed.kind != self.words.kind or deed.key != self.key:
            raise FinalError(f"{self.words.kind}/{self.key} knows no deed {name!r}")
        return deed

    def _changed(self, deed: Deed) -> Message:
        ballast, next_key = bytes(deed.do.ballast_bytes), self._neighbour(deed, 1)
        changed: Message = self.words.changed(key=self.key, deed=deed.name, next_key=next_key, ballast=ballast)
        return changed

    def _with_notes(self, deed: Deed, answer: Message) -> Message | Answer[Message, Message]:
        notes = [self.words.noted(key=self.key, deed=deed.name) for _ in range(deed.do.notes)]
        return Answer(answer, events=notes) if notes else answer

    def _neighbour(self, deed: Deed, step: int) -> str:
        """The key of the relay's deed so many steps further; empty if there is none."""
        run, _, name = deed.name.rpartition("#s")
        found = self.deeds.get(f"{run}#s{int(name) + step}") if name.isdigit() else None
        return "" if found is None else found.key


def participant_classes(program: Program, outside: ExternalEffects) -> tuple[type[Service[Any]], ...]:
    """A service for each kind."""
    deeds = {deed.name: deed for deed in program.all_deeds()}
    return tuple(_class_of(words, program, outside, deeds) for words in PARTICIPANTS)


def _class_of(
    words: Words, program: Program, outside: ExternalEffects, deeds: Mapping[str, Deed]
) -> type[Service[Any]]:
    async def change(self: Any, command: Any) -> Any:
        return await self._change(command)

    async def restore(self: Any, command: Any) -> Any:
        return await self._restore(command)

    async def ring(self: Any, command: Any) -> Any:
        return await self._ring(command)

    answers: Any = words.changed | words.refused | words.noted | words.busy
    beside: Any = Answer
    with_notes = beside[words.changed, words.noted]
    change.__annotations__ = {"command": words.change, "return": answers | with_notes | None}
    restore.__annotations__ = {"command": words.restore, "return": words.restored | words.busy}
    ring.__annotations__ = {"command": pb.Ring, "return": words.changed | words.noted}

    def body(namespace: dict[str, Any]) -> None:
        namespace.update(words=words, program=program, outside=outside, deeds=deeds)
        namespace.update(change=change, restore=restore, ring=ring)

    keywords = {"kind": words.kind, "retries": program.retries, "effects": "none"}
    made: type[Service[Any]] = types.new_class(
        words.kind.title(), (_Participant, Service[pb.ParticipantState]), keywords, body
    )
    return made


def _work_of(deed: Deed) -> str:
    return f"work {deed.name}"
