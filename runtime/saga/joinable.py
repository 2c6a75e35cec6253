"""What the nodes of a catalogue have to know of its choreographies while they run: who hears what, and who may join.

catalogue ──▶ Subscribers   who gets an event, and which event settles a conversation
          └─▶ Parties       of each choreography, the kinds whose commands lead to what is heard in it
"""

from __future__ import annotations

from runtime.contracts import contract_of, names_of
from runtime.durable.joining import Parties
from runtime.durable.kind import Subscribers
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.saga.catalogue import Catalogue
from runtime.saga.choreography import Choreography
from runtime.saga.endings import events_after
from runtime.saga.node import full_name

__all__ = ["parties_of", "subscribers_of"]


def subscribers_of(catalogue: Catalogue) -> Subscribers:
    """Who wants an event, before anything is known of other nodes."""
    settling = [
        (one.name, full_name(event)) for one in catalogue.choreographies for event in one.settled_by or one.ends
    ]
    several = [(name, tuple(names)) for event, names in catalogue.several.items() for name in names_of(event)]
    return Subscribers(catalogue.subscriptions, catalogue.ends, settling, several)


def parties_of(catalogue: Catalogue) -> dict[str, Parties]:
    """By choreography. A kind takes part if it reacts, or if something that it may say is heard."""
    services = [one for one in catalogue.behaviours if isinstance(one, ServiceBehaviour)]
    found = {}
    for process in catalogue.choreographies:
        inside = {one.kind for one in services if _takes_part(catalogue, process, one)}
        found[process.name] = Parties(frozenset(inside), frozenset(one.kind for one in services) - inside)
    return found


def _takes_part(catalogue: Catalogue, process: type[Choreography], service: ServiceBehaviour) -> bool:
    if any(reaction.process == process.name for reaction in service.reactions):
        return True
    heard = {one.event_type for one in (process.starts, *process.reactions)} | {*process.ends, *process.settled_by}
    for spec in service.handlers.values():
        contract = contract_of(spec.input_type)
        outputs = [event for _, event in events_after([contract], catalogue.handler_of)] if contract.is_command else []
        if heard & {*outputs, *spec.output_types}:
            return True
    return False
