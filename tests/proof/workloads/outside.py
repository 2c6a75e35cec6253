"""Sagas whose first step charges at a bank outside of the system, which loses answers: a look-up asks it what it did.

python -m tests.proof simulate --workload outside

client ──Begin──▶ origin ──Begun──▶ charging: ChangeAlpha, which may be given up; then ChangeBeta, which may be refused
alpha ──charge, find, refund──▶ the bank: it answers, declines, is down, charges and loses the answer, or charges later
operator ──replay──▶ dead letters: commands that were given up, and probes whose look-ups were

At rest who completed has paid once, and who turned back has paid nothing, or got it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Unpack

from google.protobuf.message import Message

from runtime.durable.behaviour import RetryPolicy
from runtime.durable.client import CommandOptions
from runtime.durable.look_up import Absent, looks_up
from runtime.durable.service import Service
from runtime.errors import AmendsError, StoreError
from runtime.host import Node
from runtime.operate.dead_letters import Act, NotParked, carry_out, dead_letters, replay
from runtime.ports import Clock
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.catalogue import Catalogue
from runtime.saga.on import on
from runtime.saga.probe import ASK_AGAIN, Probe
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.store.records import ActorRow, MailRow
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.cluster import SimCluster
from runtime.testing.world.world import World
from tests.proof.programs import programs_pb2 as pb
from tests.proof.workloads.awaited import Starter

__all__ = ["Outside", "outside"]

_SAGAS = 16
_CLIENTS = 4
_CALL_S = 5.0
_LETTERS_MAX = 200
_RETRIES = RetryPolicy(immediate=2, delays=(0.3,), jitter=0.0)
_ENDLESS = 1_000  # So often something fails which never works.
_KIND = "charging"


@dataclass(slots=True)
class BankAccount:
    """What the bank does for one customer."""

    declines: bool = False
    charges: bool = True  # before it fails; False: it is down
    later_s: float = 0.0  # it charges so long after it was asked, and knows nothing until then
    fails: int = 0  # so many calls to charge fail
    find_fails: int = 0  # so many questions fail
    charged: dict[bytes, float] = field(default_factory=dict)  # When, by the key of the charge.
    refunded: dict[bytes, None] = field(default_factory=dict)


class BankFails(Exception):
    """Nobody can tell what the bank has done."""


class ClumsyBank:
    """It outlives all nodes. A charge has the id of its command as its key, and the same key is charged once."""

    def __init__(self) -> None:
        self.clock: Clock | None = None
        self.accounts: dict[str, BankAccount] = {}

    def _now_s(self) -> float:
        return 0.0 if self.clock is None else self.clock.now_s()

    def charge(self, customer: str, key: bytes) -> bool:
        """False: declined. Raises BankFails, having charged or not."""
        account = self.accounts[customer]
        if account.declines:
            return False
        if account.charges or not account.fails:
            account.charged.setdefault(key, self._now_s() + account.later_s)
        if account.fails:
            account.fails -= 1
            raise BankFails(f"no answer to the charge of {customer}")
        return True

    def find(self, customer: str, key: bytes) -> bool | None:
        """True: charged; False: declined; None: it has no such charge, and works on none. Raises BankFails."""
        account = self.accounts[customer]
        if account.find_fails:
            account.find_fails -= 1
            raise BankFails(f"no answer to who asks about {customer}")
        if account.declines:
            return False
        if key not in account.charged:
            return None
        if account.charged[key] > self._now_s():
            raise BankFails(f"the bank works on the charge of {customer}")
        return True

    def refund(self, customer: str) -> None:
        """Give back all that was charged, each once."""
        account = self.accounts[customer]
        account.refunded.update(dict.fromkeys(account.charged))

    def paid(self, customer: str) -> int:
        account = self.accounts[customer]
        return len(account.charged) - len(account.refunded)


class ChargingAlpha(Service[pb.ParticipantState], kind="alpha", retries=_RETRIES):
    def __init__(self, bank: ClumsyBank) -> None:
        self.bank = bank

    async def pay(self, command: pb.ChangeAlpha) -> pb.AlphaChanged | pb.AlphaRefused:
        if not self.bank.charge(self.key, self.message_id):
            return pb.AlphaRefused(key=self.key)
        self.state.on_hand += 1
        return pb.AlphaChanged(key=self.key)

    @looks_up(pay)
    async def was_paid(self, command: pb.ChangeAlpha) -> pb.AlphaChanged | pb.AlphaRefused | Absent:
        self.state.on_hand += 1  # Taken back if it turns out that nobody can tell.
        charged = self.bank.find(self.key, self.message_id)
        if charged:
            return pb.AlphaChanged(key=self.key, deed="looked up")
        self.state.on_hand -= 1
        return Absent() if charged is None else pb.AlphaRefused(key=self.key)

    async def pay_back(self, command: pb.RestoreAlpha) -> pb.AlphaRestored:
        self.bank.refund(self.key)
        self.state.on_hand -= not self.do_failed
        return pb.AlphaRestored(key=self.key)


class TakenShelf(Service[pb.ParticipantState], kind="beta"):
    async def take(self, command: pb.ChangeBeta) -> pb.BetaChanged | pb.BetaRefused:
        return pb.BetaRefused(key=self.key) if self.key.endswith("|no") else pb.BetaChanged(key=self.key)


def _begin(event: pb.Begun) -> pb.FirstState:
    return pb.FirstState(key=event.key)


def _pay(state: pb.FirstState) -> pb.ChangeAlpha:
    return pb.ChangeAlpha(key=state.key)


def _pay_back(state: pb.FirstState) -> pb.RestoreAlpha:
    return pb.RestoreAlpha(key=state.key)


def _take(state: pb.FirstState) -> pb.ChangeBeta:
    return pb.ChangeBeta(key=state.key)


def _note(state: pb.FirstState, answer: pb.AlphaChanged) -> None:
    state.run = answer.deed


class Charges(Saga[pb.FirstState], kind=_KIND):
    started_by = on(pb.Begun, _begin, where={"process": 1})
    pay = Step(
        _pay,
        pb.AlphaChanged,
        pb.AlphaRefused,
        undo=_pay_back,
        undone=pb.AlphaRestored,
        on_answer=_note,
        timeout=4.0,
        budget=Budget(asks_max=3),
        probe=Probe(absent=ASK_AGAIN, asks_max=4),
    )
    take = Step(
        _take, pb.BetaChanged, pb.BetaRefused, no_undo="nothing is taken before it is handed over", timeout=60.0
    )
    flow = pay >> take


class Outside:
    """The workload, and the deployment of one seed: each has a bank of its own."""

    hazards = ("pause",) * 2

    def __init__(self) -> None:
        services: dict[str, Any] = {
            "origin": [Starter],
            "alpha": [ChargingAlpha],
            "beta": [TakenShelf],
            "charges": [Charges],
        }
        self.bank = ClumsyBank()
        self.catalogue = Catalogue(contracts=[pb], services=services, provides={ClumsyBank: self._bank})
        self.settings: dict[str, Any] = {}
        self.expects = ("completed", "compensated", "looked up", "absent", "replayed", "refunded")
        self.never = ()

    def _bank(self) -> ClumsyBank:
        return self.bank

    def deploy(self, dice: Dice) -> Outside:
        return Outside()

    def begin(self, world: World, dice: Dice) -> PayingClients:
        """Raises TypeError in a world whose dead letters no operator can reach."""
        if not isinstance(world, SimCluster):
            raise TypeError(f"operators replay letters in a SimCluster, not in a {type(world).__name__}")
        return PayingClients(world, dice, self.bank)


outside = Outside


class PayingClients:
    """Clients that start sagas, and an operator who replays dead letters at any time."""

    def __init__(self, cluster: SimCluster, dice: Dice, bank: ClumsyBank) -> None:
        self._cluster = cluster
        self._dice = dice
        self._bank = bank
        self._begun: dict[str, None] = {}
        self._replayed = 0
        self._has_begun_all = False
        bank.clock = cluster.ports.clock

    async def run(self) -> None:
        start = self._cluster.ports.tasks.start
        operator = start(self._operate(self._dice.named("operator")), name="operator")
        for client in [start(self._client(number), name=f"client {number}") for number in range(_CLIENTS)]:
            await client
        self._has_begun_all = True
        await operator

    async def _client(self, number: int) -> None:
        for count in range(number, _SAGAS, _CLIENTS):
            dice = self._dice.named(f"saga {count}")
            if dice.keeps():
                key = f"{count}|1|{'no' if dice.chance(0.2) else 'ok'}"
                self._bank.accounts[key] = _account(dice.named("bank"))
                await self._cluster.sleep(dice.fraction())
                await self._insist(dice, pb.Begin(run=key), f"begin {key}")
                self._begun[key] = None

    async def _operate(self, dice: Dice) -> None:
        """Replay letters until all sagas have ended, each as likely as not to be in vain."""
        store = self._cluster.store_of("operator", dice.named("store"))
        while not (self._has_begun_all and self._have_ended()):
            await self._cluster.sleep(dice.between(0.5, 3.0))
            with suppress(StoreError):
                for letter in await dead_letters(store, limit=_LETTERS_MAX):
                    if dice.chance(0.2):
                        with suppress(NotParked):
                            act = Act("the night shift", self._cluster.ports.clock.now_s(), "the bank is back")
                            await carry_out(store, replay(letter, act))
                            self._replayed += 1

    def _have_ended(self) -> bool:
        return all(one.ended_at_s for one in self._records().values())

    async def _insist(self, dice: Dice, command: Message, name: str, **options: Unpack[CommandOptions]) -> None:
        """Send it under one id to one node after another, until one says that it was handled."""
        asked_ms = int(self._cluster.ports.clock.now_s() * 1000)
        options["message_id"] = asked_ms.to_bytes(6, "big") + blake2b(name.encode(), digest_size=10).digest()

        async def send(node: Node) -> object:
            return await node.client.ask(command, timeout=_CALL_S, **options)

        while True:
            try:
                await dice.choose(self._cluster.nodes).call(send, timeout_s=_CALL_S)
            except AmendsError:
                await self._cluster.sleep(dice.between(0.02, 0.6))
            else:
                return

    # --- looking ---

    def check(self) -> Iterator[Violation]:
        records = self._records()
        if sorted(records) != sorted(self._begun):
            yield Violation("I1", f"{len(records)} sagas are there, and {len(self._begun)} were begun")
        states = {row.key: pb.ParticipantState.FromString(row.state) for row in self._cluster.ledger.rows_of("alpha")}
        for key, record in records.items():
            has_completed = record.status == SagaRecord.COMPLETED
            if not (has_completed or record.status == SagaRecord.COMPENSATED):
                what = f"it is {SagaRecord.Status.Name(record.status)} at rest: {record.stuck_reason}"
                yield Violation("I4", f"{key}: {what}", record.conversation)
                continue
            said = f"{key} is {SagaRecord.Status.Name(record.status)} ({record.reason})"
            if self._bank.paid(key) != has_completed:
                yield Violation("I5", f"{said}, and has paid {self._bank.paid(key)} times", record.conversation)
            if (booked := states[key].on_hand) != has_completed:
                yield Violation("I5", f"{said}, and alpha has {booked} payments", record.conversation)

    def _records(self) -> dict[str, SagaRecord]:
        return {row.key: SagaRecord.FromString(row.state) for row in self._cluster.ledger.rows_of(_KIND)}

    def excuses(self, row: ActorRow | MailRow) -> bool:
        """A letter that nobody has replayed, or in vain: its saga has ended without it."""
        return isinstance(row, MailRow) and bool(row.parked)

    def figures(self) -> dict[str, int]:
        records = self._records().values()
        states = [pb.FirstState.FromString(one.state) for one in records]
        return {
            "started": len(self._begun),
            "completed": sum(one.status == SagaRecord.COMPLETED for one in records),
            "compensated": sum(one.status == SagaRecord.COMPENSATED for one in records),
            "looked up": sum(one.run == "looked up" for one in states),
            "absent": sum(one.tasks[0].probe.status != 0 and one.tasks[0].do.attempts > 1 for one in records),
            "replayed": self._replayed,
            "refunded": sum(bool(one.refunded) for one in self._bank.accounts.values()),
        }


def _account(dice: Dice) -> BankAccount:
    fails = dice.choose((0, 0, 2, 6, 8, _ENDLESS))
    return BankAccount(
        declines=dice.chance(0.1),
        charges=dice.chance(0.6),
        later_s=dice.choose((0.0, 0.0, 0.2, 3.0)),
        fails=fails,
        find_fails=dice.choose((0, 0, 2, 4, _ENDLESS)),
    )
