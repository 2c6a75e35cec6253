"""Random programs as a workload: each seed deploys a program of its own, runs it, and checks every promise.

python -m tests.proof simulate --workload random

RandomPrograms.deploy ──▶ drawing ──▶ Program ──▶ Deployed (catalogue) ──begin──▶ ProgramPlay
        acting:   ProgramClients, Operators ◀───────────────────────────────────────┤
        checking: endings, books, undo_order, told_checks ◀─────────────────────────┘
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from runtime.protos.saga_pb2 import CancelAccepted, SagaRecord
from runtime.saga.catalogue import Catalogue, Hosted
from runtime.store.records import ActorRow, MailRow, Outcome
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.cluster import SimCluster
from runtime.testing.world.world import World
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.books import check_books
from tests.proof.programs.carried import check_carried, was_carried
from tests.proof.programs.clients import ProgramClients
from tests.proof.programs.drawing import draw_program
from tests.proof.programs.endings import check_relay, check_saga, is_spoiled, relay_ending
from tests.proof.programs.evidence import Evidence
from tests.proof.programs.external_effects import POISONED, ExternalEffects
from tests.proof.programs.families import check_child, is_kept
from tests.proof.programs.keys import check_keys, is_taken, key_figures
from tests.proof.programs.locks import check_locks
from tests.proof.programs.nagging import check_reminders, nags_of
from tests.proof.programs.news import check_approvals, check_news
from tests.proof.programs.next_version import later_version
from tests.proof.programs.operators import Operators
from tests.proof.programs.origin import origin_class
from tests.proof.programs.participants import participant_classes
from tests.proof.programs.program import Program, first_names
from tests.proof.programs.relays import relay_class
from tests.proof.programs.repairs import Repairs, check_repairs
from tests.proof.programs.sagas import RAISED, saga_class
from tests.proof.programs.together import check_together, several_of
from tests.proof.programs.told_checks import check_told, check_traces
from tests.proof.programs.undo_order import check_undo_order
from tests.proof.programs.vocabulary import RELAY, deed_of
from tests.proof.workloads.deploying import deploy

__all__ = ["Deployed", "ProgramPlay", "RandomPrograms"]

_LOOK_S = 0.25


class RandomPrograms:
    """The workload."""

    expects = (
        *("FIRED", "FAULTED", "IGNORED", "DUPLICATE"),
        *("completed", "compensated", "stuck", "cancelled", "relays put back"),
        *("poisoned", "replayed", "discarded", "too old", "handled unposted"),
        *("timers fired", "timers moved", "timers cancelled"),
        "version rolled out",
        *("locks granted", "locks lost", "reminded", "started together", "carried over"),
        *("keys asked for", "heard by a key", "keys taken"),
    )
    never = ()

    def deploy(self, dice: Dice) -> Deployed:
        return Deployed(draw_program(dice), dice.named("next version"))


class Deployed:
    """One program as hosted classes, and a next version that may be rolled out during the run."""

    def __init__(self, program: Program, dice: Dice) -> None:
        self.program = program
        self.later = later_version(program, dice)
        self.outside = ExternalEffects()
        self.settings = program.settings
        self.catalogue = _catalogue(program, self.outside)
        self.hazards = ("roll out",) * 3 if self.has_other_steps else ()

    @property
    def has_other_steps(self) -> bool:
        """Whether only the next version can carry on all instances."""
        return any(plan.earlier is not None for plan in self.later.sagas)

    def next_catalogue(self) -> Catalogue:
        return _catalogue(self.later, self.outside)

    def begin(self, world: World, dice: Dice) -> ProgramPlay:
        """Raises TypeError in a world whose database the operators of the program cannot reach."""
        if not isinstance(world, SimCluster):
            raise TypeError(f"random programs run in a SimCluster, not in a {type(world).__name__}")
        self.outside.clock = world.ports.clock
        return ProgramPlay(self, world, dice)


def _catalogue(program: Program, outside: ExternalEffects) -> Catalogue:
    alpha, beta, gamma, delta = participant_classes(program, outside)
    services: dict[str, list[Hosted]] = {
        "origin": [origin_class(program, outside)],
        "accounts": [alpha, beta],
        "counters": [gamma, delta],
        "sagas": [saga_class(program, plan) for plan in program.sagas],
    }
    relays = [] if program.relay is None else [relay_class(program, program.relay)]
    return Catalogue(contracts=[pb], services=services, choreographies=relays, several=several_of(program))


class ProgramPlay:
    """One running program, and the checks at its end."""

    def __init__(self, deployed: Deployed, cluster: SimCluster, dice: Dice) -> None:
        self._deployed = deployed
        self._program = deployed.program
        self._outside = deployed.outside
        self._cluster = cluster
        self._clients = ProgramClients(cluster, deployed.program, dice.named("wishes"))
        self._operators = Operators(cluster, deployed.program, deployed.outside, dice.named("operators"))
        self._repairs = Repairs(cluster, dice.named("repairs"))
        self._found: Evidence | None = None

    async def run(self) -> None:
        operators = self._operators
        watch = self._cluster.ports.tasks.start(operators.watch(), name="operators")
        repairs = self._cluster.ports.tasks.start(self._repairs.watch(), name="repairs")
        last = self._cluster.ports.tasks.start(self._end_with_the_next_version(), name="last roll-out")
        await self._clients.run()
        operators.clients_are_done = self._repairs.clients_are_done = True
        await watch
        await repairs
        await last
        await self._repairs.let_all_end()
        await operators.settle_what_is_left()
        await self._clients.ask_again_late()

    async def _end_with_the_next_version(self) -> None:
        """Once all is healed, every node runs the version that carries on whatever any version has begun."""
        if not self._deployed.has_other_steps:
            return
        while not self._cluster.healed:
            await self._cluster.sleep(_LOOK_S)
        await deploy(self._cluster, {node.name: 1 for node in self._cluster.nodes})

    # --- checking ---

    @property
    def _evidence(self) -> Evidence:
        if self._found is None:
            self._found = Evidence(self._cluster.ledger)
        return self._found

    def check(self) -> Iterator[Violation]:
        evidence, program = self._evidence, self._program
        for run in program.runs:
            plan = program.saga_of(run)
            if plan is None:
                yield from check_relay(evidence, run)
            else:
                yield from check_saga(evidence, plan, run)
                yield from check_undo_order(evidence, plan, run)
            parent = next((one for one in program.runs if one.name == run.parent), None)
            if parent is not None and (parents := program.saga_of(parent)) is not None:
                yield from check_child(evidence, parents, run)
        yield from check_books(evidence, program)
        yield from check_told(evidence, program, self._clients.told)
        yield from check_traces(evidence)
        yield from check_repairs(evidence)
        yield from check_news(evidence, program)
        yield from check_approvals(evidence, program)
        yield from check_together(evidence, program)
        if self._deployed.has_other_steps:
            plans = {plan.kind: plan for plan in self._deployed.later.sagas}
            versions = (self._deployed.catalogue.sagas, self._deployed.next_catalogue().sagas)
            yield from check_carried(evidence, *versions, plans)
        yield from check_locks(evidence, program)
        yield from check_keys(evidence, program)
        yield from check_reminders(evidence, program)
        yield from (Violation("I2", what) for what in self._outside.wrong)

    def excuses(self, row: ActorRow | MailRow) -> bool:
        return self._excuses_letter(row) if isinstance(row, MailRow) else self._excuses_saga(row)

    def _excuses_saga(self, row: ActorRow) -> bool:
        """Whether the program made the saga stuck, or the row is no saga, since it was cancelled before its start."""
        record = SagaRecord.FromString(row.state)
        if not record.definition:
            return True
        run = next((one for one in self._program.runs if one.name == f"{row.kind}|{row.key}"), None)
        is_stuck = record.status == SagaRecord.STUCK and run is not None
        if not is_stuck or run is None:
            return False
        found, reason = self._evidence, first_names(record.stuck_reason)
        program = self._program
        return is_spoiled(found, run, reason) or any(
            excuses(found, program, run, reason) for excuses in (is_kept, is_taken)
        )

    def _excuses_letter(self, mail: MailRow) -> bool:
        if mail.id in self._clients.told.junk or mail.id in self._operators.garbage:
            return True
        for run in self._program.runs:
            if run.begin_raises and any(one.envelope.id == mail.id for one in self._evidence.starts.get(run.name, [])):
                return RAISED in mail.parked
        sent = next((one for row, one in self._cluster.ledger.sent() if row.id == mail.id), None)
        found = None if sent is None else deed_of(sent)
        deed = next((one for one in self._program.all_deeds() if found is not None and one.name == found[0]), None)
        if deed is None or found is None:
            return False
        return (deed.undo if found[1] else deed.do).is_poison and POISONED in mail.parked

    def figures(self) -> dict[str, int]:
        found, program = self._evidence, self._program
        sagas = Counter(record.status for record, _ in found.records.values() if record.definition)
        relays = Counter(relay_ending(found, run) for run in program.runs if run.process == RELAY)
        told = self._clients.told
        accepted = [run for run, said in told.cancelled.items() if any(isinstance(one, CancelAccepted) for one in said)]
        figures = {
            "started": sum(sagas.values()) + sum(relays.values()) - relays[""],
            "completed": sagas[SagaRecord.COMPLETED] + relays["completed"],
            "compensated": sagas[SagaRecord.COMPENSATED],
            "stuck": sagas[SagaRecord.STUCK],
            "relays put back": relays["put back"],
            "relays halted": relays["halted"],
            "cancelled": len(accepted),
            "too old": told.too_old,
            "handled unposted": self._cluster.ledger.seen["UNPOSTED"],
            "handled together": self._cluster.ledger.seen["TOGETHER"],
            **self._operators.did,
            **self._repairs.did,
            "abandoned": sagas[SagaRecord.ABANDONED],
            "reminded": sum(1 for _ in nags_of(found)),
            "carried over": was_carried(found),
            "started together": sum(1 for run in program.runs if run.leader and run.name in found.starts),
            **self._locks(),
            **key_figures(found),
        }
        return {**figures, **self._timers(), "poisoned": self._cluster.facts["MessageParked"]}

    def _locks(self) -> dict[str, int]:
        records = [record for record, _ in self._evidence.records.values()]
        locks = [task.lock for record in records for task in record.tasks if task.HasField("lock")]
        return {
            "locks granted": sum(one.granted_at_s > 0 for one in locks),
            "locks lost": sum(one.lost_at_s > 0 for one in locks),
            "deadlocks": sum("deadlock: " in record.reason for record in records),
        }

    def _timers(self) -> dict[str, int]:
        states: list[Any] = [state for state, _ in self._evidence.participants.values()]
        states += self._evidence.origins.values()
        history = self._cluster.ledger.history.values()
        return {
            "timers set": sum(state.alarms_set for state in states),
            "timers moved": sum(state.alarms_moved for state in states),
            "timers cancelled": sum(state.alarms_cancelled for state in states),
            "timers fired": sum(row.outcome is Outcome.FIRED for rows in history for row in rows.values()),
        }
