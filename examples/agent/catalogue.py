"""What a node of this deployment can host."""

from __future__ import annotations

from pathlib import Path

from examples.agent import agent_pb2
from examples.agent.saga import CarryOut
from examples.agent.services import Folder, Plans, PlanTools
from runtime import Catalogue

__all__ = ["catalogue"]


def catalogue(path: Path = Path()) -> Catalogue:
    return Catalogue(
        contracts=[agent_pb2],
        services={"plans": [Plans, CarryOut], "tools": [PlanTools]},
        provides={Folder: lambda: Folder(path)},
    )
