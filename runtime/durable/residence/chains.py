"""Which actors of one kind on one node take part in chains, and where a chain begins: see `chain.py`.

Activation ──a turn that sends messages──▶ Chains.begin ──▶ Chain
Router.borrow ──a message of a chain──▶ Chains.borrow ──▶ the idle actor that it goes to, or None
                └─a client's command──▶               ──▶ likewise, for UnpostedCommands
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Protocol

from runtime.durable.effects import RunsInChains
from runtime.durable.kind import Kind
from runtime.durable.residence.activation import Activation
from runtime.durable.residence.actor_in_memory import ActorInMemory
from runtime.durable.residence.admission import Throttle
from runtime.durable.residence.chain import ChainOfTurns
from runtime.durable.residence.lending import Guests, Loans
from runtime.durable.residence.memory import Memory
from runtime.durable.residence.overflows import Overflows
from runtime.durable.residence.release import Outlet
from runtime.durable.residence.suspects import Suspects
from runtime.durable.turn.chained import ChainedTurn
from runtime.durable.turn.lost import LostRuns
from runtime.envelope import Address, Envelope

__all__ = ["Chains"]


class ChainHost(Protocol):
    """What may be out of the ordinary with the actors of a kind. Then all that they are sent becomes mail."""

    paused: bool
    throttle: Throttle
    overflows: Overflows
    suspects: Suspects
    losses: LostRuns
    loans: Loans
    guests: Guests


class Chains:
    """Of one kind."""

    def __init__(
        self,
        kind: Kind,
        outlet: Outlet,
        host: ChainHost,
        memory: Memory,
        intakes: Container[Address],
        admit: Callable[[Address, int], Activation | None],
    ) -> None:
        self._kind = kind
        self._outlet = outlet
        self._host = host
        self._memory = memory
        self._intakes = intakes
        self._admit = admit
        self._messages_max = kind.limits.chain_messages_max
        self.versioned = kind.versioned
        self.newcomers = memory.newcomers
        behaviour = kind.behaviour
        self._runs_in_chains = isinstance(behaviour, RunsInChains) and behaviour.runs_in_chains

    @property
    def _is_calm(self) -> bool:
        host = self._host
        if host.paused or host.throttle.is_open or host.overflows.are_open:
            return False
        return host.suspects.is_empty and host.loans.is_empty and host.guests.is_empty

    def begin(self, first: ActorInMemory, turn: ChainedTurn, batch: Sequence[Envelope]) -> ChainOfTurns | None:
        """The chain of a turn that has sent messages; None: nothing may follow it before it is committed."""
        if not self._messages_max or self._host.losses.has_lost(first.address) or not self._is_calm:
            return None
        if not any(map(self._outlet.is_here, turn.draft.outgoing)):
            return None
        chain = ChainOfTurns(self._kind, self._outlet)
        chain.begin(first, turn, batch, goes_on=self._runs_in_chains)
        return chain

    @property
    def take_commands(self) -> bool:
        """Whether clients' commands may be handled before they are mail, by actors that are idle."""
        return self._runs_in_chains and self._messages_max > 0

    @property
    def reads_rows(self) -> bool:
        """Whether actors that come into memory for a chain look for their rows first."""
        return self._runs_in_chains and not self.newcomers.are_likely

    def expect(self, address: Address, shard: int) -> None:
        """Make an actor that a chain is about to borrow, so that its row is read with those of others."""
        if self._memory.get(address) is None and self.admits(address) and self._is_calm:
            self._admit(address, shard)

    def borrow(self, envelope: Envelope, shard: int) -> Activation | None:
        """The actor of a message that is no mail, for a chain alone; None when it is to become mail."""
        address = envelope.address
        if not (self._runs_in_chains and self.admits(address) and self._is_calm):
            return None
        activation = self._memory.get(address) or self._admit(address, shard)
        if activation is None or not activation.is_idle or activation.ref is None:
            return None
        activation.touched, activation.busy = self._memory.tick, True
        return activation

    def admits(self, address: Address) -> bool:
        """Whether an actor may handle what is no mail: no mail of it is known to wait in the store alone."""
        return address not in self._intakes and not self._host.losses.has_lost(address)

    def take_for_new(self, activation: ActorInMemory) -> bool:
        """Whether an actor may begin with no row, without a look into the store, which refuses its turn if it errs."""
        return self._runs_in_chains and self._memory.take_for_new(activation)
