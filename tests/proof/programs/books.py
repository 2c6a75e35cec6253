"""Checks of participants at rest: their sums, their timers, and that every effect belongs to a known deed."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.store.records import ActorRow, Outcome
from runtime.testing.rules.ledger import Violation
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.evidence import Evidence
from tests.proof.programs.program import Program
from tests.proof.programs.vocabulary import ORIGIN, words_of

__all__ = ["check_books"]

_RING = pb.Ring.DESCRIPTOR.full_name
_TICK_S = 1e-6  # A rounding error.
State = pb.ParticipantState | pb.OriginState


def check_books(evidence: Evidence, program: Program) -> Iterator[Violation]:
    """All mistakes in the books of participants and origins."""
    known = {deed.name: deed for deed in program.all_deeds()}
    for name in evidence.twice:
        yield Violation("I2", f"{name} was done at two participants", evidence.conversation(name))
    for name, (entry, row) in evidence.entries.items():
        if name not in known:
            yield Violation(
                "I5", f"{row.kind}/{row.key} has done {name!r}, which nobody could ask for", row.conversation
            )
        elif entry.pending:
            yield Violation("I10", f"{name} still waits for its timer", row.conversation)
    for state, row in evidence.participants.values():
        yield from _check_sum(program, state, row)
        yield from _check_state(evidence, program, state, row)
    for key, origin in evidence.origins.items():
        row = evidence.ledger.actors[ORIGIN, key]
        yield from _check_state(evidence, program, origin, row)


def _check_sum(program: Program, state: pb.ParticipantState, row: ActorRow) -> Iterator[Violation]:
    if not state.opened:
        return
    is_account = words_of(row.kind).is_account
    in_force = sum(entry.amount * (entry.dos - entry.undos) for entry in state.entries)
    expected = program.opening - in_force if is_account else in_force
    if state.on_hand != expected:
        yield Violation("I3", f"{row.kind}/{row.key} has {state.on_hand}, and should have {expected}", row.conversation)


def _check_state(evidence: Evidence, program: Program, state: State, row: ActorRow) -> Iterator[Violation]:
    who = f"{row.kind}/{row.key}"
    for what in state.wrong:
        invariant = "I6" if "undo" in what else "I10"
        yield Violation(invariant, f"{who}: {what}", row.conversation)
    if state.early_s > evidence.ledger.clocks_wrong_s + _TICK_S:
        yield Violation("I10", f"{who}: an alarm rang {state.early_s:.3f} s early", row.conversation)
    if state.alarms and not (_may_lose(program, state) and _was_lost(evidence, row)):
        names = ", ".join(alarm.name for alarm in state.alarms)
        yield Violation("I10", f"{who}: never rang: {names}", row.conversation)
    ended = state.alarms_moved + state.alarms_cancelled + state.alarms_rung + len(state.alarms)
    if ended != state.alarms_set:
        yield Violation(
            "I10", f"{who}: {state.alarms_set} alarms were set, and {ended} are accounted for", row.conversation
        )


def _may_lose(program: Program, state: State) -> bool:
    """Whether the program makes each remaining alarm fail for good."""
    scripts = {deed.name: deed.do for deed in program.all_deeds()}
    most = program.retries.runs_max
    return all(alarm.deed in scripts and scripts[alarm.deed].alarm_fails >= most for alarm in state.alarms)


def _was_lost(evidence: Evidence, row: ActorRow) -> bool:
    """Whether the history says that a timer of this actor was given up."""
    rows = (one for of_one in evidence.ledger.history.values() for one in of_one.values())
    return any(
        one.outcome is Outcome.FAULTED and one.type == _RING and (one.kind, one.key) == row.address for one in rows
    )
