"""Small sagas of every shape, in which the explorer looks for planted bugs, one after another.

    step, steps it waits for ──▶ SagaPlan ──▶ a program of one run ──▶ programs.sagas.saga_class

They use the messages of random programs, and mean no business either. A find names its saga by the place in this list,
so a new saga goes to the end of the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from runtime.durable.behaviour import RetryPolicy
from runtime.saga.flow import Flow
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.saga.wait import Wait
from runtime.saga.when import End, When
from tests.proof.mutants.small_steps import BUDGET, KEY, PATIENCE_S, alpha, begin, beta, gamma
from tests.proof.mutants.small_wholes import WHOLES
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.program import Deed, Features, Program, Run, SagaPlan, Script, StepPlan
from tests.proof.programs.sagas import saga_class
from tests.proof.programs.vocabulary import SLOTS

__all__ = ["SMALL_SAGAS", "side_by_side"]

_RUN = "run"  # The explorer sets the field `run` of a starting event to this text.


def _step(
    name: str,
    kind: str,
    before: tuple[int, ...] = (),
    *,
    undo: bool = True,
    pivot: bool = False,
    past: bool = False,
    every_s: float = 0.0,
    when_spent: str = "stuck",
) -> StepPlan:
    return StepPlan(name, kind, before, undo, pivot, past, PATIENCE_S, BUDGET, every_s, when_spent)


def _saga(
    *steps: StepPlan, closing: tuple[str, ...] = (), deadline_s: float = 0.0, needless: tuple[str, ...] = ()
) -> type[Saga[Any]]:
    """A saga of these steps. `needless` names the steps whose undo function returns None."""
    slot = SLOTS[0]
    plan = SagaPlan(
        slot.kind, slot.process, steps, closing, PATIENCE_S, deadline_s, 1, is_conditional=False, key_path=""
    )
    asked = [(step.name, step.kind, step.is_firm) for step in steps]
    asked += [(name, kind, True) for name, kind in zip(plan.closing_names, closing, strict=True)]
    deeds = tuple(
        Deed(f"{_RUN}#{name}", kind, KEY, 1, Script(), Script(), is_firm, undo_needed=name not in needless)
        for name, kind, is_firm in asked
    )
    run = Run(_RUN, plan.kind, plan.process, KEY, deeds, 0, Script())
    return saga_class(Program(Features(()), (plan,), None, (run,), (), 0, RetryPolicy()), plan)


def _ask_first(state: pb.FirstState) -> pb.ChangeAlpha:
    return pb.ChangeAlpha(key=KEY)


def _keep_first(state: pb.FirstState, answer: pb.AlphaChanged) -> None:
    state.kept.append(answer.deed)


def _ask_next(state: pb.FirstState) -> pb.ChangeBeta:
    if not state.kept:
        raise ValueError("what the first step was answered is not known any more")
    return pb.ChangeBeta(key=KEY, deed=state.kept[0])


class _Mindful(Saga[pb.FirstState], kind="mindful"):
    """The command of its second step needs the answer to the first."""

    started_by = on(pb.Begun, begin)
    first = Step(
        do=_ask_first, done=pb.AlphaChanged, on_answer=_keep_first, timeout=PATIENCE_S, pivot=True, budget=BUDGET
    )
    second = Step(do=_ask_next, done=pb.BetaChanged, timeout=PATIENCE_S, budget=BUDGET)
    flow = first >> second


def _always(state: pb.FirstState) -> bool:
    return True


def _never(state: pb.FirstState) -> bool:
    return False


class _TakesThen(Saga[pb.FirstState], kind="takes-then"):
    """A wait, and a choice with two branches, of which the first is taken."""

    started_by = on(pb.Begun, begin)
    first, chosen, other, last = alpha(), beta(), gamma(), alpha()
    rest = Wait(60.0)
    choice = When(_always, then=chosen, otherwise=other)
    flow = first >> rest >> choice >> last


class _TakesOtherwise(Saga[pb.FirstState], kind="takes-otherwise"):
    """A choice that does not hold, and a step that waits for the branch alone."""

    started_by = on(pb.Begun, begin)
    first, chosen, last = alpha(), beta(), gamma()
    choice = When(_never, then=chosen)
    flow = Flow((first, choice, chosen, last), ((first, choice), (choice, chosen), (chosen, last)))


class _EndsEarly(Saga[pb.FirstState], kind="ends-early"):
    """An early end, while a step beside it is under way."""

    started_by = on(pb.Begun, begin)
    first, second = alpha(), beta()
    enough = End()
    choice = When(_always, then=enough)
    flow = (first | choice) >> second


class _Independent(Saga[pb.FirstState], kind="independent", undo="independent"):
    """Its undos do not wait for one that is stuck."""

    started_by = on(pb.Begun, begin)
    first, second, third = alpha(), beta(), gamma()
    flow = first >> second >> third


def side_by_side(branches: int) -> type[Saga[Any]]:
    """Four steps one after another, and after the first two of them this many steps side by side."""
    kinds = ("gamma", "delta", "alpha")
    beside = tuple(_step(f"branch{place}", kinds[place % 3], (1,)) for place in range(branches))
    return _saga(
        _step("first", "alpha"),
        _step("second", "beta", (0,)),
        *beside,
        _step("firm", "beta", tuple(range(2, 2 + branches)), undo=False, pivot=True),
        _step("last", "gamma", (2 + branches,), undo=False, past=True),
        closing=("delta",),
    )


SMALL_SAGAS: Mapping[str, type[Saga[Any]]] = MappingProxyType(
    {
        "firm pivot": _saga(
            _step("first", "alpha"),
            _step("firm", "beta", (0,), undo=False, pivot=True),
            _step("last", "gamma", (1,), undo=False, past=True),
            deadline_s=600.0,
        ),
        "no pivot": _saga(_step("first", "alpha"), _step("second", "beta", (0,)), closing=("gamma",)),
        "two branches": _saga(
            _step("left", "alpha"),
            _step("right", "beta"),
            _step("both", "gamma", (0, 1), undo=False, pivot=True),
        ),
        "two tails": _saga(
            _step("firm", "alpha", undo=False, pivot=True),
            _step("left", "beta", (0,), undo=False, past=True),
            _step("right", "gamma", (0,), undo=False, past=True),
        ),
        "one participant": _saga(_step("first", "alpha"), _step("second", "alpha", (0,)), closing=("alpha",)),
        "needless undo": _saga(
            _step("first", "alpha"),
            _step("second", "beta", (0,)),
            _step("third", "gamma", (1,), pivot=True),
            closing=("delta",),
            needless=("first",),
        ),
        "two farewells": _saga(_step("only", "alpha"), closing=("beta", "gamma")),
        "what was answered": _Mindful,
        "a wait and a choice": _TakesThen,
        "a choice that does not hold": _TakesOtherwise,
        "an early end": _EndsEarly,
        "undos past a stuck one": _Independent,
        "slow": _saga(_step("first", "alpha", every_s=1.0), _step("second", "beta", (0,))),
        "asked for ever, or left out": _saga(
            _step("firm", "alpha", undo=False, pivot=True),
            _step("endless", "beta", (0,), undo=False, past=True, when_spent="retry"),
            _step("needless", "gamma", (0,), undo=False, past=True, when_spent="skip"),
        ),
        **WHOLES,
    }
)
"""The sagas by name, in the order in which the explorer tries them."""
