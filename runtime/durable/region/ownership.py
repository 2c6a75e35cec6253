"""The shards of one kind that this node runs: those that are live, and those that are being taken over.

Shards ──take_over──▶ Ownership ──read──▶ Sweeper     all that waits in them; then they are live
Shards ──give_up──▶       "     ────────▶ Residents   no more turns begin in them
Router ──a push for a shard that is not live──▶ Ownership: read once more before that shard is
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from runtime.durable.residence.residents import Residents
from runtime.failpoints import Failpoint

__all__ = ["Ownership"]

_READS_MAX = 3  # Under load a push may come during each of them.
_NOBODY: Mapping[int, str] = MappingProxyType({})


class Ownership:
    """Pushes are taken for `live` shards. Turns may begin in those that are being taken over, too."""

    def __init__(self, residents: Residents) -> None:
        self.live: set[int] = set()
        self.since_s: dict[int, float] = {}  # by shard: when this node took it over last
        self.residents = residents
        self._ports = residents.kind.ports
        self._taking: dict[int, int] = {}  # the take-over, by number, of each shard that is not live yet
        self._takeovers = 0
        self._died: dict[int, str] = {}  # the node that ended without leaving a shard, while that is being taken
        self._declined: set[int] = set()  # shards that pushes came for while they were being taken

    @property
    def is_settled(self) -> bool:
        """Whether all that this node has taken is live: no shard is being taken over."""
        return not self._taking

    def died(self, shard: int) -> str:
        """The node that ended without leaving a shard which is being taken over; empty when it left in order."""
        return self._died.get(shard, "") if self._died else ""

    async def take_over(
        self,
        shards: frozenset[int],
        read: Callable[[list[int]], Awaitable[None]],
        died: Mapping[int, str] = _NOBODY,
    ) -> None:
        """Have `read` deliver all that waits in these shards, then take pushes for them. Raises what `read` raises.

        `died` names the nodes that ended without leaving them: what was due there by now may have been the cause.
        """
        now_s = self._ports.clock.now_s()
        self.since_s.update(dict.fromkeys(sorted(shards), now_s))
        self._died.update({shard: node for shard, node in died.items() if node})
        self._takeovers += 1
        number = self._takeovers
        self._taking.update(dict.fromkeys(sorted(shards), number))
        self.residents.shards |= shards
        try:
            reads = 0
            while wanted := self._still_taking(number):
                reads += 1
                await self._take(wanted, number, read, is_last=reads >= _READS_MAX)
        finally:
            self.give_up(frozenset(self._still_taking(number)))  # Some are left only if the store has failed.

    def _still_taking(self, number: int) -> list[int]:
        """Shards that this take-over has neither completed nor lost."""
        return sorted(shard for shard, by in self._taking.items() if by == number)

    async def _take(
        self, wanted: list[int], number: int, read: Callable[[list[int]], Awaitable[None]], *, is_last: bool
    ) -> None:
        """Make those live that no push came for while they were read. The last time it is all of them.

        Then each actor has its mail read before a push is taken for it.
        """
        self._declined.difference_update(wanted)
        await read(wanted)
        self._ports.failpoint(Failpoint.TAKE_SWEPT)
        for shard in wanted:
            self._died.pop(shard, None)  # What comes later has run nowhere.
        if is_last and not self._declined.isdisjoint(wanted):
            self.residents.note_missed_mail()
        for shard in self._still_taking(number):
            if is_last or shard not in self._declined:
                del self._taking[shard]
                self.live.add(shard)

    def give_up(self, shards: frozenset[int]) -> None:
        """Start no more turns in these shards; those that run are left to end."""
        self.live -= shards
        self.residents.shards -= shards
        self.residents.guests.forget_in(shards)
        for shard in sorted(shards):
            self._taking.pop(shard, None)

    def give_up_all(self) -> None:
        self.give_up(frozenset(self.residents.shards))

    def on_declined_push(self, shard: int) -> None:
        """A push came for a shard that is not live here: if it is being taken over, it is read again before it is."""
        if shard in self._taking:
            self._declined.add(shard)

    def on_missed_pushes(self) -> None:
        """Pushes were missed, perhaps for shards that are being taken over."""
        self._declined.update(self._taking)
