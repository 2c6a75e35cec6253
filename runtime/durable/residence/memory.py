"""The actors of one kind that are in memory on this node: made when mail comes, dropped when idle or given up.

Residents ──make──▶ Memory ──spawn──▶ Activation (a child of the kind's own actor)
    ▲                 ▲ │ └─ load, for many at once ──▶ store
    │                 │ └─ how many were made for what waited in the store ──▶ Ramp
    └──── forget ─────┴──── passivate, when_idle, no room left
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from runtime.actor.context import ActorOptions, Context
from runtime.durable.residence.activation import Activation
from runtime.durable.residence.actor_in_memory import ActorInMemory
from runtime.durable.residence.newcomers import Newcomers
from runtime.durable.residence.ramp import Ramp
from runtime.envelope import Address
from runtime.errors import ActorStopped
from runtime.ports import Fact
from runtime.store.port import TurnStore

__all__ = ["ActivationReloaded", "Memory"]

_EVICTION_LOOKS_MAX = 64
_TOGETHER_MAX = 32  # rows read at once


@dataclass(frozen=True, slots=True)
class ActivationReloaded(Fact):
    """An actor was dropped from memory because what it knew was no longer true, or the store did not answer."""

    level: ClassVar[str] = "warning"
    address: str
    reason: str


class Memory:
    """At most `activations_max` actors; idle ones leave first. `forget` is called for each that has to leave."""

    def __init__(
        self,
        store: TurnStore,
        ramp: Ramp,
        options: ActorOptions,
        activations_max: int,
        new: Callable[[Address, int], Activation],
        forget: Callable[[Activation], None],
    ) -> None:
        self._store = store
        self._ramp = ramp
        self._options = options
        self._activations_max = activations_max
        self._new = new
        self._forget = forget
        self._context: Context | None = None
        self._table: dict[Address, Activation] = {}
        self._unread: dict[Address, Activation] = {}  # their rows are wanted soon
        self._leaving: list[tuple[frozenset[int], Callable[[], None]]] = []
        self._made = 0
        self.newcomers = Newcomers()
        self.tick = 0
        self.get = self._table.get

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, address: Address) -> bool:
        return address in self._table

    def all(self) -> Iterable[Activation]:
        """A copy: those in it may leave meanwhile."""
        return list(self._table.values())

    def bind(self, context: Context) -> None:
        """The kind's own actor has started and is the parent of all that follow."""
        self._context = context

    def has_room(self) -> bool:
        """Whether one more may come in, after an idle one has left if need be."""
        return len(self._table) < self._activations_max or self._evict_one()

    def takes_up(self, address: Address) -> bool:
        """Whether the actor may work at what waited in the store: it is in memory, or there is room for it."""
        return address in self._table or self._ramp.has_room()

    def make(self, address: Address, shard: int, *, for_stored: bool) -> Activation | None:
        """None while the kind stops, or has not started: whoever takes over will find the mail.

        `for_stored`: for what waited in the store, as a sweep has found.
        """
        if self._context is None:
            return None
        activation = self._new(address, shard)
        self._made += 1
        try:
            # Numbered, since a predecessor of the same key may still be stopping.
            name = f"{address[1]}#{self._made}"
            activation.ref = self._context.spawn(lambda: activation, name, options=self._options)
        except ActorStopped:
            return None
        self._table[address] = self._unread[address] = activation
        if for_stored:
            self._ramp.taken_up(address)
        return activation

    async def read(self, activation: ActorInMemory) -> None:
        """Read its row, and those of others that are about to need theirs. Raises StoreError."""
        self._ramp.began(activation.address)
        together: list[ActorInMemory] = [activation]
        self._unread.pop(activation.address, None)
        while self._unread and len(together) < _TOGETHER_MAX:
            together.append(self._unread.popitem()[1])
        rows = await self._store.load([one.address for one in together])
        for one, row in zip(together, rows, strict=True):
            self.newcomers.looked(found=row is not None)
            if not one.fetched:
                one.row = row
                one.fetched = True

    def take_for_new(self, activation: ActorInMemory) -> bool:
        """Whether an actor's row need not be read, since it has none in all likelihood."""
        if not self.newcomers.are_likely:
            return False
        self._ramp.began(activation.address)
        self._unread.pop(activation.address, None)
        return True

    # --- leaving ---

    def remove(self, activation: ActorInMemory) -> bool:
        """False: it had left already."""
        if self._table.get(activation.address) is not activation:
            return False
        del self._table[activation.address]
        self._unread.pop(activation.address, None)
        self._ramp.dropped(activation.address)
        return True

    def _evict_one(self) -> bool:
        for _ in range(min(len(self._table), _EVICTION_LOOKS_MAX)):
            address, activation = next(iter(self._table.items()))
            if activation.is_idle:
                self._forget(activation)
                return True
            self._table[address] = self._table.pop(address)  # to the end, so that the next look meets others
        return False

    def passivate(self) -> None:
        """Let go of those that have had nothing to do since the last but one call."""
        self.tick += 1
        for activation in self.all():
            if activation.touched < self.tick - 1 and activation.is_idle:
                self._forget(activation)

    def when_idle(self, shards: frozenset[int], then: Callable[[], None]) -> None:
        """Let go of the actors of these shards, each when its turn has ended, and then call back.

        Intake must have been stopped before.
        """
        self._leaving.append((shards, then))
        self.look_for_idle()

    def look_for_idle(self) -> None:
        """Let go of those that are idle by now, of the shards that are given up. Called after each turn."""
        if not self._leaving:
            return
        leaving, self._leaving = self._leaving, []
        for shards, then in leaving:
            concerned = [one for one in self._table.values() if one.shard in shards]
            for activation in concerned:
                if not activation.busy:
                    self._forget(activation)
            if any(activation.busy for activation in concerned):
                self._leaving.append((shards, then))
            else:
                then()
