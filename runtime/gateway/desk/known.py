"""What the desk works with: one store, and what this build knows of the sagas in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.contracts import Contracts
from runtime.ports import Clock
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.catalogue import Catalogue
from runtime.store.port import OperatorStore

__all__ = ["RepairDesk"]


@dataclass(frozen=True, slots=True)
class RepairDesk:
    """Without behaviours nothing is previewed, and a history tells messages and no states."""

    store: OperatorStore
    contracts: Contracts
    clock: Clock
    behaviours: Mapping[str, SagaBehaviour] = field(default_factory=dict)  # of sagas, by kind

    @classmethod
    def of(cls, store: OperatorStore, catalogue: Catalogue, clock: Clock) -> RepairDesk:
        sagas = {one.kind: one for one in catalogue.behaviours if isinstance(one, SagaBehaviour)}
        return cls(store, catalogue.contracts, clock, sagas)
