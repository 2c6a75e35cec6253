"""Clients of one program: they start and cancel runs, ask participants directly, ask twice, and send invalid messages.

    ProgramClients ──insist──▶ Client.ask on one node after another, until there is an answer ──▶ Told

The answers are kept, and compared at rest with what is true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from runtime.durable.client import CommandOutcome
from runtime.errors import AmendsError, InvalidMessage, MessageTooOld
from runtime.host import Node
from runtime.protos.saga_pb2 import CancelSaga
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.keys import KEY_EVENTS, values_of
from tests.proof.programs.program import Deed, Program, Run
from tests.proof.programs.vocabulary import PARTICIPANTS, RELAY, words_of

__all__ = ["ProgramClients", "Request", "Told"]

_CALL_S = 5.0
_CLIENTS = 4
_OLD_AFTER_S = 90.0  # The purge may forget a request so long after the retention.
_WEEK_S = 7 * 86_400.0  # The default retention.
_CLOCKS_S = 86_400.0  # No clock is wrong by so much.


@dataclass(slots=True)
class Told:
    """The answers to clients, by what they asked for."""

    begun: dict[str, list[Message | None]] = field(default_factory=dict)  # The keys are runs.
    cancelled: dict[str, list[Message | None]] = field(default_factory=dict)  # The keys are runs.
    direct: dict[str, list[Message | None]] = field(default_factory=dict)  # The keys are deeds.
    faults: dict[str, str] = field(default_factory=dict)  # The keys are runs, deeds, or other requests.
    junk: dict[bytes, str] = field(default_factory=dict)  # By id, the messages that cannot be handled.
    never: dict[str, None] = field(default_factory=dict)  # Deeds that nobody may do.
    wrong: list[tuple[str, str]] = field(default_factory=list)  # Pairs of an invariant and a text.
    too_old: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One message of a client, which is sent again until it is answered."""

    command: Message
    dice: Dice = field(repr=False)  # They decide which node is asked, and when again.
    id: bytes = b""
    kind: str = ""
    key: str = ""


class ProgramClients:
    """All clients of one run."""

    def __init__(self, world: World, program: Program, dice: Dice) -> None:
        self._world = world
        self._program = program
        self._dice = dice
        self._ids = dice.untaped("ids")
        self.told = Told()
        self._direct: list[Request] = []

    async def run(self) -> None:
        """Return when every client has an answer to all its requests."""
        start = self._world.ports.tasks.start
        running = [start(self._client(number), name=f"client {number}") for number in range(_CLIENTS)]
        if self._program.features.has("junk"):
            running.append(start(self._sends_junk(), name="client of nothing"))
        if self._program.features.has("old ids"):
            running.append(start(self._sends_what_is_old(), name="client of long ago"))
        for task in running:
            await task

    async def ask_again_late(self) -> None:
        """Repeat requests that were handled long ago, now that they may be forgotten."""
        if not self._program.features.has("old requests") or not self._direct:
            return
        await self._world.sleep(float(self._program.settings["retention_s"]) + _OLD_AFTER_S)
        for request in self._direct:
            await self._is_too_old(request)

    async def _sends_what_is_old(self) -> None:
        """Send requests with old ids. Nobody knows whether they were handled then, so they must be refused now."""
        dice = self._dice.named("long ago")
        words = dice.choose(PARTICIPANTS)
        for age_s in dice.some((_WEEK_S + 60.0 + _CLOCKS_S, 10 * _WEEK_S)):
            deed = f"long ago {age_s:.0f}"
            self.told.never[deed] = None
            await self._is_too_old(Request(words.change(key="one", deed=deed, amount=1), dice, self._new_id(age_s)))

    async def _is_too_old(self, request: Request) -> None:
        answer = await self._insist(request)
        if isinstance(answer, MessageTooOld):
            self.told.too_old += 1
        else:
            text = f"{request.id.hex()} is older than anybody remembers, and was taken: {request.command} {answer}"
            self.told.wrong.append(("I14", text))

    async def _client(self, number: int) -> None:
        """Ask for every fourth run and deed, one after another. Each has dice of its own."""
        asked = [run for run in self._program.runs if not (run.parent or run.leader)]
        for run in asked[number::_CLIENTS]:
            dice = self._dice.named(run.name)
            if dice.keeps():
                await self._asks_for(run, dice)
                await self._world.sleep(dice.between(0.0, 0.5))
        for deed in self._program.direct[number::_CLIENTS]:
            dice = self._dice.named(deed.name)
            if dice.keeps():
                await self._changes(deed, dice)

    # --- runs ---

    async def _asks_for(self, run: Run, dice: Dice) -> None:
        start = self._world.ports.tasks.start
        id = self._new_id() if dice.chance(0.5) else b""
        begin = Request(pb.Begin(run=run.name, ballast=bytes(run.ballast_bytes)), dice, id)
        beside = []
        if dice.chance(0.2):
            beside.append(start(self._begins(run, begin), name="begin again"))
        for one in (run, *(other for other in self._program.runs if other.leader == run.name)):
            own = dice if one is run else self._dice.named(f"beside {one.name}")
            if one.process != RELAY and self._program.features.has("cancels") and own.chance(0.3):
                beside.append(start(self._cancels(one), name="cancel"))
            beside += [start(words, name="tidings") for words in self._tidings(one)]
        await self._begins(run, begin)
        if dice.chance(0.1):
            await self._begins(run, begin)
        for task in beside:
            await task

    def _tidings(self, run: Run) -> Iterator[Any]:
        """The events that this run waits for: some come early, some late, some never."""
        plan = self._program.saga_of(run)
        if plan is None:
            return
        for index in plan.detours.events_s:
            key = f"{run.name}#{plan.steps[index].name}"
            dice = self._dice.named(f"tidings {key}")
            if not dice.chance(0.25):
                yield self._says(run, pb.Tidings(key=key), key, dice)
        for one in plan.detours.keys:
            for number, key in enumerate((*values_of(one, run), *values_of(one, run))):
                dice = self._dice.named(f"{one.name} {number} of {run.name}")
                if dice.chance(0.5):
                    event = KEY_EVENTS[one.name](key=key, content=f"{number} of {run.name}")
                    yield self._says(run, event, key, dice)

    async def _says(self, run: Run, event: Message, key: str, dice: Dice) -> None:
        await self._world.sleep(dice.choose((0.0, 0.5, 3.0, 8.0)) * dice.fraction())
        await self._expect(Request(event, dice, self._new_id(), kind=f"{run.process}-keys", key=key), key)

    async def _begins(self, run: Run, request: Request) -> None:
        reply = await self._expect(request, run.name)
        if reply is not None and not reply.fault:
            self.told.begun.setdefault(run.name, []).append(reply.message)

    async def _cancels(self, run: Run) -> None:
        dice = self._dice.named(f"cancel {run.name}")
        await self._world.sleep(dice.choose((0.0, 0.1, 1.0, 6.0)) * dice.fraction())
        request = Request(CancelSaga(reason="changed my mind"), dice, kind=run.process, key=run.key)
        reply = await self._expect(request, run.name)
        if reply is not None and not reply.fault:
            self.told.cancelled.setdefault(run.name, []).append(reply.message)

    # --- participants ---

    async def _changes(self, deed: Deed, dice: Dice) -> None:
        """Ask for a change, perhaps twice at once, under one id. The participant does not check for repetitions."""
        request = Request(self._change_of(deed), dice, self._new_id())
        self._direct.append(request)
        twice = None
        if dice.chance(0.4):
            twice = self._world.ports.tasks.start(self._changes_once(deed, request), name="change again")
        await self._changes_once(deed, request)
        if twice is not None:
            await twice
        if dice.chance(0.3):
            await self._contradicts(deed, request)
        elsewhere = dice.named("elsewhere")
        if elsewhere.chance(0.3):
            await self._claims_elsewhere(deed, request, elsewhere)

    async def _changes_once(self, deed: Deed, request: Request) -> None:
        reply = await self._expect(request, deed.name)
        if reply is not None and not reply.fault:
            self.told.direct.setdefault(deed.name, []).append(reply.message)

    async def _contradicts(self, deed: Deed, request: Request) -> None:
        """Send another change under the id of a known one: only the first may count."""
        other = f"{deed.name} otherwise"
        self.told.never[other] = None
        command = words_of(deed.kind).change(key=deed.key, deed=other, amount=1)
        reply = await self._expect(Request(command, request.dice, request.id), deed.name)
        if reply is not None and reply.message is not None:
            self.told.wrong.append(("I11", f"{other} was answered under an id that was taken: {reply.message}"))

    async def _claims_elsewhere(self, deed: Deed, request: Request, dice: Dice) -> None:
        """Send a change of another participant under the id of a known one: it must be refused."""
        other = f"{deed.name} elsewhere"
        self.told.never[other] = None
        words = dice.choose([one for one in PARTICIPANTS if one.kind != deed.kind])
        command = words.change(key=deed.key, deed=other, amount=1)
        answer = await self._insist(Request(command, dice, request.id))
        if not isinstance(answer, InvalidMessage):
            text = f"{other} was not refused under an id that was taken: {answer.message} {answer.fault}"
            self.told.wrong.append(("I11", text))

    def _change_of(self, deed: Deed) -> Message:
        ballast = bytes(deed.do.ballast_bytes)
        made: Message = words_of(deed.kind).change(key=deed.key, deed=deed.name, amount=deed.amount, ballast=ballast)
        return made

    # --- invalid messages ---

    async def _sends_junk(self) -> None:
        dice = self._dice.named("junk")
        words = dice.choose(PARTICIPANTS)
        limit = int(self._program.settings.get("message_bytes_max", 1 << 20))
        refused = (
            Request(words.change(deed="nothing", amount=1), dice),  # It has no key.
            Request(words.changed(key="one"), dice),  # It is an event, and has no receiver.
            Request(words.change(key="one", deed="nothing"), dice, id=b"short"),
            Request(words.change(key="one", deed="nothing", ballast=bytes(limit + 1)), dice),
        )
        parked = (
            Request(words.change(key="one", deed="nothing"), dice, self._new_id()),
            Request(words.changed(key="one"), dice, self._new_id(), words.kind, "one"),
            Request(pb.Begin(run="nothing"), dice, self._new_id()),
            Request(pb.Begin(run="nothing"), dice, self._new_id(), words.kind, "one"),
            Request(pb.Begin(run="nothing"), dice, self._new_id(), self._program.sagas[0].kind, "one"),
        )
        for request in dice.some(refused):
            answer = await self._insist(request)
            if not isinstance(answer, InvalidMessage):
                self.told.wrong.append(("I9", f"{request.command} was taken, and nobody can handle it"))
        for request in dice.some(parked):
            self.told.junk[request.id] = f"{request.command}"
            answer = await self._insist(request)
            if isinstance(answer, InvalidMessage) or not answer.fault:
                self.told.wrong.append(("I9", f"{request.command} cannot be handled, and its sender was told {answer}"))

    # --- asking ---

    async def _expect(self, request: Request, about: str) -> CommandOutcome | None:
        """The outcome of a request that no node may refuse."""
        answer = await self._insist(request)
        if isinstance(answer, InvalidMessage):
            self.told.wrong.append(("I11", f"{about} was refused: {answer}"))
            return None
        if answer.fault:
            self.told.faults[about] = answer.fault
        return answer

    async def _insist(self, request: Request) -> CommandOutcome | InvalidMessage:
        """Ask one node after another until one answers."""
        dice, nodes = request.dice, self._world.nodes
        options: dict[str, Any] = {"message_id": request.id, "kind": request.kind, "key": request.key}

        async def send(node: Node) -> CommandOutcome:
            return await node.client.ask(request.command, timeout=_CALL_S, **options)

        while True:
            try:
                return await dice.choose(nodes).call(send, timeout_s=_CALL_S)
            except InvalidMessage as error:
                return error
            except AmendsError:
                pass  # Whatever its outcome was, asking again under the same id does no harm.
            await self._world.sleep(dice.between(0.02, 0.6))

    def _new_id(self, age_s: float = 0.0) -> bytes:
        """A valid id: the time at which it was made, then random bytes."""
        return int((self._world.ports.clock.now_s() - age_s) * 1000).to_bytes(6, "big") + self._ids.new_id()[:10]
