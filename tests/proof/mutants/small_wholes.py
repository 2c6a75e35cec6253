"""Small sagas of what has tasks within it, or waits for a person: lists, alternatives, children, approvals."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from runtime.saga.approval import Approval
from runtime.saga.child import Child
from runtime.saga.each import Each
from runtime.saga.first_of import FirstOf
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from tests.proof.mutants.small_steps import BUDGET, KEY, PATIENCE_S, alpha, begin, beta, gamma
from tests.proof.programs import programs_pb2 as pb

__all__ = ["WHOLES"]


def _hats(state: pb.FirstState) -> list[str]:
    return ["CAP", "HAT"]


def _change(state: pb.FirstState, hat: str) -> pb.ChangeAlpha:
    return pb.ChangeAlpha(key=hat)


def _restore(state: pb.FirstState, hat: str) -> pb.RestoreAlpha:
    return pb.RestoreAlpha(key=hat)


def _each(**changed: Any) -> Each:
    step = Step(
        _change,
        pb.AlphaChanged,
        pb.AlphaRefused,
        undo=_restore,
        undone=pb.AlphaRestored,
        timeout=PATIENCE_S,
        budget=BUDGET,
    )
    return Each(_hats, step, **changed)


class _Alternatives(Saga[pb.FirstState], kind="alternatives"):
    """The second is asked if the first is refused, or once it is undone."""

    started_by = on(pb.Begun, begin)
    either = FirstOf(alpha=alpha(refused=True), beta=beta(refused=True))
    last = gamma()
    flow = either >> last


class _OneAtATime(Saga[pb.FirstState], kind="one-at-a-time"):
    """A list whose items are done one after another; the next one waits until one that has failed is undone."""

    started_by = on(pb.Begun, begin)
    hats, last = _each(at_once=1, tolerate=1), beta()
    flow = hats >> last


class _OneMayFail(Saga[pb.FirstState], kind="one-may-fail"):
    """A list that does without one item."""

    started_by = on(pb.Begun, begin)
    hats, last = _each(tolerate=1), beta()
    flow = hats >> last


class _OneIsEnough(Saga[pb.FirstState], kind="one-is-enough"):
    """A list of which one item is enough; the other is undone then."""

    started_by = on(pb.Begun, begin)
    hats, last = _each(at_least=1), beta()
    flow = hats >> last


def _what(state: pb.FirstState) -> pb.Place:
    return pb.Place(key=state.key)


def _is_boss(state: pb.FirstState, who: str) -> bool:
    return who == "boss"


def _keep_boss(state: pb.FirstState, who: str) -> None:
    state.kept.append(who)


class _Approved(Saga[pb.FirstState], kind="approved"):
    """A person is asked between two steps."""

    started_by = on(pb.Begun, begin)
    first, last = alpha(), beta()
    boss = Approval(_what, by=_is_boss, within=PATIENCE_S, on_approved=_keep_boss)
    flow = first >> boss >> last


class _ApprovedLate(Saga[pb.FirstState], kind="approved-late"):
    """A person is asked where there is no way back."""

    started_by = on(pb.Begun, begin)
    firm = Step(alpha().do, pb.AlphaChanged, timeout=PATIENCE_S, budget=BUDGET, pivot=True)
    boss = Approval(_what, by=_is_boss, within=PATIENCE_S)
    last = Step(beta().do, pb.BetaChanged, timeout=PATIENCE_S, budget=BUDGET)
    flow = firm >> boss >> last


def _begin_inner(event: pb.Resumed) -> pb.FirstState:
    return pb.FirstState(key=event.key)


class _ChildOfOne(Saga[pb.FirstState], kind="inner"):
    started_by = on(pb.Resumed, _begin_inner)
    only = alpha()
    flow = only


def _start(state: pb.FirstState) -> pb.Resumed:
    return pb.Resumed(key=KEY)


class _Parent(Saga[pb.FirstState], kind="parent"):
    """A child between two steps. Where it cannot be undone, its parent is stuck."""

    started_by = on(pb.Begun, begin)
    first, last = beta(), gamma()
    child = Child(_ChildOfOne, _start, timeout=PATIENCE_S)
    flow = first >> child >> last


WHOLES: Mapping[str, type[Saga[Any]]] = MappingProxyType(
    {
        "alternatives": _Alternatives,
        "a list, one at a time": _OneAtATime,
        "a list that does without one": _OneMayFail,
        "a list of which one is enough": _OneIsEnough,
        "an approval": _Approved,
        "an approval past the pivot": _ApprovedLate,
        "a child": _Parent,
    }
)
"""The sagas by name, in the order in which the explorer tries them."""
