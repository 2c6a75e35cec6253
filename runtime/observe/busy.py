"""What a node is busy with, told to the store: the handlers that have run for long, by name.

    watchdog (its thread) ──Running──▶ BusyTeller ──Busy──▶ Store.tell_busy

The loop has no part in it, since it is the loop that may stand still.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.durable.behaviour import Behaviour, Named
from runtime.envelope import Envelope
from runtime.ports import Clock, Running
from runtime.store.port import Store
from runtime.store.records import Busy, BusyHandler

__all__ = ["BusyTeller"]


class BusyTeller:
    """Tells for one node."""

    def __init__(
        self, store: Store, clock: Clock, behaviours: Iterable[Behaviour], name: str, incarnation: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._behaviours = {behaviour.kind: behaviour for behaviour in behaviours}
        self._node = (name, incarnation)

    def tell(self, running: Sequence[Running], counts_s: float) -> None:
        """See `Handling.tell`."""
        now_s = self._clock.now_s()
        handlers = tuple(self._handler(one, now_s) for one in running)
        self._store.tell_busy(Busy(*self._node, now_s, now_s + counts_s, handlers))

    def _handler(self, running: Running, now_s: float) -> BusyHandler:
        envelope: Envelope = running.message
        behaviour = self._behaviours.get(envelope.kind)
        name = behaviour.name_of(envelope.type, envelope.process) if isinstance(behaviour, Named) else envelope.kind
        return BusyHandler(
            name,
            envelope.kind,
            envelope.key,
            envelope.id,
            envelope.type,
            envelope.timer,
            now_s - running.ran_s,
            running.timeout_s,
        )
