"""The clients of a user's deployment in a simulation: how they act, and what has to be true once all is at rest.

class TripClients(Clients):
    async def run(self) -> None:
        await self.insist(StartTrip(trip_id="T-1"))

    def check(self) -> Iterator[Violation]:
        for key, trip in self.states("booking", TripState).items(): ...

simulate(catalogue, TripClients, seeds=200).check()
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TypeVar

from google.protobuf.message import Message

from runtime.errors import AmendsError, InvalidMessage, MessageTooOld
from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.records import ActorRow, MailRow
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World

__all__ = ["Clients"]

_CALL_S = 5.0
_PAUSE_S = (0.02, 0.6)
M = TypeVar("M", bound=Message)


class Clients(ABC):
    """All clients of one run, made anew for each seed. Every choice of theirs has to come from `dice`."""

    def __init__(self, world: World, dice: Dice) -> None:
        self.world = world
        self.dice = dice

    @abstractmethod
    async def run(self) -> None:
        """Acts as all clients, and returns when each has got what it wanted."""

    def check(self) -> Iterable[Violation]:
        """At rest, gives what breaks the rules of the business."""
        return ()

    def excuses(self, row: ActorRow | MailRow) -> bool:
        """At rest, says whether these clients meant this saga not to end, or this message to be parked."""
        return False

    def figures(self) -> dict[str, int]:
        """How many sagas there were, and how they ended. Every workload has to give `started` and `completed`."""
        rows = self.world.ledger.actors.values()
        records = [SagaRecord.FromString(row.state) for row in rows if _is_saga(row)]
        return {
            "started": len(records),
            "completed": sum(one.status == SagaRecord.COMPLETED for one in records),
            "compensated": sum(one.status == SagaRecord.COMPENSATED for one in records),
        }

    # --- acting ---

    async def insist(self, command: Message) -> Message | None:
        """Sends a command to one node after another until one has handled it. All tries have one id, so it runs once.

        Gives the event that the handler answered with. None means that there was none, or that an earlier try got it.
        Raises AssertionError if the participant gave up, and InvalidMessage for a command that no node can take.
        """
        id = int(self.world.ports.clock.now_s() * 1000).to_bytes(6, "big") + self.dice.new_id()[:10]
        while True:
            node = self.dice.choose(self.world.nodes)
            try:
                reply = await node.call(
                    lambda at: at.client.ask(command, timeout=_CALL_S, message_id=id), timeout_s=_CALL_S
                )
            except InvalidMessage as error:
                if not isinstance(error, MessageTooOld):
                    raise  # No node will ever take it.
                await self.pause()
                continue
            except AmendsError:  # Whatever became of it, it may be sent again with the same id.
                await self.pause()
                continue
            assert not reply.fault, f"{type(command).__name__} was given up: {reply.fault}"
            return reply.message

    async def pause(self, *between_s: float) -> None:
        """Waits for a time that the dice draw, by default a fraction of a second."""
        await self.world.sleep(self.dice.between(*(between_s or _PAUSE_S)))

    async def together(self, *clients: Iterable[Message]) -> None:
        """Lets all clients act at the same time. Each insists on its own commands, one after another."""
        start = self.world.ports.tasks.start
        tasks = [start(self._one_after_another(some), name=f"client {number}") for number, some in enumerate(clients)]
        for task in tasks:
            await task

    async def _one_after_another(self, commands: Iterable[Message]) -> None:
        for command in commands:
            await self.insist(command)
            await self.pause()

    # --- looking ---

    def states(self, kind: str, state: type[M]) -> dict[str, M]:
        """The committed state of every actor of a kind, by key. For sagas it is the business state."""
        return {row.key: state.FromString(_business_state(row)) for row in self._rows(kind)}

    def statuses(self, kind: str) -> dict[str, str]:
        """The status of every saga of a kind, by key: completed, compensated, stuck, ..."""
        records = {row.key: SagaRecord.FromString(row.state) for row in self._rows(kind)}
        return {key: SagaRecord.Status.Name(record.status).lower() for key, record in records.items()}

    def conversation(self, kind: str, key: str) -> bytes:
        """The conversation that made this actor, which a Violation can show; empty if there is no such actor."""
        return next((row.conversation for row in self._rows(kind) if row.key == key), b"")

    def _rows(self, kind: str) -> list[ActorRow]:
        return self.world.ledger.rows_of(kind)


def _business_state(row: ActorRow) -> bytes:
    return SagaRecord.FromString(row.state).state if _is_saga(row) else row.state


def _is_saga(row: ActorRow) -> bool:
    return row.state_type == SagaRecord.DESCRIPTOR.full_name
