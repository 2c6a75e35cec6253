"""Mutants of kinds that have another name now: those that the workload of a rename has, and those of names alone."""

from __future__ import annotations

from runtime.durable.enrolment import claim_names
from runtime.durable.node_client import NodeClient
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.saga.addressed import addressed
from runtime.store.memory_members import MemoryMembers
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["NAMES", "TOLD_NAMES"]

NAMES = (
    Mutant(
        "renamed-participant-asked-by-its-new-name",
        "A saga sends its commands to a kind by its new name, by which the store knows nobody.",
        (Edit(addressed, "if not names.renamed:", "if True:"),),
        workload="renamed",
    ),
    Mutant(
        "renamed-service-hosted-by-its-new-name",
        "A service that was renamed acts as a kind of its own, beside the one that the store knows.",
        (Edit(ServiceBehaviour.__init__, "service.kind_names[0]", "service.kind"),),
        workload="renamed",
    ),
)

_UNSEEN = "no simulated build has wrong names"

TOLD_NAMES = (
    Mutant(
        "wrong-names-taken",
        "A node whose build gives a name of a kind to another one starts all the same.",
        (Edit(claim_names, 'raise InvalidDefinition("; ".join(wrong))', "pass"),),
        unseen=_UNSEEN,
        held_by="tests/unit/durable/test_claimed_names.py",
    ),
    Mutant(
        "a-kept-name-written-over",
        "A store lets a name of a kind stand for another one from now on.",
        (
            Edit(
                MemoryMembers.keep_kind_names,
                "if all(self._kind_names.get(name, kind) == kind for name, kind in names.items()):",
                "if True:",
            ),
        ),
        unseen=_UNSEEN,
        held_by="tests/unit/durable/test_claimed_names.py",
    ),
    Mutant(
        "read-by-the-new-name",
        "A client that reads an actor by the new name of its kind finds nothing.",
        (Edit(NodeClient.read, "self._contracts.names.stored(kind)", "kind"),),
        unseen="clients of the simulation read by the names that the store has",
        held_by="tests/cluster/test_renamed_kinds.py::test_nodes_of_both_builds_run_at_once_and_a_key_has_one_actor",
    ),
)
