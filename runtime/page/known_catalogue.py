"""What the screens need of the catalogue of this build. What takes long to find is found once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.catalogue import Catalogue
from runtime.saga.findings import findings
from runtime.saga.flow_map import FlowMap, flow_of
from runtime.saga.saga import Saga

__all__ = ["KnownCatalogue"]


class KnownCatalogue:
    """Kinds are by the names that the store has for them."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.kinds, self.names = catalogue.kinds, catalogue.names
        self._catalogue = catalogue

    @cached_property
    def behaviours(self) -> Mapping[str, SagaBehaviour]:
        """Of the sagas, by kind."""
        known = zip(self._catalogue.kinds, self._catalogue.behaviours, strict=True)
        return {kind: one for kind, one in known if isinstance(one, SagaBehaviour)}

    @cached_property
    def sagas(self) -> Mapping[str, type[Saga[Any]]]:
        """The classes of the sagas, by kind."""
        hosted = (one for one in self._catalogue.hosted if issubclass(one, Saga))
        return {self.names.stored(one.definition.name): one for one in hosted}

    @cached_property
    def flow(self) -> FlowMap:
        return flow_of(self._catalogue)

    @cached_property
    def findings(self) -> tuple[str, ...]:
        """Of the checker, which reads the functions of all undos: some tens of milliseconds."""
        return findings(self._catalogue)
