"""What a whole catalogue does: which process sends what to which kind, and who hears what.

client ─▶ kind ─event─▶ saga ─command─▶ kind ─▶ answer, back to the saga
                └─────▶ kind, by the reaction of a choreography

catalogue ──▶ FlowMap ──▶ Mermaid text, right here · SVG, in flow_picture.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message

from runtime.contracts import Contract, contract_of, names_of
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.saga.catalogue import Catalogue
from runtime.saga.choreography import Choreography
from runtime.saga.definition import Definition
from runtime.saga.drawn_text import in_id, in_mermaid
from runtime.saga.node import Meaning, StepDefinition

__all__ = ["OUTSIDE", "FlowArrow", "FlowMap", "draw_flow", "flow_of", "mermaid_of"]

OUTSIDE = "outside"
"""Where an event comes from that no service of the catalogue says."""


@dataclass(frozen=True, slots=True)
class FlowArrow:
    """A message from one kind to another, or several of which one is sent."""

    process: str  # the saga, or the choreography, to which it belongs
    source: str  # a kind, or OUTSIDE
    target: str
    label: str
    is_event: bool  # it is heard, and was not sent to whoever hears it
    types: tuple[str, ...] = ()  # full names of the messages, former ones among them


@dataclass(frozen=True, slots=True)
class FlowMap:
    """The kinds of services and of sagas, in the order of the catalogue, and what passes between them."""

    services: tuple[str, ...]
    sagas: tuple[str, ...]
    arrows: tuple[FlowArrow, ...]


def flow_of(catalogue: Catalogue) -> FlowMap:
    """Everything that the definitions and the signatures of handlers say."""
    services = [one for one in catalogue.behaviours if isinstance(one, ServiceBehaviour)]
    said = {event: one.kind for one in services for spec in one.handlers.values() for event in spec.output_types}
    arrows: list[FlowArrow] = []
    for saga in catalogue.sagas:
        arrows += _starts(catalogue, saga, said)
        for step in saga.steps:
            arrows += _step(saga, step)
    for process in catalogue.choreographies:
        arrows += _reactions(catalogue, process, said)
    kinds, sagas = tuple(one.kind for one in services), tuple(one.name for one in catalogue.sagas)
    return FlowMap(kinds, sagas, tuple(dict.fromkeys(arrows)))


def draw_flow(catalogue: Catalogue) -> str:
    """A Mermaid flowchart: sagas as hexagons, kinds of services as boxes; dotted are events that are heard."""
    return mermaid_of(flow_of(catalogue))


def mermaid_of(flow: FlowMap) -> str:
    """The same of a flow that is known. The same flow gives the same text."""
    lines = ["flowchart LR"]
    lines += [f'    {_id(one)}["{in_mermaid(one)}"]' for one in flow.services]
    lines += [f'    {_id(one)}{{{{"{in_mermaid(one)}"}}}}' for one in flow.sagas]
    for one in flow.arrows:
        source = "outside((outside))" if one.source == OUTSIDE else _id(one.source)
        lines.append(f'    {source} {"-.->" if one.is_event else "-->"}|"{in_mermaid(one.label)}"| {_id(one.target)}')
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _starts(catalogue: Catalogue, saga: Definition, said: dict[type[Message], str]) -> Iterator[FlowArrow]:
    for start in saga.starts:
        is_apart = saga.name in tuple(catalogue.several.get(start.event_type, ()))[1:]
        label = "starts in a conversation of its own" if is_apart else "starts"
        yield _heard(saga.name, said, start.event_type, saga.name, label)


def _step(saga: Definition, step: StepDefinition) -> Iterator[FlowArrow]:
    own, other = saga.name, step.command.kind
    yield FlowArrow(own, own, other, f"{step.name}: {_name(step.command)}", False, _types(step.command.message_type))
    answers = (*step.types(Meaning.DONE), *step.types(Meaning.REFUSED))
    yield FlowArrow(own, other, own, " or ".join(one.DESCRIPTOR.name for one in answers), False, _types(*answers))
    if step.undo_command is not None:
        label, types = f"undo {step.name}: {_name(step.undo_command)}", _types(step.undo_command.message_type)
        yield FlowArrow(own, own, step.undo_command.kind, label, False, types)


def _reactions(
    catalogue: Catalogue, process: type[Choreography], said: dict[type[Message], str]
) -> Iterator[FlowArrow]:
    for reaction, command in zip(process.compiled, process.commands, strict=True):
        kind, label = catalogue.names.stored(command.kind), f"{process.name}: {_name(command)}"
        yield _heard(process.name, said, reaction.event_type, kind, label)


def _heard(process: str, said: dict[type[Message], str], event: type[Message], by: str, why: str) -> FlowArrow:
    label = f"{contract_of(event).message_type.DESCRIPTOR.name}, {why}"
    return FlowArrow(process, said.get(event, OUTSIDE), by, label, True, _types(event))


def _types(*messages: type[Message]) -> tuple[str, ...]:
    return tuple(name for one in messages for name in names_of(one))


def _name(command: Contract) -> str:
    name: str = command.message_type.DESCRIPTOR.name
    return name


def _id(kind: str) -> str:
    return f"kind_{in_id(kind)}"
