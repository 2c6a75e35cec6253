"""Actors that another version began: the owner of their shard lends them to a node whose build has that version.

    owner      activation ──Lack──▶ Loans.lend ──signal──▶ carrier
               pushes, sweeps, timers ──▶ Loans.passes_on ──signal──▶ carrier      while it is lent
    carrier    signal ──▶ Guests.admit ──▶ BacklogReader: their mail in order, all from the store; Sweeper: their timers

The owner goes on looking for what is due and wakes the carrier, which looks for nothing by itself. So a signal that is
lost costs a pass, and so does a carrier that forgets its guest. As with shards, this only says who should try: should
two nodes run one actor, the store refuses the second. Whoever takes in a guest first has all mail read, since what the
actor sent last may not have been pushed by whoever ran it then.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from runtime.durable.kind import Kind
from runtime.envelope import Address, Envelope, address_of
from runtime.ports import Fact

__all__ = ["ActorLent", "Guests", "Loans"]

_UNHEARD_MAX = 8  # tries to reach a carrier that is a member, before another is asked
_GUESTS_MAX = 5000  # of a kind at once; more are declined, and their owners ask again


@dataclass(frozen=True, slots=True)
class ActorLent(Fact):
    """This node owns an actor and lacks the version that began it; `to` has that, and runs it."""

    address: str
    to: str
    lacks: str


class Backlog(Protocol):
    """What mail waits in the store, as far as an actor that is lent goes."""

    def is_blocked(self, address: Address) -> bool: ...

    def put_off_for(self, address: Address, shard: int, delay_s: float) -> None: ...


@dataclass(slots=True)
class _Loan:
    carrier: tuple[str, str]  # its name and incarnation
    died: str  # name@incarnation of the carrier before, if that ended without leaving
    unheard: int = 0  # tries to reach the carrier that have failed since the last that did not


class Loans:
    """Of one kind on one node: who runs the actors of this node's shards that its build cannot run."""

    def __init__(self, kind: Kind, backlog: Backlog) -> None:
        self._kind = kind
        self.versioned = kind.versioned
        self._carriers = kind.carriers
        self._backlog = backlog
        self._loans: dict[Address, _Loan] = {}
        self.is_empty = True  # an attribute, for each delivery asks

    def lend(self, first: Envelope, shard: int, needs: str) -> bool:
        """Have a node run what waits for an actor, from `first` on. False: there is none, or it cannot be told now.

        The carrier that an actor was lent to keeps it while that is a member. Otherwise a message that ends its node
        would run on all carriers before the first is known to be gone.
        """
        if self._kind.waits_too_long(first):
            return False
        address = first.address
        if not self._wakes_carrier(address, needs):
            return False
        self._backlog.put_off_for(address, shard, self._kind.limits.sweep_s)
        return True

    def _wakes_carrier(self, address: Address, needs: str) -> bool:
        loan, carriers = self._loans.get(address), self._carriers.of(needs)
        others = [one for one in carriers if loan is None or one != loan.carrier]
        if loan is None or loan.carrier not in carriers or (loan.unheard >= _UNHEARD_MAX and others):
            if not others:
                return False
            loan = _Loan(max(others, key=lambda one: _score(one, address)), self._died(loan))
            self._loans[address] = loan
            self.is_empty = False
            self._kind.ports.report(ActorLent(address_of(*address), loan.carrier[0], needs))
        if self._carriers.wake(loan.carrier, address, loan.died):
            loan.unheard = 0
            return True
        loan.unheard += 1
        return False

    def passes_on(self, address: Address) -> bool:
        """Whether an actor is lent. If so, its carrier is told that something new waits."""
        loan = self._loans.get(address)
        if loan is None or not self._backlog.is_blocked(address):
            return False
        self._carriers.wake(loan.carrier, address, loan.died)
        return True

    def end(self, address: Address) -> None:
        """Nothing waits for it any more."""
        if self._loans.pop(address, None) is not None:
            self.is_empty = not self._loans

    def clear(self) -> None:
        self._loans.clear()
        self.is_empty = True

    def _died(self, loan: _Loan | None) -> str:
        if loan is None:
            return ""
        return loan.died if self._carriers.is_member(loan.carrier) else "@".join(loan.carrier)


@dataclass(frozen=True, slots=True)
class _Guest:
    shard: int
    died: str  # name@incarnation of a node that may have died over what waits for it
    tick: int  # when its owner last asked


class Guests:
    """Of one kind on one node: actors of other nodes' shards that run here."""

    def __init__(self) -> None:
        self._guests: dict[Address, _Guest] = {}

    def __contains__(self, address: Address) -> bool:
        return address in self._guests

    @property
    def is_empty(self) -> bool:
        return not self._guests

    def admit(self, address: Address, shard: int, died: str, tick: int) -> bool:
        """False when there are too many."""
        if address not in self._guests and len(self._guests) >= _GUESTS_MAX:
            return False
        self._guests[address] = _Guest(shard, died, tick)
        return True

    def died(self, address: Address) -> str:
        """The node that may have died over what waits for a guest; empty for none, and for whom this node owns."""
        guest = self._guests.get(address)
        return "" if guest is None else guest.died

    def forget(self, address: Address) -> None:
        self._guests.pop(address, None)

    def forget_before(self, tick: int) -> None:
        """Forget guests that no owner has asked for since then."""
        self._guests = {address: guest for address, guest in self._guests.items() if guest.tick >= tick}

    def forget_in(self, shards: frozenset[int]) -> None:
        """Forget guests in shards that this node has owned and gives up."""
        self._guests = {address: guest for address, guest in self._guests.items() if guest.shard not in shards}

    def clear(self) -> None:
        self._guests.clear()


def _score(carrier: tuple[str, str], address: Address) -> tuple[bytes, tuple[str, str]]:
    """The same node for one actor each time, and each node for as many as the others."""
    return blake2b(f"{address_of(*address)}\0{carrier[0]}".encode(), digest_size=8).digest(), carrier
