"""What lies outside of all nodes and outlives them: how often each message was tried, and what an operator has cured.

    participant ──meet(message, script)──▶ ExternalEffects ──▶ takes its time, fails, or lets it through

A handler has no memory of runs that failed, for their state is dropped. So what fails a few times and then succeeds is
a thing outside, such as a provider that counts calls by their idempotency key.
"""

from __future__ import annotations

from runtime.errors import FinalError
from runtime.ports import Clock
from tests.proof.programs.program import Fate, Script

__all__ = ["POISONED", "ExternalEffects", "HandlerBreaks", "Spoiled"]

POISONED = "poisoned on purpose"


class HandlerBreaks(Exception):
    """A handler fails, as any may: it is run again."""


class Spoiled(FinalError):
    """A handler fails, and says that it always will."""


class ExternalEffects:
    """One for each run; `clock` is given once there is a cluster."""

    def __init__(self) -> None:
        self.clock: Clock | None = None
        self._runs: dict[bytes, int] = {}
        self._rings: dict[str, int] = {}
        self._known_as: dict[str, bytes] = {}  # ids of messages, by alarm
        self.wrong: list[str] = []  # what must never be seen from outside
        self._cured: dict[str, None] = {}

    def cure(self, deed: str, *, of_undo: bool) -> None:
        """What was poisoned in this deed, or its undo, is so no longer."""
        self._cured[_cause(deed, of_undo)] = None

    def is_cured(self, deed: str, *, of_undo: bool) -> bool:
        return _cause(deed, of_undo) in self._cured

    async def meet(self, message: bytes, script: Script, deed: str, *, of_undo: bool) -> None:
        """Before a handler does its work. Raises what the script says; `message` is the id of what is handled."""
        runs = self._runs[message] = self._runs.get(message, 0) + 1
        if script.pause_s and self.clock is not None:
            await self.clock.sleep(script.pause_s)
        if script.is_poison and not self.is_cured(deed, of_undo=of_undo):
            text = f"{deed} is {POISONED}"
            raise Spoiled(text) if script.fate is Fate.FINAL else HandlerBreaks(text)
        if runs <= script.fails_first:
            raise HandlerBreaks(f"{deed} fails {script.fails_first} times, this is the {runs}.")

    def ring(self, message: bytes, alarm: str, fails: int, deed: str) -> None:
        """Before the handler of a timer does its work. `alarm` is the same however often it is put off."""
        if self._known_as.setdefault(alarm, message) != message:
            self.wrong.append(f"{alarm} was tried under several ids, so that nobody outside could tell that it is one")
        runs = self._rings[alarm] = self._rings.get(alarm, 0) + 1
        if runs <= fails:
            raise HandlerBreaks(f"an alarm of {deed} fails {fails} times, this is the {runs}.")


def _cause(deed: str, of_undo: bool) -> str:
    return f"undo of {deed}" if of_undo else deed
