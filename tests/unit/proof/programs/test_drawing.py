"""Programs are drawn so that one seed is one program, every saga makes sense, and features come and go."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from runtime.saga.node import Node
from runtime.testing.virtual.dice import Dice
from tests.proof.programs.drawing import FEATURES, RARE, WORK, draw_program
from tests.proof.programs.external_effects import ExternalEffects
from tests.proof.programs.program import Fate, Program
from tests.proof.programs.sagas import saga_class
from tests.proof.programs.workload import Deployed

SEEDS = 300


def drawn(seed: int) -> Program:
    return draw_program(Dice(seed))


def test_one_seed_is_one_program_and_another_is_another() -> None:
    assert drawn(1) == drawn(1)
    assert len({repr(drawn(seed)) for seed in range(50)}) == 50


def test_each_feature_is_on_in_about_half_of_the_programs_and_the_slow_ones_rarely() -> None:
    on = Counter(feature for seed in range(SEEDS) for feature in drawn(seed).features.names)
    assert not [name for name in (*FEATURES, WORK) if not 0.35 < on[name] / SEEDS < 0.65], on
    assert not [name for name in RARE if not 0 < on[name] / SEEDS < 0.1], on


def test_every_saga_is_accepted_and_many_shapes_come() -> None:
    shapes = Counter[str]()
    for seed in range(SEEDS):
        program = drawn(seed)
        for plan in program.sagas:
            definition = saga_class(program, plan).definition
            shapes["pivot"] += definition.pivot is not None
            shapes["join"] += any(len(step.before) > 1 for step in definition.flow_steps)
            shapes["fork"] += any(len(step.after) > 1 for step in definition.flow_steps)
            shapes["several entries"] += len(definition.entries) > 1
            shapes["several starts"] += len(definition.starts) > 1
            shapes["no undo"] += any(step.undo is None for step in definition.flow_steps)
            shapes["two closings"] += len(definition.closing_steps) > 1
            shapes["deadline"] += definition.deadline_s > 0
            shapes["whatever is in it"] += not definition.starts[0].where
            shapes["reminders"] += bool(definition.reminders)
            shapes["several keys"] += len(definition.keys) > 1
            shapes["key that changes"] += any(one.moved is not None for one in plan.detours.keys)
            shapes["key that is given up"] += any(one.dropped is not None for one in plan.detours.keys)
            shapes["key of several"] += any(one.is_shared for one in plan.detours.keys)
            shapes["started together"] += plan.kind in program.together
            shapes["dotted key"] += "." in definition.starts[0].key
            for node in definition.flow_nodes:
                shapes[type(node).__name__] += 1
    for kind in get_args(Node):
        assert shapes[kind.__name__] > 10, shapes
    assert min(shapes.values()) > 10, shapes


def test_deeds_of_sagas_take_their_time_and_no_others() -> None:
    slow = Counter[str]()
    for seed in range(SEEDS):
        program = drawn(seed)
        for run in program.runs:
            plan = program.saga_of(run)
            steps = 0 if plan is None else len(plan.steps)
            slow["do"] += any(deed.do.works for deed in run.deeds[:steps])
            slow["undo"] += any(deed.undo.works for deed in run.deeds[:steps])
            assert not [deed for deed in run.deeds[steps:] if deed.do.works or deed.undo.works]
        assert not [deed for deed in program.direct if deed.do.works]
    assert min(slow.values()) > 100, slow


def test_steps_past_the_pivot_are_never_refused_and_closings_say_nothing_beside_their_answer() -> None:
    for seed in range(SEEDS):
        program = drawn(seed)
        for run in program.runs:
            plan = program.saga_of(run)
            firm = [] if plan is None else [deed for deed in run.deeds if deed.is_firm]
            assert not [deed for deed in firm if deed.do.fate is Fate.REFUSE]
            closing = [deed for deed in run.deeds if "#closing" in deed.name]
            assert not [deed for deed in closing if deed.do.notes]


def test_what_fails_a_few_times_succeeds_before_it_would_be_parked() -> None:
    for seed in range(SEEDS):
        program = drawn(seed)
        scripts = [script for deed in program.all_deeds() for script in (deed.do, deed.undo)]
        assert all(script.fails_first < program.retries.runs_max for script in scripts)


def test_deeds_are_told_apart_by_their_names_and_a_program_can_be_hosted() -> None:
    for seed in range(50):
        deployed = Deployed(drawn(seed), Dice(seed))
        names = [deed.name for deed in deployed.program.all_deeds()]
        assert len(set(names)) == len(names)
        assert deployed.catalogue.service_names == ("origin", "accounts", "counters", "sagas")


def test_the_next_version_of_a_program_carries_on_what_the_first_has_begun_and_is_another() -> None:
    others = carrying = between = 0
    for seed in range(50):
        deployed = Deployed(drawn(seed), Dice(seed))
        following = deployed.next_catalogue()
        assert following.service_names == deployed.catalogue.service_names
        first, second = deployed.catalogue.sagas, following.sagas
        for old, new in zip(first, second, strict=True):
            assert old.fingerprint in (new.fingerprint, *new.carries)
        carrying += deployed.has_other_steps
        between += any(one.between for one in second)
        others += [one.steps for one in first] != [one.steps for one in second]
        runs = [one.retries.runs_max for one in deployed.catalogue.behaviours]
        assert [one.retries.runs_max for one in following.behaviours] == runs
    assert others == 50
    assert 5 < carrying < 25
    assert between > 3


def test_two_deployments_share_nothing() -> None:
    first, second = Deployed(drawn(1), Dice(1)), Deployed(drawn(1), Dice(1))
    assert isinstance(first.outside, ExternalEffects)
    first.outside.cure("a deed", of_undo=False)
    assert not second.outside.is_cured("a deed", of_undo=False)
