"""A definition as it is stored, and read back: to be drawn and compared by builds that have another one.

Definition ──described──▶ SagaDefinition ──read_back──▶ Definition, of which no function can be called

The types of messages that a stored definition names may be unknown to this build. So what is read back has stand-ins
that have a name, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NoReturn, cast

from google.protobuf.message import DecodeError, Message

from runtime.contracts import Contract
from runtime.errors import InvalidMessage
from runtime.protos.definition_pb2 import NodeShape, NodeTerms, SagaDefinition, SagaTerms, StartTerms
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.checks import check_condition
from runtime.saga.definition import Definition
from runtime.saga.node import (
    ApprovalDefinition,
    AwaitDefinition,
    ChildDefinition,
    EachDefinition,
    EndDefinition,
    FirstOfDefinition,
    LockDefinition,
    Meaning,
    Node,
    PastPivot,
    PublishDefinition,
    Role,
    StepDefinition,
    WaitDefinition,
    WhenDefinition,
    full_name,
)
from runtime.saga.on import On
from runtime.saga.probe import Probe
from runtime.saga.shape import TEXT, fingerprint_of, shape_of
from runtime.saga.step import Budget

__all__ = ["described", "parse_definition", "read_back"]


def described(definition: Definition) -> SagaDefinition:
    """All that is stored of it. Its shape has the fingerprint of the definition."""
    return SagaDefinition(
        shape=shape_of(definition.name, definition.state_type, definition.nodes),
        terms=SagaTerms(
            title=definition.title,
            starts=[_start(one) for one in definition.starts],
            deadline_s=definition.deadline_s,
            undoes_past_stuck=definition.undoes_past_stuck,
            nodes=[_terms(one) for one in definition.nodes],
        ),
    )


def parse_definition(body: bytes) -> SagaDefinition:
    """Raises InvalidMessage for bytes that are no definition."""
    try:
        found = SagaDefinition.FromString(body)
    except DecodeError as error:
        raise InvalidMessage(f"a stored definition cannot be read: {error}") from error
    if len(found.terms.nodes) != len(found.shape.nodes):
        raise InvalidMessage("a stored definition cannot be read: it does not say of each node what it needs")
    return found


def read_back(stored: SagaDefinition) -> Definition:
    """A definition to be drawn and listed. Raises InvalidMessage for a kind of node that this build does not know."""
    shape, terms = stored.shape, stored.terms
    nodes = [_node(index, *one) for index, one in enumerate(zip(shape.nodes, terms.nodes, strict=True))]
    nodes = _with_after(nodes)
    flow = [node for node in nodes if node.role is not Role.CLOSING]
    pivot = next((node.index for node in flow if node.role is Role.PIVOT), None)
    return Definition(
        name=shape.name,
        title=terms.title,
        state_type=_stand_in(shape.state_type),
        key_field="",
        starts=tuple(On(_stand_in(one.event), None, {}, one.key) for one in terms.starts),
        nodes=tuple(nodes),
        closing_from=len(flow),
        entries=tuple(node.index for node in flow if not node.before),
        pivot_index=pivot,
        deadline_s=terms.deadline_s,
        undoes_past_stuck=terms.undoes_past_stuck,
        result=None,
        result_type=None,
        fingerprint=fingerprint_of(shape),
        template=SagaRecord(definition=shape.name),
    )


def _start(start: On) -> StartTerms:
    field, text = check_condition(start.event_type, dict(start.where), "")
    return StartTerms(event=full_name(start.event_type), key=start.key, where_field=field, where_value=text)


def _terms(node: Node) -> NodeTerms:
    if isinstance(node, WaitDefinition):
        return NodeTerms(span_s=node.span_s, is_until=node.until is not None)
    if isinstance(node, ApprovalDefinition):
        return NodeTerms(span_s=node.within_s)
    if isinstance(node, EachDefinition):
        inner, at_least = [_terms(node.step)], node.at_least
        at_once, tolerate, in_order = node.at_once, node.tolerate, node.in_order
        return NodeTerms(inner=inner, at_once=at_once, at_least=at_least, tolerate=tolerate, in_order=in_order)
    if isinstance(node, FirstOfDefinition):
        return NodeTerms(inner=[_terms(one) for one in node.alternatives])
    if not isinstance(node, StepDefinition):
        return NodeTerms()
    return NodeTerms(
        timeout_s=node.timeout_s,
        ignored=_names(node.types(Meaning.IGNORED)),
        working=_names(node.types(Meaning.WORKING)),
        undo_working=_names(node.undo_working),
        every_s=node.every_s,
        at_most_s=node.at_most_s,
        no_undo=node.no_undo,
        past_pivot="" if node.past_pivot is PastPivot.STUCK else node.past_pivot.value,
        probe="" if node.probe is None else node.probe.absent,
        span_s=node.expires_s if isinstance(node, LockDefinition) else 0.0,
    )


def _names(types: Iterable[type[Message]]) -> list[str]:
    return sorted(full_name(one) for one in types)


# --- read back ---


def _node(index: int, shape: NodeShape, terms: NodeTerms) -> Node:
    role = Role[NodeShape.Role.Name(shape.role)]
    same: dict[str, Any] = {"index": index, "name": shape.name, "role": role, "timer": shape.name}
    same["before"] = tuple(shape.before)
    match shape.kind:
        case "step":
            return _step(same, shape, terms)
        case "await":
            return _await(_step(same, shape, terms), shape)
        case "lock":
            return _lock(_step(same, shape, terms), shape, terms)
        case "child":
            return _child(_step(same, shape, terms), shape)
        case "wait":
            return WaitDefinition(**same, span_s=terms.span_s, until=_not_here if terms.is_until else None)
        case "when":
            then, otherwise = (tuple(one.nodes) for one in shape.branches)
            return WhenDefinition(**same, condition=_not_here, then=then, otherwise=otherwise)
        case "end":
            return EndDefinition(**same)
        case "approval":
            asked, on_timeout = shape.words
            return ApprovalDefinition(
                **same,
                asks=_not_here,
                asked_type=_stand_in(asked),
                by=None,
                within_s=terms.span_s,
                goes_on=on_timeout == "goes on",
                on_approved=None,
            )
        case "publish":
            (event,) = shape.words
            return PublishDefinition(**same, event=_not_here, event_type=_stand_in(event))
        case "each":
            return _each(same, shape, terms)
        case "firstof":
            steps = tuple(_inner(index, *one) for one in zip(shape.inner, terms.inner, strict=True))
            return FirstOfDefinition(**same, alternatives=steps)
        case _:
            raise InvalidMessage(f"node {shape.name} is a {shape.kind}: this build is too old to know it")


def _step(same: dict[str, Any], shape: NodeShape, terms: NodeTerms) -> StepDefinition:
    meanings = {_stand_in(one.type): Meaning[one.meaning.upper()] for one in shape.answers}
    meanings |= {_stand_in(name): Meaning.WORKING for name in terms.working}
    meanings |= {_stand_in(name): Meaning.IGNORED for name in terms.ignored}
    answers = [(one.type, one.meaning) for one in shape.answers]
    return StepDefinition(
        **same,
        do=_not_here,
        command=_command(shape.command),
        meanings=meanings,
        undo=_not_here if shape.undo else None,
        undo_command=_command(shape.undo) if shape.undo else None,
        undone=frozenset(map(_stand_in, shape.undone)),
        undo_working=tuple(map(_stand_in, terms.undo_working)),
        no_undo=terms.no_undo,
        dones=tuple(name for name, meaning in answers if meaning == "done"),
        refusals=tuple(name for name, meaning in answers if meaning == "refused"),
        on_answer={},
        timeout_s=terms.timeout_s,
        every_s=terms.every_s,
        at_most_s=terms.at_most_s,
        budget=Budget(),
        past_pivot=next((one for one in PastPivot if one.value == terms.past_pivot), PastPivot.STUCK),
        probe=Probe(absent=terms.probe) if terms.probe else None,
    )


def _await(step: StepDefinition, shape: NodeShape) -> AwaitDefinition:
    (event,), (by, on_timeout, *standing) = step.types(Meaning.DONE), shape.words
    common = {one.name: getattr(step, one.name) for one in fields(step)}
    goes_on = on_timeout == "goes on"
    return AwaitDefinition(
        **common,
        event=event,
        by=by,
        goes_on=goes_on,
        early="",
        keep_max=0,
        keep_for_s=0.0,
        is_outside=False,
        standing="".join(standing),
    )


def _lock(step: StepDefinition, shape: NodeShape, terms: NodeTerms) -> LockDefinition:
    (name,) = shape.words
    common = {one.name: getattr(step, one.name) for one in fields(step)}
    return LockDefinition(**common, lock=name, expires_s=terms.span_s)


def _inner(index: int, shape: NodeShape, terms: NodeTerms) -> StepDefinition:
    role = Role[NodeShape.Role.Name(shape.role)]
    step = _step({"index": index, "name": shape.name, "role": role, "timer": shape.name}, shape, terms)
    if shape.kind == "lock":
        return _lock(step, shape, terms)
    return _child(step, shape) if shape.kind == "child" else step


def _each(same: dict[str, Any], shape: NodeShape, terms: NodeTerms) -> EachDefinition:
    (item,) = shape.words
    return EachDefinition(
        **same,
        items=_not_here,
        item_type=str if item == TEXT else _stand_in(item),
        key=_not_here,
        step=_inner(same["index"], shape.inner[0], terms.inner[0]),
        at_once=terms.at_once,
        in_order=terms.in_order,
        at_least=terms.at_least,
        tolerate=terms.tolerate,
        on_done=None,
    )


def _child(step: StepDefinition, shape: NodeShape) -> ChildDefinition:
    (saga,) = shape.words
    common = {one.name: getattr(step, one.name) for one in fields(step)}
    return ChildDefinition(**common, saga=saga, result_type=None, may_stay="")


def _with_after(nodes: Sequence[Node]) -> list[Node]:
    after = [tuple(later.index for later in nodes if node.index in later.before) for node in nodes]
    return [replace(node, after=after[node.index]) for node in nodes]


def _not_here(*_: object) -> NoReturn:
    raise AssertionError("a definition that was read back is drawn, and never run")


def _command(name: str) -> Contract:
    return Contract(name, _stand_in(name), "", "")


@dataclass(frozen=True, slots=True)
class _Named:
    full_name: str

    @property
    def name(self) -> str:
        return self.full_name.rpartition(".")[2]


def _stand_in(name: str) -> type[Message]:
    return cast("type[Message]", type(name, (), {"DESCRIPTOR": _Named(name)}))
