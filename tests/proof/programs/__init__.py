"""Random programs: services, sagas and clients drawn from a seed. `random` makes the workload of that name."""

from __future__ import annotations

from tests.proof.programs.workload import RandomPrograms

__all__ = ["random"]

random = RandomPrograms
