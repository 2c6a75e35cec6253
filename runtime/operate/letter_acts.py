"""One dead letter, found by its id: it runs again or is given up, after the check of what would be lost."""

from __future__ import annotations

from runtime.operate.dead_letters import (
    Act,
    carry_out,
    check_awaited,
    check_dispensable,
    discard,
    find,
    replay,
)
from runtime.operate.parked_mail import ParkedMail
from runtime.store.port import OperatorStore

__all__ = ["discard_letter", "replay_letter"]


async def replay_letter(store: OperatorStore, id_text: str, act: Act) -> ParkedMail:
    """Let it run again. Raises what `find`, `check_awaited` and `carry_out` do; what is forced is not checked."""
    letter = await find(store, id_text)
    if not act.forced:
        await check_awaited(store, letter)
    await carry_out(store, replay(letter, act))
    return letter


async def discard_letter(store: OperatorStore, id_text: str, act: Act) -> ParkedMail:
    """Give it up for good. Raises what `find`, `check_dispensable` and `carry_out` do."""
    letter = await find(store, id_text)
    if not act.forced:
        await check_dispensable(store, letter)
    await carry_out(store, discard(letter, act))
    return letter
