"""Which sagas live beside which services: what the author says, checked.

Catalogue(beside={"book-trip": "trips"}) ──read_beside──▶ by stored kind ──Node──▶ `runtime/cluster/beside.py`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runtime.durable.service import Service
from runtime.durations import shown
from runtime.errors import InvalidDefinition
from runtime.kind_names import KindNames
from runtime.saga.saga import Saga

__all__ = ["read_beside"]

Hosted = type[Service[Any]] | type[Saga[Any]]


def read_beside(beside: object, hosted: Sequence[Hosted], names: KindNames) -> dict[str, str]:
    """By the stored kind of a saga, the stored kind of the service that it lives beside. Raises InvalidDefinition."""
    if not isinstance(beside, Mapping):
        raise InvalidDefinition(
            f"catalogue, beside: {shown(beside)} is not services by saga, as in {{'book-trip': 'trips'}}"
        )
    sagas = _kinds(one for one in hosted if issubclass(one, Saga))
    services = _kinds(one for one in hosted if issubclass(one, Service))
    for saga, service in beside.items():
        if saga not in sagas:
            raise InvalidDefinition(
                f"catalogue, beside: there is no saga {shown(saga)}; there are {_listed(sagas)}. Services live beside "
                "nobody, since sagas follow them"
            )
        if not isinstance(service, str) or service not in services:
            raise InvalidDefinition(
                f"catalogue, beside[{saga!r}]: there is no service of the kind {shown(service)}; name the one whose "
                f"events start the saga, or the one that it asks most. There are {_listed(services)}"
            )
    return {names.stored(saga): names.stored(service) for saga, service in beside.items()}


def _kinds(hosted: Iterable[Hosted]) -> dict[str, None]:
    """All names of these kinds, in order."""
    return dict.fromkeys(name for one in hosted for name in one.kind_names)


def _listed(kinds: Iterable[str]) -> str:
    return ", ".join(kinds) or "none"
