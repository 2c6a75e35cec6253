"""The workload `streams`: few actors, many messages between the same two, and little room for them.

python -m runtime.testing simulate --workload streams
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from runtime.errors import AmendsError
from runtime.host import Node
from runtime.saga.catalogue import Catalogue, Hosted
from runtime.store.records import ActorRow, MailRow
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.programs import programs_pb2 as pb
from tests.proof.streams.actors import STREAM, NumberSink, NumberSource, Stream, counted

__all__ = ["StreamClients", "Streams"]

_CLIENTS = 4
_COMMANDS = 16  # So many commands are sent by each client.
_CALL_S = 5.0
_SOURCES = ("one", "two", "three")
_SINKS = ("sea", "lake")


class Streams:
    """The workload. All seeds deploy the same catalogue, with different limits."""

    def deploy(self, dice: Dice) -> StreamDeployment:
        return StreamDeployment(dice)


class StreamDeployment:
    hazards = ("pause",) * 4  # Nothing may overtake the messages that wait meanwhile.

    def __init__(self, dice: Dice) -> None:
        # These names go into the draws of each seed, and other names would make other runs of the known seeds.
        services: dict[str, list[Hosted]] = {"springs": [NumberSource], "mouths": [NumberSink]}
        self.catalogue = Catalogue(contracts=[pb], services=services, choreographies=[Stream])
        self.settings = _settings(dice)
        self.ballast_bytes = dice.choose((0, 0, 400))

    def begin(self, world: World, dice: Dice) -> StreamClients:
        return StreamClients(world, dice, self.ballast_bytes)


class StreamClients:
    """Clients that send commands to sources, and the check of the sinks."""

    def __init__(self, world: World, dice: Dice, ballast_bytes: int) -> None:
        self._world = world
        self._dice = dice
        self._ballast = bytes(ballast_bytes)
        self._asked: dict[tuple[str, str], int] = {}  # How many messages were asked for, by source and sink.
        self._done = 0

    async def run(self) -> None:
        start = self._world.ports.tasks.start
        clients = [start(self._client(number), name=f"client {number}") for number in range(_CLIENTS)]
        for client in clients:
            await client

    async def _client(self, number: int) -> None:
        dice = self._dice.named(f"client {number}")
        for count in range(_COMMANDS):
            if not dice.keeps():
                continue
            source, sink, amount = dice.choose(_SOURCES), dice.choose(_SINKS), 1 + dice.below(4)
            self._asked[source, sink] = self._asked.get((source, sink), 0) + amount
            command = pb.ChangeAlpha(key=source, deed=sink, amount=amount, ballast=self._ballast)
            await self._insist(dice, command, f"{number} {count}")
            self._done += 1
            await self._world.sleep(dice.between(0.0, 0.3))

    async def _insist(self, dice: Dice, command: pb.ChangeAlpha, name: str) -> None:
        """Send a command under one id to one node after another, until one says that it was handled."""
        asked_ms = int(self._world.ports.clock.now_s() * 1000)  # Ids begin with the time: old ones are refused.
        id = asked_ms.to_bytes(6, "big") + blake2b(name.encode(), digest_size=10).digest()

        async def send(node: Node) -> None:
            await node.client.ask(command, timeout=_CALL_S, message_id=id, process=STREAM)

        while True:
            try:
                await dice.choose(self._world.nodes).call(send, timeout_s=_CALL_S)
                return
            except AmendsError:
                await self._world.sleep(dice.between(0.02, 0.6))

    # --- checking ---

    def check(self) -> Iterator[Violation]:
        sources, sinks = self._states("alpha"), self._states("beta")
        for sink in sinks.values():
            yield from (Violation("I7", what) for what in sink.wrong)
        for (source, sink_key), amount in self._asked.items():
            sent = counted(sources.get(source, pb.ParticipantState()), sink_key).dos
            taken = counted(sinks.get(sink_key, pb.ParticipantState()), source).dos
            if not sent == taken == amount:
                text = f"{source} sent {sent} messages to {sink_key}, which took {taken}; clients asked for {amount}"
                yield Violation("I2", text)

    def _states(self, kind: str) -> dict[str, pb.ParticipantState]:
        return {row.key: pb.ParticipantState.FromString(row.state) for row in self._world.ledger.rows_of(kind)}

    def excuses(self, row: ActorRow | MailRow) -> bool:
        """Excuse nothing: no message is ever given up."""
        return False

    def figures(self) -> dict[str, int]:
        return {
            "started": _CLIENTS * _COMMANDS,
            "completed": self._done,
            "messages": sum(self._asked.values()),
            "handled unposted": self._world.ledger.seen["UNPOSTED"],
            "handled together": self._world.ledger.seen["TOGETHER"],
        }


def _settings(dice: Dice) -> dict[str, Any]:
    """Limits that are mostly so small that pushes have to be left in the store."""
    return {
        "mailbox_max": dice.choose((1000, 1, 2, 5)),
        "activations_max": dice.choose((5000, 1, 2)),
        "turn_messages_max": dice.choose((64, 1, 3)),
        "turn_bytes_max": dice.choose((1 << 20, 1024)),
    }
