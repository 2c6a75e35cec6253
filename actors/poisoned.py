"""Orders of which some are poisoned: a handler fails at them until it is mended, and operators replay what was parked.

    python -m runtime.testing simulate --workload poisoned

Nothing that comes to lie among the dead letters may cost more than time: a saga whose command was given up turns back,
one whose undo was given up is stuck until the letter is replayed, and a choreography goes on where it stopped.
"""

from __future__ import annotations

from contextlib import suppress

from actors.workload import OrderClients, Orders, Wish
from runtime.admin.dead_letters import (
    Act,
    DeadLetter,
    NotAwaited,
    NotParked,
    carry_out,
    check_awaited,
    dead_letters,
    discard,
    replay,
)
from runtime.errors import StoreError
from runtime.testing.simulation.cluster import SimCluster
from runtime.testing.simulation.dice import Dice
from runtime.testing.simulation.world import World

__all__ = ["Poisoned", "poisoned"]

_LOOK_S = 1.0
_MENDED_S = 200.0  # after the storm, at the latest: by then most budgets of retries have run out
_LETTERS_MAX = 1_000
_HANDLERS = (  # of messages that no client waits for
    ("billing", "shop.BillOrder"),
    ("billing", "shop.OrderPlaced"),
    ("billing", "shop.RefundOrder"),
    ("warehouse", "shop.VoidShippingLabel"),
    ("sales", "shop.MarkReadyToShip"),
    ("sales", "shop.ShippingLabelCreated"),
)


class Poisoned(Orders):
    """The workload."""

    def __init__(self) -> None:
        super().__init__()
        self.expects += ("replayed", "poisoned")
        self.never = ()

    def begin(self, world: World, dice: Dice) -> OrderClients:
        """Raises TypeError in a world whose handlers cannot be poisoned."""
        if not isinstance(world, SimCluster):
            raise TypeError(f"handlers are poisoned in a SimCluster, not in a {type(world).__name__}")
        return _Clients(world, dice)


poisoned = Poisoned


class _Clients(OrderClients):
    """They do not wait for the end of an order, which may take until somebody has mended a handler."""

    def __init__(self, cluster: SimCluster, dice: Dice) -> None:
        super().__init__(cluster, dice)
        self._cluster = cluster
        self._night = dice.named("operator")
        self._store = cluster.store_of("operator", self._night.named("store"))
        self._poison = set(self._night.named("poison").some(_HANDLERS, 0.5))
        self._keys = {
            wish.request.order_id for wish in self._wishes if self._night.named(wish.request.order_id).chance(0.4)
        }
        self._placed_all = False
        self._is_mended = False
        self._replayed = 0
        self._discarded = 0
        cluster.is_poisoned = self._is_poisoned

    def _wish(self, number: int, dice: Dice) -> Wish:
        wish = super()._wish(number, dice)
        wish.request.wait = False
        return wish

    def _is_poisoned(self, kind: str, key: str, type: str) -> bool:
        return (kind, type) in self._poison and (key in self._keys or kind == "warehouse")

    async def run(self) -> None:
        """Place all orders while operators look now and then; what is poisoned is mended a while after the storm."""
        operators = self._cluster.ports.tasks.start(self._operate(), name="operators")
        await super().run()
        self._placed_all = True
        await operators

    async def _operate(self) -> None:
        """Replay in vain at first; then mend, and see to every letter until none is left."""
        ledger = self._cluster.ledger
        while not (self._placed_all and self._is_mended and ledger.is_at_rest and not any(ledger.parked)):
            await self._cluster.sleep(_LOOK_S * self._night.between(0.5, 3.0))
            if self._cluster.healed and not self._is_mended:
                await self._cluster.sleep(self._night.between(0.0, _MENDED_S))
                self._is_mended = True
                self._poison.clear()
            with suppress(StoreError):
                for letter in await dead_letters(self._store, limit=_LETTERS_MAX):
                    if self._is_mended or self._night.chance(0.2):
                        await self._settle(letter)

    async def _settle(self, letter: DeadLetter) -> None:
        """Replay it if it is still wanted; else nobody needs it any more."""
        act = Act("the night shift", self._cluster.ports.clock.now_s(), "mended")
        with suppress(NotParked):
            try:
                await check_awaited(self._store, letter)
                await carry_out(self._store, replay(letter, act))
                self._replayed += 1
            except NotAwaited:
                await carry_out(self._store, discard(letter, act))
                self._discarded += 1

    def figures(self) -> dict[str, int]:
        poisoned = self._cluster.happened["handler poisoned"]
        return {**super().figures(), "poisoned": poisoned, "replayed": self._replayed, "discarded": self._discarded}
