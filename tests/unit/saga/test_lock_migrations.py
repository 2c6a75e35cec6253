"""An instance that holds a lock, or waits for one, is carried over with the lock, or not at all."""

from __future__ import annotations

from typing import Any

from runtime.errors import NotCarried
from runtime.saga.carrying import renames
from runtime.saga.diagram import draw_saga
from runtime.saga.stored import described, read_back
from runtime.saga.wait import Wait
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import PLACED
from tests.unit.saga.test_locks import lock, locking, story, waiting
from tests.unit.saga.test_nodes import bill, close, saga


def carried(given: Any, story: SagaTranscript, **parts: Any) -> str:
    """Why the instance cannot go on as one of another definition; empty if it can."""
    later = saga(**parts, carries={locking(): given})
    try:
        SagaTranscript(later).carrying_on(story).given_event(PLACED)
    except NotCarried as error:
        return str(error)
    return ""


def test_a_lock_that_an_instance_holds_or_waits_for_is_carried_on_under_its_name_alone() -> None:
    again, keep, first, last = lock(), lock(), bill(), close()
    other = lock(name="goods")
    for one in (story().given(PLACED), waiting()):
        said = carried(renames(hold="keep"), one, keep=keep, bill=first, close=last, flow=keep >> first >> last)
        assert "has asked for stock-lock/HAT under this name, and cannot go on as 'keep'" in said
        said = carried(renames(), one, hold=other, bill=first, close=last, flow=other >> first >> last)
        assert "has asked for stock-lock/HAT under this name" in said
    said = carried(renames(hold=""), story().given(PLACED), bill=first, close=last, flow=first >> last)
    assert "its lock 'hold' is held, and nothing would release stock-lock/HAT: keep the lock" in said
    rest = Wait(1.0)
    parts = {"hold": again, "bill": first, "close": last, "rest": rest, "flow": again >> first >> rest >> last}
    assert carried(renames(), story().given(PLACED), **parts) == ""


def test_what_is_locked_counts_for_the_fingerprint_and_times_do_not() -> None:
    definition = locking().definition
    assert locking(within=1, expires=None).definition.fingerprint == definition.fingerprint
    assert locking(name="goods").definition.fingerprint != definition.fingerprint
    stored = read_back(described(definition))
    assert stored.fingerprint == definition.fingerprint
    assert draw_saga(stored) == draw_saga(definition)
