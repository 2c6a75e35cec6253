"""The world outside of all nodes, which outlives them: how often each message was tried, and what was cured.

    participant ──meet(message, script)──▶ ExternalEffects ──▶ takes its time, fails, or lets it through

A handler has no memory of failed runs, since their state is dropped. So a handler that fails a few times and then
succeeds needs a counter outside, like that of a provider which counts calls by their idempotency key.
"""

from __future__ import annotations

from runtime.errors import FinalError
from runtime.ports import Clock
from tests.proof.programs.program import Fate, Script

__all__ = ["POISONED", "ExternalEffects", "HandlerBreaks", "Spoiled"]

POISONED = "poisoned on purpose"


class HandlerBreaks(Exception):
    """A handler fails, and is run again."""


class Spoiled(FinalError):
    """A handler fails, and says that a retry cannot help."""


class ExternalEffects:
    """The world outside of one run. `clock` is set once there is a cluster."""

    def __init__(self) -> None:
        self.clock: Clock | None = None
        self._runs: dict[bytes, int] = {}
        self._rings: dict[str, int] = {}
        self._known_as: dict[str, bytes] = {}  # The id of the message of each alarm.
        self.wrong: list[str] = []  # Mistakes that show outside.
        self._cured: dict[str, None] = {}

    def cure(self, deed: str, *, of_undo: bool) -> None:
        """This deed, or its undo, is poisoned no longer."""
        self._cured[_cause(deed, of_undo)] = None

    def is_cured(self, deed: str, *, of_undo: bool) -> bool:
        return _cause(deed, of_undo) in self._cured

    async def meet(self, message: bytes, script: Script, deed: str, *, of_undo: bool) -> None:
        """To be called before a handler works, with the id of its message. Raises what the script says."""
        runs = self._runs[message] = self._runs.get(message, 0) + 1
        if script.pause_s and self.clock is not None:
            await self.clock.sleep(script.pause_s)
        if script.is_poison and not self.is_cured(deed, of_undo=of_undo):
            text = f"{deed} is {POISONED}"
            raise Spoiled(text) if script.fate is Fate.FINAL else HandlerBreaks(text)
        if runs <= script.fails_first:
            raise HandlerBreaks(f"{deed} fails {script.fails_first} times, this is the {runs}.")

    def ring(self, message: bytes, alarm: str, fails: int, deed: str) -> None:
        """To be called before the handler of a timer works. `alarm` is the same in each of its retries."""
        if self._known_as.setdefault(alarm, message) != message:
            self.wrong.append(f"{alarm} was tried under several ids, so that nobody outside could tell that it is one")
        runs = self._rings[alarm] = self._rings.get(alarm, 0) + 1
        if runs <= fails:
            raise HandlerBreaks(f"an alarm of {deed} fails {fails} times, this is the {runs}.")


def _cause(deed: str, of_undo: bool) -> str:
    return f"undo of {deed}" if of_undo else deed
