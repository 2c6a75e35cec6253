"""What a rule reports when a promise was broken, and how it names a transition."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.envelope import address_of
from runtime.store.records import Transition

__all__ = ["Violation", "name_of"]


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise. `conversation` shows how it was broken; it is empty if none does."""

    invariant: str
    what: str
    conversation: bytes = b""


def name_of(transition: Transition) -> str:
    if transition.actor is not None:
        return f"revision {transition.actor.revision} of {address_of(*transition.actor.address)}"
    return f"a post for {address_of(*transition.address or ('', 'nobody'))}"
