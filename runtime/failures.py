"""Exceptions of code that an author wrote: whether the runtime ordered them, and how they are told.

    handler, hook, saga function ──any exception──▶ was_ordered ─┬─ yes ▶ raised on: the task, or the process, ends
                                                                 └─ no ─▶ a failure like any other

`sys.exit()`, a KeyboardInterrupt or a CancelledError that an author's code raises by itself ends no node.
"""

from __future__ import annotations

import asyncio
import traceback

__all__ = ["ProcessEnds", "stack_of", "text_of", "was_ordered"]

_TEXT_MAX = 2000  # So many characters of an error are kept.
_FRAMES = 5  # So many frames of its stack are kept, the innermost.


class ProcessEnds(BaseException):
    """A port of a test says that this process is gone. Whoever catches it raises it on."""


def was_ordered(error: BaseException) -> bool:
    """Whether an exception is the end of the whole task, or of the process, by order; else the author's code raised it.

    A task that was cancelled says so itself, and a coroutine that is thrown away is closed outside of any task.
    """
    if isinstance(error, ProcessEnds):
        return True
    task = _task()
    if isinstance(error, GeneratorExit):
        return task is None
    return isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling() > 0)


def text_of(error: BaseException) -> str:
    """An error as one text that every store and message can hold, whatever its author made of it."""
    try:
        text = str(error)
    except BaseException as unspeakable:  # noqa: BLE001 # the author's code once more
        text = f"(its text cannot be had: {type(unspeakable).__name__})"
    return f"{type(error).__name__}: {text}"[:_TEXT_MAX].encode("utf-8", "backslashreplace").decode()


def stack_of(error: BaseException, *, without: tuple[str, ...] = ()) -> str:
    """Where it was raised, innermost first, without the frames of these files, and of what is built into Python."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in without and not frame.filename.startswith("<frozen ")
    ]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-_FRAMES:]]
    return f" (at {' < '.join(reversed(places))})" if places else ""


def _task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # No loop runs: the rest of a former one is being cleaned away.
        return None
