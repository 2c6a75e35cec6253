"""A service as the turn sees it: a message finds its handler, and what the handler returns becomes a decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import meets, names_of
from runtime.durable.behaviour import Decision, Delivery
from runtime.durable.look_up import absent_or
from runtime.durable.provided import Provided
from runtime.durable.reaction import Reaction, command_of
from runtime.durable.results import command_of_reaction, outgoing_of, take_state
from runtime.durable.service import Service
from runtime.durable.standing_timers import NONE, others
from runtime.errors import FinalError, InvalidDefinition
from runtime.store.records import Outcome

__all__ = ["ServiceBehaviour"]


class ServiceBehaviour:
    """A service as the turn sees it, with the reactions that choreographies give its kind."""

    def __init__(
        self, service: type[Service[Any]], reactions: Sequence[Reaction] = (), provided: Provided | None = None
    ) -> None:
        self._service = service
        self._provided = provided or Provided({})
        self._given: dict[str, object] | None = None if service.needs else {}
        self._provided.want(service.needs)
        self._by_type = {spec.input_type: spec for spec in service.handlers.values()}
        self.kind = service.kind_names[0]  # as the store knows it
        self.reactions = tuple(self._own(reaction) for reaction in reactions)
        self._reactions = {(reaction.event_type, reaction.process): reaction for reaction in self.reactions}
        self.handlers = service.handlers
        self.look_ups = service.look_ups
        self.state_type = service.state_type
        self.process = ""
        self.retries = service.retries
        self.subscriptions = tuple(one for reaction in self.reactions for one in reaction.subscriptions())
        handled = {name for type_ in self._by_type for name in names_of(type_)}
        self.accepts = frozenset(handled) | {one.event_type for one in self.subscriptions}

    @property
    def lets_timers_move(self) -> bool:
        """See LetsTimersMove."""
        return True

    @property
    def runs_in_chains(self) -> bool:
        """See RunsInChains."""
        return self._service.effects == "none"

    def given(self, provided: Provided) -> ServiceBehaviour:
        """The same for the services of one node, which share what is provided to them."""
        return ServiceBehaviour(self._service, self.reactions, provided) if self._service.needs else self

    def name_of(self, type_: str, process: str) -> str:
        """See Named."""
        for (event, name), reaction in self._reactions.items():
            if (event.DESCRIPTOR.full_name, name) == (type_, process):
                type_ = command_of(reaction)
        spec = self.handlers.get(type_)
        return self._service.__name__ + ("" if spec is None else f".{spec.name}")

    def _own(self, reaction: Reaction) -> Reaction:
        if reaction.kind not in self._service.kind_names:
            raise InvalidDefinition(f"a reaction of {reaction.kind} was given to {self.kind}")
        return replace(reaction, kind=self.kind)

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        message: Message = delivery.message
        reaction = self._reactions.get((type(message), delivery.envelope.process))
        if reaction is not None and not delivery.envelope.timer:
            meets_it = not reaction.only_field or meets(message, reaction.only_field, reaction.only_value)
            command = reaction.translate(message) if meets_it else None
            if command is None:
                return Decision(outcome=Outcome.IGNORED, note=f"{reaction.process}: nothing to do for this event")
            title = message.DESCRIPTOR.full_name
            where = f"{reaction.process}: the reaction of {self.kind} to {title}"
            message = command_of_reaction(command, reaction.command, delivery.envelope.key, where)
        handler = self._by_type.get(type(message))
        if handler is None:
            raise FinalError(f"{self.kind} has no handler for {message.DESCRIPTOR.full_name} outside a choreography")
        service = self._serving(state, delivery)
        result = await handler.function(service, message)
        if service.state is not state:
            take_state(state, service.state)
        return Decision(outgoing=outgoing_of(result, handler), timers=service.timer_changes)

    def looks_up(self, command: type[Message]) -> bool:
        """See LooksUp."""
        return command.DESCRIPTOR.full_name in self.look_ups

    async def look_up(self, state: Message, delivery: Delivery) -> Decision | None:
        """See LooksUp."""
        look_up = self.look_ups[delivery.message.DESCRIPTOR.full_name]
        service = self._serving(state, delivery)
        result = await look_up.function(service, delivery.message)
        if service.state is not state:
            take_state(state, service.state)
        said = absent_or(result, look_up)
        return None if said is None else Decision(outgoing=said, timers=service.timer_changes)

    def _serving(self, state: Message, delivery: Delivery) -> Service[Any]:
        """The object that serves one message."""
        envelope = delivery.envelope
        id = delivery.message_id or envelope.id
        if self._given is None:
            self._given = self._provided.given_to(self._service.needs)
        timers = others(delivery.timers, envelope.timer) if delivery.timers else NONE
        given, do_failed, now_s = self._given, delivery.do_failed, delivery.now_s
        trace = delivery.traceparent
        return self._service._serving(state, envelope.key, now_s, id, do_failed, given, timers, trace)
