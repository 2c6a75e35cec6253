"""Draws what a whole catalogue does, as Mermaid text: which process sends what to which kind, and who hears what.

client ─▶ kind ─event─▶ saga ─command─▶ kind ─▶ answer, back to the saga
                └─────▶ kind, by the reaction of a choreography
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.contracts import Contract, contract_of
from runtime.durable.service import ServiceBehaviour
from runtime.saga.catalogue import Catalogue
from runtime.saga.choreography import Choreography
from runtime.saga.definition import Definition
from runtime.saga.node import Meaning, StepDefinition

__all__ = ["draw_flow"]


def draw_flow(catalogue: Catalogue) -> str:
    """A Mermaid flowchart: sagas as hexagons, kinds of services as boxes; dotted are events that are heard."""
    lines = ["flowchart LR"]
    services = [one for one in catalogue.behaviours if isinstance(one, ServiceBehaviour)]
    lines += [f'    {_id(one.kind)}["{one.kind}"]' for one in services]
    lines += [f'    {_id(one.name)}{{{{"{one.name}"}}}}' for one in catalogue.sagas]
    said = {event: one.kind for one in services for spec in one.handlers.values() for event in spec.output_types}
    for saga in catalogue.sagas:
        lines += _starts(catalogue, saga, said)
        for step in saga.steps:
            lines += _step(saga, step)
    for process in catalogue.choreographies:
        lines += _reactions(process, said)
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _starts(catalogue: Catalogue, saga: Definition, said: dict[type[Message], str]) -> list[str]:
    lines = []
    for start in saga.starts:
        is_apart = saga.name in tuple(catalogue.several.get(start.event_type, ()))[1:]
        label = "starts in a conversation of its own" if is_apart else "starts"
        lines.append(_heard(said, start.event_type, saga.name, label))
    return lines


def _step(saga: Definition, step: StepDefinition) -> list[str]:
    lines = [_arrow(saga.name, step.command.kind, f"{step.name}: {_name(step.command)}")]
    answers = [one.DESCRIPTOR.name for one in (*step.types(Meaning.DONE), *step.types(Meaning.REFUSED))]
    lines.append(_arrow(step.command.kind, saga.name, " or ".join(answers)))
    if step.undo_command is not None:
        lines.append(_arrow(saga.name, step.undo_command.kind, f"undo {step.name}: {_name(step.undo_command)}"))
    return lines


def _reactions(process: type[Choreography], said: dict[type[Message], str]) -> list[str]:
    reactions = zip(process.compiled, process.commands, strict=True)
    return [
        _heard(said, reaction.event_type, command.kind, f"{process.name}: {_name(command)}")
        for reaction, command in reactions
    ]


def _heard(said: dict[type[Message], str], event: type[Message], by: str, label: str) -> str:
    source = _id(said[event]) if event in said else "outside((outside))"
    return f'    {source} -.->|"{contract_of(event).message_type.DESCRIPTOR.name}, {label}"| {_id(by)}'


def _arrow(one: str, other: str, label: str) -> str:
    return f'    {_id(one)} -->|"{label}"| {_id(other)}'


def _name(command: Contract) -> str:
    name: str = command.message_type.DESCRIPTOR.name
    return name


def _id(kind: str) -> str:
    return "kind_" + "".join(char if char.isalnum() else "_" for char in kind)
