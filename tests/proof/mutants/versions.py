"""Mutants of instances whose saga has different versions on different nodes."""

from __future__ import annotations

from runtime.durable.carriers import Carriers
from runtime.saga import migration
from runtime.saga.behaviour import SagaBehaviour
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["VERSIONS"]

VERSIONS = (
    Mutant(
        "another-version's-instance-carried-on",
        "A saga carries on an instance of another version with other steps.",
        (
            Edit(
                SagaBehaviour.decide,
                "if state.definition and state.fingerprint != self.definition.fingerprint:",
                "if False:",
            ),
        ),
        workload="upgrade",
    ),
    Mutant(
        "another-version's-mail-passed-over",
        "Mail for an instance of another version counts as handled, and nothing is done.",
        (
            Edit(
                SagaBehaviour._not_ours,
                "raise NotCarried(error)",
                "return Decision(outcome=Outcome.IGNORED, note=error)",
            ),
        ),
        workload="upgrade",
    ),
    Mutant(
        "another-version's-timers-dropped",
        "A timer is used up when it falls due while no node can carry on its instance.",
        (Edit(SagaBehaviour._not_ours, "Decision(timers=(later,), outcome", "Decision(outcome"),),
        workload="upgrade",
    ),
    Mutant(
        "lent-and-nobody-told",
        "A node lends an instance to a node that has its version, and does not tell that node.",
        (Edit(Carriers.wake, "return self._signal(carrier[0], mesh_pb2.Signal(lend=lend))", "return True"),),
        workload="upgrade",
    ),
    Mutant(
        "carried-over-and-not-told",
        "An instance that is carried over goes on under the fingerprint of its older definition.",
        (Edit(migration._moved_on, "record.fingerprint = definition.fingerprint", "pass"),),
        workload="carry",
    ),
    Mutant(
        "carried-over-and-its-timers-left",
        "The timers of an instance that is carried over keep the old names of its steps, and nothing comes of them.",
        (Edit(SagaBehaviour._carry_over, "renamed=renamed,", ""),),
        workload="carry",
    ),
    Mutant(
        "version-between-not-told",
        "An instance that is carried over by way of a version between the two does not tell that version.",
        (
            Edit(
                migration.migrate, "record.CopyFrom(moved)", "record.CopyFrom(moved), record.earlier_fingerprints.pop()"
            ),
        ),
        workload="chain",
    ),
    Mutant(
        "carried-over-and-a-step-lost",
        "A step that is under way, and has another name in the newer definition, is begun anew there.",
        (
            Edit(migration._moved, "carried.tasks.get(task.path, task.path)", "task.path"),
            Edit(migration._check_droppable, "if record.status in _ENDED:", "if True:"),
        ),
        workload="carry",
    ),
)
