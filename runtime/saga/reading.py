"""From an author's class to a Definition: types from annotations, order and roles from the flow.

Everything that reflects on code happens here, once, when the class is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from google.protobuf.message import Message

from runtime.contracts import contract_of
from runtime.errors import InvalidDefinition
from runtime.protos import saga_pb2
from runtime.saga.approval import Approval
from runtime.saga.awaiting import Await
from runtime.saga.child import Child
from runtime.saga.definition import Definition
from runtime.saga.each import Each
from runtime.saga.first_of import FirstOf
from runtime.saga.flow import Flow, Part
from runtime.saga.key import Key
from runtime.saga.lock import Lock
from runtime.saga.node import EndDefinition, Node, Role, full_name
from runtime.saga.on import On
from runtime.saga.publish import Publish
from runtime.saga.read_await import read_await
from runtime.saga.read_child import read_child
from runtime.saga.read_key import read_keys
from runtime.saga.read_lock import read_lock
from runtime.saga.read_parts import read_approval, read_publish, read_result, read_wait, read_when
from runtime.saga.read_remind import read_reminders
from runtime.saga.read_step import read_step
from runtime.saga.read_within import read_each, read_first_of
from runtime.saga.remind import Remind
from runtime.saga.shape import fingerprint_of, shape_of
from runtime.saga.step import Step
from runtime.saga.timer_names import CLOSING
from runtime.saga.wait import Wait
from runtime.saga.when import End, When

__all__ = ["Declaration", "read"]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an author's class says, before it is read."""

    name: str
    title: str
    state_type: type[Message]
    parts: Mapping[str, Part]  # of the flow, by attribute
    flow: Flow
    closing: Mapping[str, Step]  # asked one after another once all is undone
    starts: tuple[On, ...]
    deadline_s: float  # 0: none
    keys: Mapping[str, Key] = field(default_factory=dict)  # by attribute
    reminders: Mapping[str, Remind] = field(default_factory=dict)  # by attribute
    undoes_past_stuck: bool = False  # see Definition
    keeps_inputs: bool = True  # see Definition
    result: Callable[..., Message] | None = None  # see Saga


def read(declared: Declaration) -> Definition:
    """A definition that is well formed; whether it makes sense, `checks` says. Raises InvalidDefinition."""
    flow = declared.flow
    names = {part: name for name, part in declared.parts.items()}
    order = _in_order(declared.title, flow, names)
    past = _past_pivot(flow, order)
    places = {part: index for index, part in enumerate(order)}
    nodes = [_node(declared, names[part], part, places, past) for part in order]
    nodes = _linked(nodes, places, flow)
    for name, step in declared.closing.items():
        closing: Node = read_step(f"{declared.title}.{name}", declared.state_type, name, len(nodes), step, Role.CLOSING)
        # An author's step may have the name. Its timer is another one then: no identifier has a space.
        nodes.append(replace(closing, timer=f"{CLOSING}{name}") if name in declared.parts else closing)
    fingerprint = fingerprint_of(shape_of(declared.name, declared.state_type, nodes))
    result, result_type = read_result(f"{declared.title}.result", declared.state_type, declared.result)
    return Definition(
        name=declared.name,
        title=declared.title,
        state_type=declared.state_type,
        key_field=_key_field(declared),
        starts=declared.starts,
        nodes=tuple(nodes),
        closing_from=len(order),
        entries=tuple(node.index for node in nodes[: len(order)] if not node.before),
        pivot_index=next((node.index for node in nodes if node.role is Role.PIVOT), None),
        deadline_s=declared.deadline_s,
        undoes_past_stuck=declared.undoes_past_stuck,
        keeps_inputs=declared.keeps_inputs,
        result=result,
        result_type=result_type,
        fingerprint=fingerprint,
        template=_template(declared, fingerprint, nodes),
        reminders=read_reminders(declared.title, declared.state_type, declared.reminders, places),
        keys=read_keys(declared.title, declared.state_type, declared.keys, nodes),
    )


def _in_order(title: str, flow: Flow, names: Mapping[Part, str]) -> list[Part]:
    """The parts so that each comes after those it waits for, else as written. Raises when one is there twice."""
    seen: set[Part] = set()
    for part in flow.parts:
        what = type(part).__name__.lower()
        if part not in names:
            raise InvalidDefinition(
                f"{title}.flow: a {what} is not an attribute of {title}; give each {what} a name there"
            )
        if part in seen:
            raise InvalidDefinition(f"{title}.{names[part]}: the {what} is in the flow twice")
        seen.add(part)
    if any(one not in seen for edge in flow.edges for one in edge):
        raise InvalidDefinition(f"{title}.flow: a step waits for one that is not in the flow; join them by >>")
    waits_for: dict[Part, list[Part]] = {part: [] for part in flow.parts}
    for earlier, later in flow.edges:
        waits_for[later].append(earlier)
    sorter, order = TopologicalSorter(waits_for), list[Part]()
    try:
        sorter.prepare()
    except CycleError as error:
        circle = ", ".join(names[part] for part in flow.parts if part in error.args[1])
        raise InvalidDefinition(
            f"{title}.flow: none of {circle} could ever begin, for each waits for another"
        ) from error
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=flow.parts.index)
        order.extend(ready)
        sorter.done(*ready)
    return order


def _past_pivot(flow: Flow, order: Sequence[Part]) -> frozenset[Part]:
    past: set[Part] = set()
    for part in order:
        if any(b is part and (_is_pivot(a) or a in past) for a, b in flow.edges):
            past.add(part)
    return frozenset(past)


def _is_pivot(part: Part) -> bool:
    return isinstance(part, Step) and bool(part.pivot)


def _node(declared: Declaration, name: str, part: Part, places: Mapping[Part, int], past: frozenset[Part]) -> Node:
    where, index = f"{declared.title}.{name}", places[part]
    if not name.isidentifier():
        raise InvalidDefinition(f"{where}: the name of a step is an identifier; its timer is known by it")
    role = Role.RETRIABLE if part in past else Role.COMPENSATABLE
    match part:
        case Step():
            role = Role.PIVOT if _is_pivot(part) else role
            return read_step(where, declared.state_type, name, index, part, role)
        case Await():
            return read_await(where, declared.name, declared.state_type, name, index, part, role, declared.keys)
        case Lock():
            return read_lock(where, declared.state_type, name, index, part, role)
        case Wait():
            return read_wait(where, declared.state_type, name, index, part, role)
        case When():
            return read_when(where, declared.state_type, name, index, part, role, places)
        case Child():
            return read_child(where, declared.state_type, name, index, part, role)
        case Approval():
            return read_approval(where, declared.state_type, name, index, part, role)
        case Publish():
            return read_publish(where, declared.state_type, name, index, part, role)
        case End():
            return EndDefinition(index=index, name=name, role=role, timer=name)
        case Each():
            return read_each(where, declared.state_type, name, index, part, role)
        case FirstOf():
            return read_first_of(where, declared.state_type, name, index, part, role)
        case _:
            what = type(part).__name__
            raise InvalidDefinition(f"{where}: a flow has steps, waits, choices, events and ends, and no {what}")


def _linked(nodes: Sequence[Node], places: Mapping[Part, int], flow: Flow) -> list[Node]:
    """The same nodes, with what comes before and after each."""
    before: list[list[int]] = [[] for _ in nodes]
    after: list[list[int]] = [[] for _ in nodes]
    for earlier, later in flow.edges:
        before[places[later]].append(places[earlier])
        after[places[earlier]].append(places[later])
    all_after: list[set[int]] = [set() for _ in nodes]
    for index in reversed(range(len(nodes))):
        for later_index in after[index]:
            all_after[index] |= {later_index} | all_after[later_index]
    return [
        replace(node, before=tuple(before[i]), after=tuple(after[i]), all_after=tuple(sorted(all_after[i])))
        for i, node in enumerate(nodes)
    ]


def _key_field(declared: Declaration) -> str:
    for start in declared.starts:
        path = start.key or contract_of(start.event_type).key_field
        field = path.rpartition(".")[2]
        if field in declared.state_type.DESCRIPTOR.fields_by_name:
            return field
    return ""


def _template(declared: Declaration, fingerprint: bytes, nodes: Sequence[Node]) -> saga_pb2.SagaRecord:
    return saga_pb2.SagaRecord(
        definition=declared.name,
        fingerprint=fingerprint,
        status=saga_pb2.SagaRecord.RUNNING,
        state_type=full_name(declared.state_type),
        tasks=[saga_pb2.TaskRecord(path=node.name) for node in nodes],
    )
