"""What an author writes a lock with: no other saga holds the same key until this one has ended.

hold = Lock("account", key=lambda state: state.account_id, within=minutes(5), expires=hours(1))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtime.durations import Span
from runtime.saga.flow import Part

__all__ = ["Lock"]


@dataclass(frozen=True, eq=False)
class Lock(Part):
    """A lock on a key of the business. Sagas that want the same key get it in the order in which they ask.

    The saga holds it from this place of its flow until it has ended, or until it has undone all that came after. Steps
    of sagas that do not ask for the lock are not held up by it.

    name     what is locked: all sagas of a catalogue that name the same share the keys of it
    key      (state) -> str: which one; in an Each (state, item) -> str
    within   how long the saga waits for its turn; then it turns back
    expires  for how long it may hold the key while another waits; by default until it has ended
    """

    name: str
    key: Callable[..., str]
    within: Span | None = None
    expires: Span | None = None
