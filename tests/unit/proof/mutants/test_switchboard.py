"""Planting a bug: it is there for everyone, it goes again, and it cannot be planted where it no longer fits."""

from __future__ import annotations

import inspect
from importlib import import_module
from operator import attrgetter
from types import FunctionType

import pytest

from runtime.adapters import SystemClock
from runtime.cluster.lease import Lease
from runtime.durable.residence.admission import Throttle
from runtime.durable.turn import guard
from runtime.envelope import message_id
from tests.proof.mutants.claims import BUGS
from tests.proof.mutants.mutant import Edit, Mutant, Target
from tests.proof.mutants.switchboard import MutantRotten, planted


def mutant(target: Target, old: str, new: str) -> Mutant:
    return Mutant("planted-here", "It breaks something.", (Edit(target, old, new),))


def function_of(target: Target) -> FunctionType:
    if isinstance(target, str):
        module, _, path = target.partition(":")
        return function_of(attrgetter(path)(import_module(module)))
    inner = target.fget if isinstance(target, property) else inspect.unwrap(target)
    assert isinstance(inner, FunctionType)
    return inner


SAME_ID = mutant(message_id, "(cause, position,", "(cause, 0,")


def ids() -> set[bytes]:
    return {message_id(1.0, b"cause", position, "billing/ORD-1") for position in range(3)}


def test_a_planted_bug_acts_on_who_imported_the_function_before() -> None:
    with planted(SAME_ID):
        assert len(ids()) == 1
    assert len(ids()) == 3


def test_a_bug_is_taken_out_again_when_the_run_under_it_fails() -> None:
    with pytest.raises(ZeroDivisionError), planted(SAME_ID):
        _ = 1 / 0
    assert len(ids()) == 3


def test_several_edits_of_one_function_are_all_made() -> None:
    both = Mutant(
        "planted-here",
        "It breaks something.",
        (Edit(message_id, "(cause, position,", "(b'', position,"), Edit(message_id, "destination.encode()", "b''")),
    )
    with planted(both):
        assert message_id(1.0, b"one", 1, "a/1") == message_id(1.0, b"other", 1, "b/2")
    assert message_id(1.0, b"one", 1, "a/1") != message_id(1.0, b"other", 1, "b/2")


def test_a_property_can_be_changed_too() -> None:
    lease = Lease(SystemClock(), 1.0, lambda: None)
    with planted(mutant(Lease.is_sure, "self._clock.monotonic_s() < self._deadline_s", "True")):
        assert lease.is_sure
    assert not lease.is_sure


@pytest.mark.parametrize(
    ("target", "old", "new", "says"),
    [
        (message_id, "no such words", "", "0 times"),
        (Throttle.failed, "self._failures", "self._failed", "3 times|4 times"),
        (Throttle.failed, "self._failures += 1", "self._failures +=", "no Python"),
        (Throttle.admits, "def admits(self)", "def admits(self, sure)", "parameters"),
        (len, "x", "y", "no function"),
        ("actors.gateway:nothing", "x", "y", "there is no actors.gateway:nothing"),
        ("actors.nothing:nothing", "x", "y", "there is no actors.nothing:nothing"),
        (guard.rule, "async def rule(", "async def ruled(", "takes the place"),
    ],
)
def test_what_no_longer_fits_is_refused_before_anything_is_changed(
    target: Target, old: str, new: str, says: str
) -> None:
    first = Edit(message_id, "(cause, position,", "(cause, 0,")
    with pytest.raises(MutantRotten, match=says), planted(Mutant("rotten", "", (first, Edit(target, old, new)))):
        pass
    assert len(ids()) == 3


@pytest.mark.parametrize("name", list(BUGS))
def test_every_mutant_can_still_be_planted(name: str) -> None:
    functions = [function_of(edit.target) for edit in BUGS[name].edits]
    sound = [function.__code__ for function in functions]
    with planted(BUGS[name]):
        assert all(function.__code__ != code for function, code in zip(functions, sound, strict=True))
    assert [function.__code__ for function in functions] == sound


def test_every_mutant_says_what_it_breaks_in_one_sentence() -> None:
    for one in BUGS.values():
        assert one.breaks.endswith(".") and ". " not in one.breaks and "|" not in one.breaks, one.name
        assert one.name == one.name.lower() and " " not in one.name
