"""The shipped examples, one of them for each seed: a trip, a purchase, a transfer, or a plan of tools.

python -m tests.proof simulate --workload examples

Each is deployed as it is shipped, but for the folder of the plans' tools, which lies in memory, outside of all nodes.
At rest every saga has completed or is compensated, and the books of its business add up.
"""

from __future__ import annotations

from functools import partial

from examples.agent import agent_pb2
from examples.agent.saga import CarryOut
from examples.agent.services import Folder, Plans, PlanTools
from examples.purchase.catalogue import catalogue as purchase_catalogue
from examples.transfer.catalogue import catalogue as transfer_catalogue
from examples.trip.catalogue import catalogue as trip_catalogue
from examples.trip.clients import Travellers
from runtime.saga.catalogue import Catalogue, Hosted
from runtime.testing.runs.seeds import Standing
from runtime.testing.virtual.dice import Dice
from tests.proof.workloads.buyers import Buyers
from tests.proof.workloads.payers import Payers
from tests.proof.workloads.planners import MemoryFolder, Planners

__all__ = ["Examples", "examples"]


class Examples:
    """The workload."""

    expects = ("completed", "compensated")
    never = ("MESSAGE_PARKED",)

    def deploy(self, dice: Dice) -> Standing:
        return dice.choose((_trip, _purchase, _transfer, _plans))()


def _trip() -> Standing:
    return Standing(trip_catalogue(), Travellers)


def _purchase() -> Standing:
    return Standing(purchase_catalogue(), Buyers)


def _transfer() -> Standing:
    return Standing(transfer_catalogue(), Payers)


def _plans() -> Standing:
    folder = MemoryFolder()
    services: dict[str, list[Hosted]] = {"plans": [Plans, CarryOut], "tools": [PlanTools]}
    catalogue = Catalogue(contracts=[agent_pb2], services=services, provides={Folder: lambda: folder})
    return Standing(catalogue, partial(Planners, folder=folder))


examples = Examples
