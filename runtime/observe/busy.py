"""What a node is busy with, told to the store: the handlers that have run for long, by name, and what it has paused.

It tells as well whether the node refuses new commands.

    watchdog (its thread) ──Running──▶ BusyTeller ──Busy──▶ Store.tell_busy
    turns ──Pauses.on_change──▶            "
    sweeps ──Headroom.on_change──▶         "

The loop has no part in what is told of handlers, since it is the loop that may stand still.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.durable.behaviour import Behaviour, Named
from runtime.durable.region.headroom import Headroom
from runtime.envelope import Envelope
from runtime.ports import Clock, Handling, Running
from runtime.saga.pauses import Pauses
from runtime.store.port import MemberStore
from runtime.store.records import Busy, BusyHandler

__all__ = ["BusyTeller"]


class BusyTeller:
    """Tells for one node."""

    def __init__(
        self,
        store: MemberStore,
        clock: Clock,
        behaviours: Iterable[Behaviour],
        name: str,
        incarnation: str,
        pauses: Pauses,
        headroom: Headroom | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._behaviours = {behaviour.kind: behaviour for behaviour in behaviours}
        self._node = (name, incarnation)
        self._pauses = pauses
        self._headroom = headroom
        self._handlers: tuple[float, tuple[BusyHandler, ...]] = (0.0, ())  # told last, and until when they count

    def listen(self, handling: Handling) -> None:
        """Tell from now on, whenever there is something to tell."""
        handling.tell = self.tell
        self._pauses.on_change = self.tell_again
        if self._headroom is not None:
            self._headroom.on_change = self.tell_again

    def tell_again(self) -> None:
        """What is paused, or whether commands are refused, has changed; the handlers are those that were told last."""
        now_s = self._clock.now_s()
        until_s, handlers = self._handlers
        running = handlers if until_s > now_s else ()
        self._store.tell_busy(self._busy(now_s, max(until_s, now_s), running))

    def tell(self, running: Sequence[Running], counts_s: float) -> None:
        """See `Handling.tell`."""
        now_s = self._clock.now_s()
        handlers = tuple(self._handler(one, now_s) for one in running)
        self._handlers = (now_s + counts_s, handlers)
        self._store.tell_busy(self._busy(now_s, now_s + counts_s, handlers))

    def _busy(self, now_s: float, until_s: float, handlers: tuple[BusyHandler, ...]) -> Busy:
        refuses_since_s = 0.0 if self._headroom is None else self._headroom.since_s
        return Busy(*self._node, now_s, until_s, handlers, self._pauses.told(), refuses_since_s)

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
