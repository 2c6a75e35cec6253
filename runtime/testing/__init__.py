"""What users test their own services and sagas with. docs/howto/test-your-own-saga.md shows all of it at work.

    a saga by itself                SagaTranscript        given this message, expect those commands
    every schedule of a saga        explore               what comes in any order, twice, late, or not at all
    a deployment, step by step      Cluster               real nodes on virtual time; the fixture is in testing.fixtures
    a deployment under faults       simulate, Clients     thousands of hostile runs, each repeatable from its seed
    what no seed could repeat       check_catalogue       sets in their own order, clocks, randomness, ...
    what operators are to see       write_proofs          of explorations and simulations, as a file
    real processes                  Harness               started, killed, frozen, restarted
    a store of one's own            StoreConformance      the promises of the port, as tests
    a PostgreSQL of one's own       PostgresServer        a server in testing.processes.postgresql, or a fixture there

Only the modules called fixtures need pytest.
"""

from __future__ import annotations

from runtime.testing.cluster.clients import CommandFailed
from runtime.testing.cluster.cluster import Cluster, NotAtRest
from runtime.testing.cluster.loop import ClusterLoop
from runtime.testing.conformance.suite import StoreConformance
from runtime.testing.determinism.sources import check_catalogue
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.processes.harness import Harness, NodeProcess, NotInTime
from runtime.testing.proofs import write_proofs
from runtime.testing.rules.ledger import Violation
from runtime.testing.runs.clients import Clients
from runtime.testing.runs.seeds import SeedBatch, simulate
from runtime.testing.transcript import SagaTranscript
from runtime.testing.virtual.clock import VirtualClock, VirtualLoop
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.front import NodeDown
from runtime.testing.world.world import World

__all__ = [
    "Bounds",
    "Clients",
    "Cluster",
    "ClusterLoop",
    "CommandFailed",
    "Dice",
    "Harness",
    "NodeDown",
    "NodeProcess",
    "NotAtRest",
    "NotInTime",
    "SagaTranscript",
    "SeedBatch",
    "StoreConformance",
    "Violation",
    "VirtualClock",
    "VirtualLoop",
    "World",
    "check_catalogue",
    "explore",
    "simulate",
    "write_proofs",
]
