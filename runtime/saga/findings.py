"""What is allowed in a catalogue, and is often a mistake: outcomes that leave a saga stuck, events that nobody hears,
undos that read what only the answer of their own step tells, look-ups that nobody asks for.

What is certainly a mistake, a catalogue refuses when it is made.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message

from runtime.contracts import Contract
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.saga.catalogue import Catalogue
from runtime.saga.definition import Definition
from runtime.saga.node import StepDefinition, full_name
from runtime.saga.saga import Saga
from runtime.saga.undo_data import undo_findings

__all__ = ["findings"]


def findings(catalogue: Catalogue) -> tuple[str, ...]:
    """Each names where it is, what comes of it, and the cure."""
    sagas = [one for one in catalogue.hosted if issubclass(one, Saga)]
    undos = (one for saga in sagas for one in undo_findings(saga))
    return (*_sticking(catalogue), *_unheard(catalogue), *undos, *_unprobed(catalogue))


def _sticking(catalogue: Catalogue) -> Iterator[str]:
    for saga in catalogue.sagas:
        for step in saga.steps:
            where = f"{saga.title}.{step.name}"
            yield from _undeclared(catalogue, where, step.command, {*step.meanings})
            if step.undo_command is not None:
                known = {*step.undone, *step.undo_working, *step.meanings}
                yield from _undeclared(catalogue, f"{where}.undo", step.undo_command, known)


def _undeclared(catalogue: Catalogue, where: str, command: Contract, known: set[type[Message]]) -> Iterator[str]:
    handler = catalogue.handler_of(command)
    for answer in () if handler is None else handler.answer_types:
        if answer not in known:
            yield (
                f"{where}: {command.name} may be answered with {full_name(answer)}, which leaves the saga stuck, for a "
                "person to mend; if it may come, say what it means"
            )


def _unheard(catalogue: Catalogue) -> Iterator[str]:
    heard = {one.event_type for one in catalogue.subscriptions} | {name for _, name in catalogue.ends}
    heard |= {full_name(answer) for saga in catalogue.sagas for step in saga.steps for answer in _answers(saga, step)}
    for behaviour in catalogue.behaviours:
        for handler in behaviour.handlers.values() if isinstance(behaviour, ServiceBehaviour) else ():
            for event in handler.event_types:
                if full_name(event) not in heard:
                    yield (
                        f"{behaviour.kind}'s {handler.name} may say {full_name(event)}, which nobody hears; have "
                        "a saga or a choreography start by it or react to it, or take it out"
                    )


def _answers(saga: Definition, step: StepDefinition) -> tuple[type[Message], ...]:
    return (*step.meanings, *step.undone, *step.undo_working)


def _unprobed(catalogue: Catalogue) -> Iterator[str]:
    probed = {step.command.name for saga in catalogue.sagas for step in saga.steps if step.probe is not None}
    for behaviour in catalogue.behaviours:
        for command, look_up in behaviour.look_ups.items() if isinstance(behaviour, ServiceBehaviour) else ():
            if command not in probed:
                yield (
                    f"{behaviour.kind}'s {look_up.name} looks up {command}, and no step that sends it has a probe, so "
                    "that it is never run; give the step a probe=Probe(), or take it out"
                )
