"""A random program of which something is falsified just before it is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.records import ActorRow
from runtime.testing.rules.ledger import Ledger, Violation
from runtime.testing.runs.run import simulate_seed
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.workload import Deployed, ProgramPlay, RandomPrograms

__all__ = ["Falsify", "check_found_out", "records", "states", "write"]

Falsify = Callable[[ProgramPlay, Ledger], bool]
SEEDS_MAX = 40


class FalsifiedPlay(ProgramPlay):
    """Falsifies the books just before they are looked at."""

    falsify: Falsify
    done = False

    def check(self) -> Iterator[Violation]:
        self.done = self.falsify(self, self._cluster.ledger)
        self._found = None
        yield from super().check()


class Falsified(RandomPrograms):
    def __init__(self, falsify: Falsify) -> None:
        self.falsify = falsify
        self.play: FalsifiedPlay | None = None

    def deploy(self, dice: Dice) -> Deployed:
        outer, deployed = self, super().deploy(dice)

        class Here(Deployed):
            def begin(self, world: World, dice: Dice) -> ProgramPlay:
                play = super().begin(world, dice)
                play.__class__ = FalsifiedPlay
                assert isinstance(play, FalsifiedPlay)
                play.falsify = outer.falsify
                outer.play = play
                return play

        deployed.__class__ = Here
        return deployed


def states(ledger: Ledger) -> Iterator[tuple[pb.ParticipantState, ActorRow]]:
    for kind in ("alpha", "beta", "gamma", "delta"):
        for row in ledger.rows_of(kind):
            yield pb.ParticipantState.FromString(row.state), row


def write(ledger: Ledger, row: ActorRow, state: pb.ParticipantState | SagaRecord | pb.OriginState) -> bool:
    ledger.actors[row.address] = replace(row, state=state.SerializeToString())
    return True


def records(ledger: Ledger, status: SagaRecord.Status.ValueType) -> Iterator[tuple[SagaRecord, ActorRow]]:
    for kind in ("first", "second", "third"):
        for row in ledger.rows_of(kind):
            record = SagaRecord.FromString(row.state)
            if record.definition and record.status == status:
                yield record, row


def check_found_out(falsify: Falsify, invariants: tuple[str, ...]) -> None:
    """Fail unless the first seed with something to falsify breaks one of these invariants."""
    workload = Falsified(falsify)
    for seed in range(SEEDS_MAX):
        result = simulate_seed(seed, workload, calm=True)
        assert workload.play is not None
        if workload.play.done:
            assert {one.invariant for one in result.violations} & {*invariants}, result.violations
            return
    pytest.fail("no seed had anything to falsify")
