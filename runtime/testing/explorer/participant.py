"""How a participant may handle a command: a small model. The runtime's own guard rules on undos.

    a do      it is carried out: the effect is in place, once however often it is asked   it is answered
              it is refused, unless the effect is in place already                      it is answered
              it is given up on, carried out or not                                     it is parked, with a fault
              its undo came before it                                                   it has no effect and no answer
              it is for a lock, whose actor is of the runtime: never given up           it is answered
    an undo   `runtime/durable/turn/guard.py` rules; if its handler runs:
              the effect is taken back                                                  it is answered
              it is given up on                                                         it is parked, with a fault

A do that its undo overtook may wait already, or may not have come at all. Both are tried.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from runtime.durable.turn import guard
from runtime.durable.turn.guard import Finding, Ruling
from runtime.envelope import Envelope
from runtime.protos import durable_pb2
from runtime.saga.node import Meaning
from runtime.store.port import Store
from runtime.store.records import HistoryRow, MailRow, Outcome
from runtime.testing.explorer.driver import NOW_S, SagaDriver, command_id
from runtime.testing.explorer.world import (
    AGAIN,
    DONE,
    FAILED,
    FAULT,
    GONE,
    NOTHING,
    PARKED,
    UNDONE,
    WAITING,
    SagaWorld,
    SentCommand,
    Truth,
    with_fate,
)

__all__ = ["Cost", "Handled", "Participants"]


Found = TypeVar("Found")


class Cost(NamedTuple):
    """What an outcome costs of the bounds."""

    faults: int = 0
    silences: int = 0
    poisons: int = 0
    workings: int = 0


_FREE, _FAULT, _SILENCE, _POISON = Cost(), Cost(faults=1), Cost(silences=1), Cost(poisons=1)
_WORKING = Cost(workings=1)


class Handled(NamedTuple):
    """One way in which the handling of a command may go."""

    how: str
    truth: Truth  # What is true of its step afterwards.
    answer: int | None  # The number of its answer; None for no answer.
    cost: Cost = _FREE
    removes_do: int = 0  # The number of a do on its way that this undo consumes too.


class Participants:
    """All participants of one saga. Their knowledge is in the world, and not here."""

    def __init__(self, driver: SagaDriver) -> None:
        self._driver = driver
        self._places = driver.places
        self._rulings: dict[tuple[int, bool, bool, tuple[str, ...]], Finding] = {}

    def handle(self, world: SagaWorld, command: SentCommand) -> Iterable[Handled]:
        """Every way in which this command may be handled next. The caller knows which of them the bounds allow."""
        poisoned = (command.step, command.undo) in world.poisoned
        if command.undo:
            yield from self._undo(world, command, poisoned)
        else:
            yield from self._do(world.truths[command.step], command, poisoned)

    def replay(self, world: SagaWorld, command: SentCommand) -> Iterable[Handled]:
        """Every way in which a replayed dead letter may be handled. Its cause is mended."""
        truth = world.truths[command.step]
        if command.undo:
            yield from self._undone(truth, command, truth.dos)
        else:
            yield from self._carried_out(truth, command)

    # --- a do ---

    def _do(self, truth: Truth, command: SentCommand, poisoned: bool) -> Iterable[Handled]:
        if truth.dos[command.attempt - 1] == GONE:
            yield Handled("it comes after its undo and is refused", truth, None)
            return
        if poisoned:
            yield Handled("given up on, as each time", _parked_do(truth, command), FAULT)
            return
        yield from self._carried_out(truth, command)
        if self._places.is_lock(command.step):
            return
        meaning = self._places.meaning[command.step]
        for answer in meaning[Meaning.WORKING]:
            yield Handled("taken on", _with_do(truth, command, answer), answer, _WORKING)
            if truth.effect != DONE:
                yield Handled("taken on, and under way", _effected(truth, command, answer), answer, _WORKING)
        for answer in meaning[Meaning.IGNORED]:
            said = f"says {self._name(answer)}"
            yield Handled(f"not carried out, {said}", _with_do(truth, command, answer), answer, _SILENCE)
            if truth.effect != DONE:
                yield Handled(f"carried out, {said}", _effected(truth, command, answer), answer, _SILENCE)
        yield Handled("given up on", _parked_do(truth, command), FAULT, _FAULT)
        if truth.effect != DONE:
            yield Handled("given up on, although it was carried out", _effected(truth, command, PARKED), FAULT, _FAULT)
        if self._places.ends[command.step]:
            yield Handled("given up on, this time and each time", _parked_do(truth, command), FAULT, _POISON)

    def _carried_out(self, truth: Truth, command: SentCommand) -> Iterable[Handled]:
        meaning = self._places.meaning[command.step]
        for answer in meaning[Meaning.DONE]:
            how = "it was carried out before" if truth.effect == DONE else "carried out"
            yield Handled(how, _effected(truth, command, answer), answer)
        if truth.effect != DONE:
            for answer in meaning[Meaning.REFUSED]:
                yield Handled("refused", _with_do(truth, command, answer), answer)

    # --- an undo ---

    def _undo(self, world: SagaWorld, command: SentCommand, poisoned: bool) -> Iterable[Handled]:
        truth = world.truths[command.step]
        if command.earlier and self._is_settled(truth, command):
            undos = with_fate(truth.undos, command.attempt, NOTHING)
            yield Handled("undone by one before it", truth._replace(undos=undos), NOTHING)
            return
        for has_come in self._may_have_come(truth, command):
            finding = self.finding(truth, command, has_come=has_come)
            ruling = finding.ruling
            dos = truth.dos
            if ruling in _FATES and command.undoes:
                dos = with_fate(dos, command.undoes, _FATES[ruling])
            removes = command.undoes if ruling in (Ruling.NEVER_RAN, Ruling.GIVE_UP_DO) else 0
            if finding.runs:
                yield from self._run_undo(truth, command, dos, removes, poisoned)
            else:
                undos = with_fate(truth.undos, command.attempt, NOTHING)
                yield Handled(_WHY[ruling], truth._replace(dos=dos, undos=undos), NOTHING, _FREE, removes)

    def _run_undo(
        self, truth: Truth, command: SentCommand, dos: tuple[int, ...], removes: int, poisoned: bool
    ) -> Iterable[Handled]:
        parked = truth._replace(dos=dos, undos=with_fate(truth.undos, command.attempt, PARKED))
        if poisoned:
            yield Handled("given up on, as each time", parked, FAULT, _FREE, removes)
            return
        for one in self._undone(truth, command, dos):
            yield one._replace(removes_do=removes)
        if self._places.is_lock(command.step):
            return
        for answer in self._places.undo_working[command.step]:
            undos = with_fate(truth.undos, command.attempt, answer)
            works = truth._replace(dos=dos, undos=undos)
            yield Handled("being taken back", works, answer, _WORKING, removes)
        for answer in self._places.undo_refused[command.step] if truth.effect == DONE else ():
            undos = with_fate(truth.undos, command.attempt, answer)
            waived = self._driver.may_stay(command.step)
            yield Handled(
                "past its pivot", truth._replace(dos=dos, undos=undos, waived=waived), answer, _FAULT, removes
            )
        yield Handled("given up on", parked, FAULT, _FAULT, removes)
        yield Handled("given up on, this time and each time", parked, FAULT, _POISON, removes)

    def _undone(self, truth: Truth, command: SentCommand, dos: tuple[int, ...]) -> Iterable[Handled]:
        for answer in self._places.undone[command.step]:
            undos = with_fate(truth.undos, command.attempt, answer)
            yield Handled("taken back", truth._replace(effect=UNDONE, dos=dos, undos=undos), answer)

    @staticmethod
    def _may_have_come(truth: Truth, command: SentCommand) -> tuple[bool, ...]:
        waits = 0 < command.undoes <= len(truth.dos) and truth.dos[command.undoes - 1] == WAITING
        return (True, False) if waits else (True,)

    def finding(self, truth: Truth, undo: SentCommand, *, has_come: bool) -> Finding:
        """The guard's ruling on an undo, by what is known of its do."""
        known = 0 < undo.undoes <= len(truth.dos) and has_come
        fate = truth.dos[undo.undoes - 1] if known else WAITING
        asked = (fate, known, undo.begun, undo.refusals)
        found = self._rulings.get(asked)
        if found is None:
            facts = cast("Store", _Facts([self._handled(fate)], _waiting(undo, fate) if known else ()))
            envelope = _envelope(undo)
            ruling = _now(guard.rule(facts, envelope, 0, now_s=NOW_S, retention_s=3600.0))
            found = self._rulings[asked] = guard.of_begun(ruling, envelope)
        return found

    def _is_settled(self, truth: Truth, undo: SentCommand) -> bool:
        """Says whether the guard finds an undo among those before this one that leaves nothing to undo."""
        rows = [self._handled(truth.undos[one - 1], undo._replace(attempt=one)) for one in undo.earlier]
        facts = cast("Store", _Facts(rows, ()))
        return bool(_now(guard.rule_earlier(facts, _envelope(undo), 0, ())).done_by)

    def _handled(self, fate: int, command: SentCommand | None = None) -> HistoryRow | None:
        if fate in (WAITING, PARKED):
            return None
        caused = b""
        if fate >= 0:
            answer = durable_pb2.Caused(type=self._places.answers[fate].DESCRIPTOR.full_name)
            caused = durable_pb2.CausedList(caused=[answer]).SerializeToString()
        id = b"" if command is None else command_id(command)
        outcomes = {GONE: Outcome.UNDONE, NOTHING: Outcome.UNDONE, FAILED: Outcome.FAULTED}
        outcome = outcomes.get(fate, Outcome.HANDLED)
        return HistoryRow(b"", id, "", "", 0, 1, NOW_S, outcome, 1, "", "", "", "", b"", NOW_S, caused)

    def _name(self, answer: int) -> str:
        return str(self._places.answers[answer].DESCRIPTOR.name)


_FATES = {Ruling.NEVER_RAN: GONE, Ruling.TOMBSTONE: GONE, Ruling.GIVE_UP_DO: FAILED}
"""What becomes of a do after each ruling on its undo (`guard.refuse_do`)."""

_WHY = {
    Ruling.NOTHING: "nothing to undo",
    Ruling.NEVER_RAN: "its do was not due yet: neither runs",
    Ruling.TOMBSTONE: "its do has not come yet: a tombstone will refuse it",
}


class _Facts:
    """The part of a store that the guard asks."""

    def __init__(self, handled: list[HistoryRow | None], waiting: Sequence[MailRow]) -> None:
        self._history, self._waiting = handled, waiting

    async def handled(self, keys: Sequence[tuple[bytes, bytes]]) -> list[HistoryRow | None]:
        return self._history

    async def mail_of(self, address: tuple[str, str], shard: int, id: bytes) -> MailRow | None:
        return next((row for row in self._waiting if row.id == id), None)


def _now(asking: Coroutine[Any, Any, Found]) -> Found:
    """Runs the guard without an event loop, since these facts never make it wait."""
    try:
        asking.send(None)
    except StopIteration as answer:
        found: Found = answer.value
        return found
    raise AssertionError("the guard waited for something")


def _envelope(undo: SentCommand) -> Envelope:
    do = undo._replace(undo=False, attempt=undo.undoes)
    return Envelope(
        id=command_id(undo),
        kind="participant",
        key="it",
        type="undo",
        body=b"",
        conversation=b"",
        undo_of=command_id(do),
        refusals=undo.refusals,
        earlier_undos=tuple(command_id(undo._replace(attempt=one)) for one in undo.earlier),
        undones=undo.undones,
        begun=undo.begun,
    )


def _waiting(undo: SentCommand, fate: int) -> tuple[MailRow, ...]:
    if fate not in (WAITING, PARKED):
        return ()
    id = command_id(undo._replace(undo=False, attempt=undo.undoes))
    attempts, parked = (12, "the handler failed") if fate == PARKED else (0, "")
    return (MailRow("participant", "it", 0, id, b"", NOW_S, 0, 0.0, attempts, parked, NOW_S, b""),)


def _with_do(truth: Truth, command: SentCommand, fate: int) -> Truth:
    return truth._replace(dos=with_fate(truth.dos, command.attempt, fate))


def _parked_do(truth: Truth, command: SentCommand) -> Truth:
    return _with_do(truth, command, PARKED)


def _effected(truth: Truth, command: SentCommand, fate: int) -> Truth:
    effect = AGAIN if truth.effect in (UNDONE, AGAIN) else DONE
    return truth._replace(effect=effect, dos=with_fate(truth.dos, command.attempt, fate))
