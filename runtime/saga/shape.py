"""What of a definition running instances depend on, as a message whose digest is the fingerprint.

nodes ──shape_of──▶ SagaShape ──fingerprint_of──▶ 16 bytes

Names, kinds, roles and order count, and types, by the names that they had first. Timeouts, spans, budgets, starts and
the code of functions do not. Neither do answers that settle nothing: what is ignored changes no record, and how far a
record has come with "not finished yet" lies in the record, and is acted on there. So an instance begun without such an
answer is asked again from now on, and a build without it asks once more when its timer fires, takes such an answer for
none, as it would silence, and names no undo that was answered so to the guard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import assert_never

from google.protobuf.message import Message

from runtime.contracts import first_name_of
from runtime.protos.definition_pb2 import AnswerShape, BranchShape, NodeShape, SagaShape
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
    PublishDefinition,
    StepDefinition,
    WaitDefinition,
    WhenDefinition,
)

__all__ = ["TEXT", "fingerprint_of", "shape_of"]

_BRANCHES = ("then", "otherwise")

TEXT = "text"
"""The type of an item that is a text, and no message."""

_RECORDED_AS = "tasks"
"""How instances are recorded. Another word here keeps this build from instances whose records it cannot read."""

_SETTLES_NOTHING = (Meaning.IGNORED, Meaning.WORKING)


def shape_of(name: str, state_type: type[Message], nodes: Sequence[Node]) -> SagaShape:
    return SagaShape(
        recorded_as=_RECORDED_AS, name=name, state_type=first_name_of(state_type), nodes=[_node(one) for one in nodes]
    )


def fingerprint_of(shape: SagaShape) -> bytes:
    """16 bytes that change when a running instance could no longer be carried on as it was begun.

    The shape has no maps and no fields that only a newer build knows, so its bytes are the same in every build.
    """
    return hashlib.blake2b(shape.SerializeToString(deterministic=True), digest_size=16).digest()


def _node(node: Node) -> NodeShape:
    kind = type(node).__name__.removesuffix("Definition").lower()
    shape = NodeShape(name=node.name, kind=kind, role=NodeShape.Role.Value(node.role.name), before=list(node.before))
    match node:
        case AwaitDefinition():
            _add_step(shape, node)
            shape.words.extend([node.by, "goes on" if node.goes_on else "turns back"])
            if node.standing:
                shape.words.append(node.standing)
        case LockDefinition():
            _add_step(shape, node)
            shape.words.append(node.lock)
        case ChildDefinition():
            _add_step(shape, node)
            shape.words.append(node.saga)
        case StepDefinition():
            _add_step(shape, node)
        case WhenDefinition():
            branches = zip(_BRANCHES, (node.then, node.otherwise), strict=True)
            shape.branches.extend(BranchShape(name=name, nodes=list(places)) for name, places in branches)
        case ApprovalDefinition():
            shape.words.extend([first_name_of(node.asked_type), "goes on" if node.goes_on else "turns back"])
        case PublishDefinition():
            shape.words.append(first_name_of(node.event_type))
        case WaitDefinition() | EndDefinition():
            pass
        case EachDefinition():
            shape.words.append(TEXT if issubclass(node.item_type, str) else first_name_of(node.item_type))
            shape.inner.append(_node(node.step))
        case FirstOfDefinition():
            shape.inner.extend(_node(one) for one in node.alternatives)
        case _:
            assert_never(node)
    return shape


def _add_step(shape: NodeShape, step: StepDefinition) -> None:
    shape.command = first_name_of(step.command.message_type)
    meanings = step.meanings.items()
    settling = [(first_name_of(one), said.name.lower()) for one, said in meanings if said not in _SETTLES_NOTHING]
    shape.answers.extend(AnswerShape(type=type_, meaning=said) for type_, said in sorted(settling))
    shape.undo = "" if step.undo_command is None else first_name_of(step.undo_command.message_type)
    shape.undone.extend(sorted(first_name_of(one) for one in step.undone))
