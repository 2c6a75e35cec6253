"""What sagas wait for is said by somebody, in the catalogue or outside; what they say themselves can be read."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.contracts import Contracts, contract_of
from runtime.durable.handlers import HandlerSpec
from runtime.errors import InvalidDefinition
from runtime.saga.definition import Definition
from runtime.saga.node import PublishDefinition, full_name

__all__ = ["check_awaited", "check_published"]


def check_awaited(
    saga: Definition, sagas: Iterable[Definition], handlers: Iterable[HandlerSpec], contracts: Contracts
) -> None:
    """Raises InvalidDefinition for a wait that would be in vain."""
    if not saga.awaits:
        return
    said = {event for one in handlers for event in one.output_types}
    said |= {node.event_type for one in sagas for node in _published(one)}
    said |= {reminder.says for one in sagas for reminder in one.reminders}
    for one in saga.awaits:
        where, name = f"{saga.title}.{one.name}", full_name(one.event)
        if contract_of(one.event).name not in {known.name for known in contracts}:
            raise InvalidDefinition(f"{where}: {name} is in none of the catalogue's contracts")
        if one.event not in said and not one.is_outside:
            raise InvalidDefinition(
                f"{where}: no service or saga ever says {name}, so that it would wait in vain; if clients say it, "
                "write so (outside=True)"
            )


def check_published(saga: Definition, contracts: Contracts) -> None:
    """Raises InvalidDefinition for an event that no node could read."""
    known = {one.name for one in contracts}
    said = [(one.name, one.event_type) for one in _published(saga)]
    for name, event in [*said, *((one.name, one.says) for one in saga.reminders)]:
        if full_name(event) not in known:
            raise InvalidDefinition(f"{saga.title}.{name}: {full_name(event)} is in none of the catalogue's contracts")


def _published(saga: Definition) -> list[PublishDefinition]:
    return [node for node in saga.nodes if isinstance(node, PublishDefinition)]
