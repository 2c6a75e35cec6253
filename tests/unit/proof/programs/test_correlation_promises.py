"""What is checked of keys, of starts together and of instances carried over can fail: each is falsified once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from runtime.durable.caused import came_of
from runtime.protos.saga_pb2 import HoldKey, KeyHeld, KeyRecord, KeyTaken, SagaRecord
from runtime.saga.node import full_name
from runtime.store.records import ActorRow, HistoryRow
from runtime.testing.rules.ledger import Ledger
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.vocabulary import SLOTS
from tests.proof.programs.workload import ProgramPlay
from tests.unit.proof.programs.falsified import Falsify, check_found_out, records, write


def starts_of_followers(play: ProgramPlay, ledger: Ledger) -> Iterator[bytes]:
    names = {run.name for run in play._program.runs if run.leader}
    for id, sent in ledger._sent.items():
        of_run = f"{sent.row.kind}|{sent.row.key}"
        if of_run in names and sent.envelope is not None and sent.envelope.type == full_name(pb.Begun):
            yield id


def a_start_of_which_one_process_was_not_told(play: ProgramPlay, ledger: Ledger) -> bool:
    for id in starts_of_followers(play, ledger):
        del ledger._sent[id]
        return True
    return False


def two_processes_in_one_conversation(play: ProgramPlay, ledger: Ledger) -> bool:
    for id in starts_of_followers(play, ledger):
        sent = ledger._sent[id]
        envelope = sent.envelope
        assert envelope is not None
        beside = [one.envelope for one in ledger._sent.values() if one.envelope is not None]
        other = next(one for one in beside if one.cause == envelope.cause and one.id != id)
        ledger._sent[id] = replace(sent, envelope=replace(envelope, conversation=other.conversation))
        return True
    return False


def carried(ledger: Ledger) -> Iterator[tuple[SagaRecord, ActorRow]]:
    for slot in SLOTS:
        for row in ledger.rows_of(slot.kind):
            record = SagaRecord.FromString(row.state)
            if record.earlier_fingerprints:
                yield record, row


def a_state_that_was_not_carried_over(play: ProgramPlay, ledger: Ledger) -> bool:
    for record, row in carried(ledger):
        state = pb.FirstState.FromString(record.state)  # The states of all sagas have the same fields.
        state.generation = 0
        record.state = state.SerializeToString()
        return write(ledger, row, record)
    return False


def a_version_that_nobody_knows(play: ProgramPlay, ledger: Ledger) -> bool:
    for record, row in carried(ledger):
        record.earlier_fingerprints[0] = bytes(16)
        return write(ledger, row, record)
    return False


def holds(ledger: Ledger) -> Iterator[HistoryRow]:
    for rows in ledger.history.values():
        for row in rows.values():
            if row.type == full_name(HoldKey):
                yield row


def a_key_that_an_ended_saga_keeps(play: ProgramPlay, ledger: Ledger) -> bool:
    kinds = [plan.kind for plan in play._program.sagas if plan.detours.keys]
    for record, row in records(ledger, SagaRecord.COMPLETED):
        if row.kind in kinds:
            record.keys.add(name="hint", value="hint 0")
            return write(ledger, row, record)
    return False


def a_key_whose_actor_was_not_told_of_the_end(play: ProgramPlay, ledger: Ledger) -> bool:
    for row in holds(ledger):
        actor = next(one for one in ledger.rows_of(row.kind) if one.key == row.key)
        state = KeyRecord.FromString(actor.state)
        state.events[0].held_by = "first/nobody"
        ledger.actors[actor.address] = replace(actor, state=state.SerializeToString())
        return True
    return False


def a_refusal_of_a_free_key(play: ProgramPlay, ledger: Ledger) -> bool:
    for row in holds(ledger):
        caused = came_of(row)
        granted = [one for one in caused.caused if one.type == full_name(KeyHeld)]
        if granted:
            granted[0].type = full_name(KeyTaken)
            ledger.history[row.conversation][row.id] = replace(row, caused=caused.SerializeToString())
            return True
    return False


def a_key_that_was_never_asked_for(play: ProgramPlay, ledger: Ledger) -> bool:
    asked = [row.id for row in holds(ledger)]
    heard = any(pb.FirstState.FromString(one.state).heard for one, _ in records(ledger, SagaRecord.COMPLETED))
    for id in asked if heard else ():
        ledger._sent.pop(id, None)
    return heard


def an_event_that_a_saga_forgot(play: ProgramPlay, ledger: Ledger) -> bool:
    for record, row in records(ledger, SagaRecord.COMPLETED):
        state = pb.FirstState.FromString(record.state)
        if state.heard:
            del state.heard[:]
            record.state = state.SerializeToString()
            return write(ledger, row, record)
    return False


@pytest.mark.parametrize(
    ("falsify", "invariants"),
    [
        (a_start_of_which_one_process_was_not_told, ("I1",)),
        (two_processes_in_one_conversation, ("I5",)),
        (a_state_that_was_not_carried_over, ("I5",)),
        (a_version_that_nobody_knows, ("I5",)),
        (a_key_that_an_ended_saga_keeps, ("I5",)),
        (a_key_whose_actor_was_not_told_of_the_end, ("I5",)),
        (a_refusal_of_a_free_key, ("I2",)),
        (a_key_that_was_never_asked_for, ("I5",)),
        (an_event_that_a_saga_forgot, ("I5",)),
    ],
)
def test_what_was_falsified_is_found_out(falsify: Falsify, invariants: tuple[str, ...]) -> None:
    check_found_out(falsify, invariants)
