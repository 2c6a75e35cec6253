"""What sagas wait for is said by somebody: a service of the catalogue, or clients, if the wait says so."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.contracts import Contracts, contract_of
from runtime.durable.handlers import HandlerSpec
from runtime.errors import InvalidDefinition
from runtime.saga.definition import Definition, full_name

__all__ = ["check_awaited"]


def check_awaited(saga: Definition, handlers: Iterable[HandlerSpec], contracts: Contracts) -> None:
    """Raises InvalidDefinition for a wait that would be in vain."""
    said = {event for one in handlers for event in one.output_types} if saga.awaits else set()
    for one in saga.awaits:
        where, name = f"{saga.title}.{one.name}", full_name(one.event)
        if contract_of(one.event).name not in {known.name for known in contracts}:
            raise InvalidDefinition(f"{where}: {name} is in none of the catalogue's contracts")
        if one.event not in said and not one.is_outside:
            raise InvalidDefinition(
                f"{where}: no service ever says {name}, so that it would wait in vain; if clients say it, write so "
                "(outside=True)"
            )
