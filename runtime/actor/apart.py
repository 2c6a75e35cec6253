"""Awaits something in a context of its own: what is set there is not seen by who runs in the same task after it."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from contextvars import copy_context
from typing import Any, TypeVar

__all__ = ["apart"]

_T = TypeVar("_T")


@types.coroutine
def apart(function: Callable[..., Awaitable[_T]], *arguments: Any) -> Generator[Any, Any, _T]:
    """Like `await function(*arguments)`, in a copy of the context, and still in the task of whoever awaits it."""
    run = copy_context().run
    steps = run(function, *arguments).__await__()
    resume: Any = steps.send
    value: Any = None
    while True:
        try:
            awaited = run(resume, value)
        except StopIteration as ended:
            result: _T = ended.value
            return result
        try:
            value = yield awaited
            resume = steps.send
        except GeneratorExit:
            run(steps.close)
            raise
        except BaseException as error:  # noqa: BLE001 - thrown on to where it waits
            resume, value = steps.throw, error
