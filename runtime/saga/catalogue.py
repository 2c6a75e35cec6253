"""What a deployment can host: its contracts, services, sagas and choreographies, checked against each other.

    catalogue = Catalogue(contracts=[trip_pb2], services={"trips": [Trips, BookTrip], "payments": [Payments]},
                          choreographies=[BookByEvents], provides={Bank: open_bank})

A *service name* is what a node is launched with; it stands for one kind or several. Every node of a cluster reads the
whole catalogue and hosts a part of it, so what no node could see alone is refused before the first one starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import Contract, Contracts, contract_of
from runtime.durable.behaviour import Behaviour
from runtime.durable.provided import Factories, Provided
from runtime.durable.reaction import Reaction
from runtime.durable.service import HandlerSpec, Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.errors import InvalidDefinition, InvalidSettings
from runtime.kind_names import KindNames
from runtime.protos import saga_pb2
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.beside import read_beside
from runtime.saga.children import check_children
from runtime.saga.choreography import Choreography
from runtime.saga.definition import Definition
from runtime.saga.drivers import check_unstarted, driver_of_choreography, driver_of_saga
from runtime.saga.endings import check_ends, check_settled
from runtime.saga.keys import KeysBehaviour
from runtime.saga.lock_actor import LockBehaviour
from runtime.saga.node import AwaitDefinition, ChildDefinition, LockDefinition, Meaning, StepDefinition, full_name
from runtime.saga.overdue import DeadlineBehaviour
from runtime.saga.parts import check_parts, check_provides
from runtime.saga.pauses import Pauses
from runtime.saga.pausing import pausing
from runtime.saga.read_await import keys_kind
from runtime.saga.read_lock import lock_kind
from runtime.saga.saga import Saga
from runtime.saga.said import check_awaited, check_published
from runtime.saga.starts import Several, check_starts
from runtime.store.records import Subscription

__all__ = ["Catalogue"]

_Behaviour = ServiceBehaviour | SagaBehaviour | DeadlineBehaviour | KeysBehaviour | LockBehaviour
Hosted = type[Service[Any]] | type[Saga[Any]]


class Catalogue:
    """Everything that a deployment's nodes can host. Raises InvalidDefinition when its parts do not fit together."""

    def __init__(
        self,
        *,
        contracts: Iterable[ModuleType],
        services: Mapping[str, Sequence[Hosted]],
        choreographies: Sequence[type[Choreography]] = (),
        provides: Factories | None = None,
        unstarted: Mapping[str, Sequence[type[Message]]] | None = None,
        several: Several | None = None,
        beside: Mapping[str, str] | None = None,
    ) -> None:
        """`provides`: by type, what makes an object that services take in their `__init__`; called once for each node.

        `unstarted`: by process, the events that start another one elsewhere, but not in its conversations.

        `several`: by event, the processes that it starts, if these are more than one. The first drives the conversation
        in which the event is said. Each other one begins a conversation of its own.

        `beside`: by saga, the service whose actors of the same key it is to share a node with, where one hosts both.
        """
        if isinstance(contracts, Iterable) and not isinstance(contracts, Sequence):
            contracts = [*contracts]
        check_parts(contracts, services, choreographies, unstarted, several)
        self.choreographies = tuple(choreographies)
        self.hosted = tuple(one for some in services.values() for one in some)
        _check_names(self.hosted, self.choreographies)
        self.names = KindNames(_kind_names(self.hosted))
        self.contracts = Contracts((saga_pb2, *contracts), self.names)
        stored = self.names.stored
        self.several: Several = {event: tuple(map(stored, one)) for event, one in (several or {}).items()}
        self._kinds_of = {name: tuple(stored(one.kind) for one in hosted) for name, hosted in services.items()}
        self.provides: Factories = {} if provides is None else provides
        check_provides([one for one in self.hosted if issubclass(one, Service)], self.provides)
        self._behaviours: dict[str, _Behaviour] = {stored(one.kind): self._behaviour(one) for one in self.hosted}
        self._check({stored(process): events for process, events in (unstarted or {}).items()})
        for process in self.choreographies:
            self._keep_deadline(process)
        for saga in self.sagas:
            if saga.awaits:
                self._host_beside(saga.name, KeysBehaviour(saga))
            for lock in saga.locks:
                if lock.command.kind not in self._behaviours:
                    self._host_beside(saga.name, LockBehaviour(lock.lock))
        self.kinds = tuple(self._behaviours)
        self.beside = read_beside({} if beside is None else beside, self.hosted, self.names)

    @property
    def service_names(self) -> tuple[str, ...]:
        """What a node can be launched with, in the order of the deployment."""
        return tuple(self._kinds_of)

    @property
    def behaviours(self) -> tuple[Behaviour, ...]:
        """Of every kind."""
        return tuple(self._behaviours.values())

    @property
    def sagas(self) -> tuple[Definition, ...]:
        return tuple(one.definition for one in self._behaviours.values() if isinstance(one, SagaBehaviour))

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """Of every kind, hosted here or not."""
        return tuple(one for behaviour in self._behaviours.values() for one in behaviour.subscriptions)

    @property
    def ends(self) -> tuple[tuple[str, str], ...]:
        """Of every choreography, the events that nobody has to listen to in it."""
        return tuple((process.name, full_name(event)) for process in self.choreographies for event in process.ends)

    def behaviours_of(
        self, service_names: Iterable[str], provided: Provided | None = None, pauses: Pauses | None = None
    ) -> tuple[Behaviour, ...]:
        """What a node of these services hosts; of all if none is named. Raises InvalidSettings for an unknown name.

        Each call is for a node of its own, with what its services are given (`provided`) and its `pauses`.
        """
        provided = Provided(self.provides) if provided is None else provided
        names = tuple(dict.fromkeys(service_names)) or self.service_names
        unknown = [name for name in names if name not in self._kinds_of]
        if unknown:
            raise InvalidSettings(
                f"there is no service {', '.join(map(repr, unknown))}; there are {', '.join(self.service_names)}"
            )
        kinds = dict.fromkeys(kind for name in names for kind in self._kinds_of[name])
        behaviours = [pausing(self._behaviours[kind], self.hosted, pauses, self.names) for kind in kinds]
        return tuple(one.given(provided) if isinstance(one, ServiceBehaviour) else one for one in behaviours)

    def handler_of(self, command: Contract) -> HandlerSpec | None:
        """What handles a command; None when nobody does."""
        behaviour = self._behaviours.get(self.names.stored(command.kind))
        return behaviour.handlers.get(command.name) if isinstance(behaviour, ServiceBehaviour) else None

    @property
    def _handlers(self) -> Iterator[HandlerSpec]:
        for one in self._behaviours.values():
            if isinstance(one, ServiceBehaviour):
                yield from one.handlers.values()

    def _keep_deadline(self, process: type[Choreography]) -> None:
        """Whoever hosts the first kind that reacts to the start keeps the time of the process."""
        if process.deadline is None:
            return
        behaviour = DeadlineBehaviour(process.deadline)
        first = next(one.kind for one in process.compiled if one.starts)
        self._host_beside(self.names.stored(first), behaviour)

    def _host_beside(self, kind: str, behaviour: DeadlineBehaviour | KeysBehaviour | LockBehaviour) -> None:
        """Whoever hosts the one kind hosts the other as well."""
        name = next(name for name, kinds in self._kinds_of.items() if kind in kinds)
        self._behaviours[behaviour.kind] = behaviour
        self._kinds_of[name] += (behaviour.kind,)

    def _behaviour(self, hosted: Hosted) -> ServiceBehaviour | SagaBehaviour:
        if issubclass(hosted, Saga):
            return SagaBehaviour(hosted, self.names)
        compiled = [one for process in self.choreographies for one in process.compiled]
        reactions = [one for one in compiled if one.kind in hosted.kind_names]
        return ServiceBehaviour(hosted, reactions, Provided(self.provides))

    # --- checks over the whole ---

    def _check(self, unstarted: Mapping[str, Sequence[type[Message]]]) -> None:
        _check_states(self.sagas)
        check_starts(self.sagas, self.choreographies, self.several)
        for process in self.choreographies:
            for reaction, command in zip(process.compiled, process.commands, strict=True):
                self._check_reaction(process, reaction, command)
            if process.deadline is not None and process.deadline.command is not None:
                self._handler(process.deadline.command, f"{process.__name__}.on_overdue")
            check_settled(process, self._handlers)
            check_ends(process, self.handler_of)
        for saga in self.sagas:
            for step in saga.steps:
                if not isinstance(step, AwaitDefinition | ChildDefinition | LockDefinition):
                    self._check_step(saga, step)
            check_published(saga, self.contracts)
            for reminder in saga.reminders:
                if reminder.contract.is_command:
                    self._handler(reminder.contract, f"{saga.title}.{reminder.name}.say")
            check_awaited(saga, self.sagas, self._handlers, self.contracts)
        check_children(self.sagas)
        drivers = [*map(driver_of_saga, self.sagas), *map(driver_of_choreography, self.choreographies)]
        check_unstarted(drivers, self.handler_of, unstarted)

    def _handler(self, command: Contract, where: str) -> HandlerSpec:
        """What handles a command. Raises InvalidDefinition when nobody does."""
        if not _knows(self.contracts, command):
            raise InvalidDefinition(f"{where}: {command.name} is in none of the catalogue's contracts")
        if self.names.stored(command.kind) not in self._behaviours:
            raise InvalidDefinition(f"{where}: {command.name} goes to {command.kind}, a kind that is not hosted")
        handler = self.handler_of(command)
        if handler is None:
            raise InvalidDefinition(f"{where}: {command.kind} has no handler for {command.name}")
        return handler

    def _check_reaction(self, process: type[Choreography], reaction: Reaction, command: Contract) -> None:
        where = f"{process.__name__}: on {full_name(reaction.event_type)}"
        self._handler(command, where)
        if not _knows(self.contracts, contract_of(reaction.event_type)):
            raise InvalidDefinition(f"{where}: the event is in none of the catalogue's contracts")

    def _check_step(self, saga: Definition, step: StepDefinition) -> None:
        where = f"{saga.title}.{step.name}"
        handler = self._handler(step.command, where)
        for answer in (*step.types(Meaning.DONE), *step.types(Meaning.REFUSED), *step.types(Meaning.WORKING)):
            _check_returned(where, handler, step.command, answer)
        if not step.retriable or step.types(Meaning.REFUSED):
            _check_all_declared(where, handler, step)
        if step.undo_command is not None:
            undo_handler = self._handler(step.undo_command, f"{where}.undo")
            for answer in sorted((*step.undone, *step.undo_working), key=full_name):
                _check_returned(f"{where}.undo", undo_handler, step.undo_command, answer)


def _check_names(hosted: Sequence[Hosted], choreographies: Sequence[type[Choreography]]) -> None:
    """Kinds and processes share one space of names, since a process is known by its name in every message."""
    names: dict[str, str] = {}
    for name, title in [
        *((name, one.__name__) for one in dict.fromkeys(hosted) for name in one.kind_names),
        *((one.name, one.__name__) for one in choreographies),
        *((keys_kind(name), f"the keys of {one.__name__}") for one in hosted if _waits(one) for name in one.kind_names),
        *((lock_kind(lock), f"the lock {lock!r}") for lock in _locks(hosted)),
        *((one.deadline.kind, f"the deadline of {one.__name__}") for one in choreographies if one.deadline),
    ]:
        if name in names:
            raise InvalidDefinition(f"{names[name]} and {title} are both named {name!r}, or one of them was")
        names[name] = title


def _kind_names(hosted: Sequence[Hosted]) -> Iterator[tuple[str, ...]]:
    """All names of each kind, the first one first; the actors of a saga's keys are called after the saga."""
    for one in hosted:
        yield one.kind_names
        if _waits(one):
            yield tuple(keys_kind(name) for name in one.kind_names)


def _locks(hosted: Sequence[Hosted]) -> Iterable[str]:
    return dict.fromkeys(lock.lock for one in hosted if issubclass(one, Saga) for lock in one.definition.locks)


def _waits(hosted: Hosted) -> bool:
    return issubclass(hosted, Saga) and bool(hosted.definition.awaits)


def _check_states(sagas: Sequence[Definition]) -> None:
    owners: dict[type[Message], str] = {}
    for saga in sagas:
        if saga.state_type in owners:
            raise InvalidDefinition(
                f"{owners[saga.state_type]} and {saga.title} share the state {full_name(saga.state_type)}; "
                "give each its own, so that one can change without the other"
            )
        owners[saga.state_type] = saga.title


def _check_returned(where: str, handler: HandlerSpec, command: Contract, answer: type[Message]) -> None:
    if answer not in handler.output_types:
        returned = ", ".join(full_name(one) for one in handler.output_types) or "nothing"
        raise InvalidDefinition(
            f"{where}: {full_name(answer)} can never come, for {command.kind}'s {handler.name}({command.name}) "
            f"returns {returned}"
        )


def _check_all_declared(where: str, handler: HandlerSpec, step: StepDefinition) -> None:
    for answer in handler.output_types:
        if answer not in step.meanings:
            raise InvalidDefinition(
                f"{where}: {step.command.name} may be answered with {full_name(answer)}, which the step does not "
                "declare; say whether it means done, refused, not finished yet (working), or nothing (ignores)"
            )


def _knows(contracts: Contracts, contract: Contract) -> bool:
    return any(one.name == contract.name for one in contracts)
