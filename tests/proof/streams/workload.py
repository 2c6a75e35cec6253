"""The workload of streams: few actors, many messages between the same two, little room for them.

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
from tests.proof.streams.actors import STREAM, Mouth, Spring, Stream, counted

__all__ = ["StreamClients", "Streams"]

_CLIENTS = 4
_COMMANDS = 16  # of each client
_CALL_S = 5.0
_SPRINGS = ("one", "two", "three")
_MOUTHS = ("sea", "lake")


class Streams:
    """The workload: what hosts it is always the same, but for how much fits."""

    def deploy(self, dice: Dice) -> StreamDeployment:
        return StreamDeployment(dice)


class StreamDeployment:
    hazards = ("pause",) * 4  # what waits meanwhile must not be overtaken

    def __init__(self, dice: Dice) -> None:
        services: dict[str, list[Hosted]] = {"springs": [Spring], "mouths": [Mouth]}
        self.catalogue = Catalogue(contracts=[pb], services=services, choreographies=[Stream])
        self.settings = _settings(dice)
        self.ballast_bytes = dice.choose((0, 0, 400))

    def begin(self, world: World, dice: Dice) -> StreamClients:
        return StreamClients(world, dice, self.ballast_bytes)


class StreamClients:
    """Clients that command springs, and what is found in the mouths."""

    def __init__(self, world: World, dice: Dice, ballast_bytes: int) -> None:
        self._world = world
        self._dice = dice
        self._ballast = bytes(ballast_bytes)
        self._asked: dict[tuple[str, str], int] = {}  # messages, by spring and mouth
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
            spring, mouth, amount = dice.choose(_SPRINGS), dice.choose(_MOUTHS), 1 + dice.below(4)
            self._asked[spring, mouth] = self._asked.get((spring, mouth), 0) + amount
            command = pb.ChangeAlpha(key=spring, deed=mouth, amount=amount, ballast=self._ballast)
            await self._insist(dice, command, f"{number} {count}")
            self._done += 1
            await self._world.sleep(dice.between(0.0, 0.3))

    async def _insist(self, dice: Dice, command: pb.ChangeAlpha, name: str) -> None:
        """Send it under one id to one node after another, until one says that it was handled."""
        asked_ms = int(self._world.ports.clock.now_s() * 1000)  # ids begin with it: what is too old is refused
        id = asked_ms.to_bytes(6, "big") + blake2b(name.encode(), digest_size=10).digest()

        async def send(node: Node) -> None:
            await node.client.ask(command, timeout=_CALL_S, message_id=id, process=STREAM)

        while True:
            try:
                await dice.choose(self._world.nodes).call(send, timeout_s=_CALL_S)
                return
            except AmendsError:
                await self._world.sleep(dice.between(0.02, 0.6))

    # --- looking ---

    def check(self) -> Iterator[Violation]:
        springs, mouths = self._states("alpha"), self._states("beta")
        for mouth in mouths.values():
            yield from (Violation("I7", what) for what in mouth.wrong)
        for (spring, mouth_key), amount in self._asked.items():
            sent = counted(springs.get(spring, pb.ParticipantState()), mouth_key).dos
            taken = counted(mouths.get(mouth_key, pb.ParticipantState()), spring).dos
            if not sent == taken == amount:
                text = f"{spring} sent {sent} messages to {mouth_key}, which took {taken}; clients asked for {amount}"
                yield Violation("I2", text)

    def _states(self, kind: str) -> dict[str, pb.ParticipantState]:
        return {row.key: pb.ParticipantState.FromString(row.state) for row in self._world.ledger.rows_of(kind)}

    def excuses(self, row: ActorRow | MailRow) -> bool:
        """Nothing: no message is ever given up."""
        return False

    def figures(self) -> dict[str, int]:
        return {
            "started": _CLIENTS * _COMMANDS,
            "completed": self._done,
            "messages": sum(self._asked.values()),
        }


def _settings(dice: Dice) -> dict[str, Any]:
    """Mostly so little room that what is pushed has to be left in the store."""
    return {
        "mailbox_max": dice.choose((1000, 1, 2, 5)),
        "activations_max": dice.choose((5000, 1, 2)),
        "turn_messages_max": dice.choose((64, 1, 3)),
        "turn_bytes_max": dice.choose((1 << 20, 1024)),
    }
