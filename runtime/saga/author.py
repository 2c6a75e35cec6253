"""The author's functions in one instance: each is given the state anew, and what one does wrong has a name.

nodes ──made_by──▶ a command      nodes ──keep──▶ the state, with facts of an answer
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import Contract
from runtime.envelope import body_of
from runtime.errors import InvalidMessage
from runtime.failures import text_of
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga import frozen
from runtime.saga.definition import Definition
from runtime.saga.node import StepDefinition
from runtime.saga.node_bounds import NodeBounds

__all__ = ["AuthorFailed", "body", "change", "keep", "key_of", "made_by", "published"]


class AuthorFailed(Exception):
    """A function of the definition raised, or returned what it may not."""


def made_by(
    definition: Definition,
    record: SagaRecord,
    what: str,
    function: Callable[[Any, str], object],
    state: bytes | None = None,
) -> Any:
    """What a function of (state, reason) makes, of the present state unless `state` is another. Raises AuthorFailed.

    `what` names the function: "do of step bill".
    """
    try:
        return function(definition.state_type.FromString(record.state if state is None else state), record.reason)
    except BaseException as error:  # the author's code: its bug, or exit, has to end in a state of the saga
        raise AuthorFailed(f"{what} raised {text_of(error)}") from error


def key_of(what: str, contract: Contract, command: object) -> str:
    """The key of the actor that a command goes to. Raises AuthorFailed for what is not that command, or has no key."""
    if type(command) is not contract.message_type:
        _drop(command)
        raise AuthorFailed(f"{what} made a {type(command).__name__}, not a {contract.name}")
    try:
        return contract.key(command)
    except InvalidMessage as error:
        raise AuthorFailed(f"{what}: {error}") from error


def body(what: str, command: Message, bytes_max: int) -> bytes:
    """The command's bytes. Raises AuthorFailed for what could not be sent; 0 is no limit."""
    try:
        made = body_of(command)
    except Exception as error:  # of protobuf: a field that has to be set is not, or it is beyond all bounds
        raise AuthorFailed(f"{what} made what cannot be sent: {text_of(error)}") from error
    if 0 < bytes_max < len(made):
        raise AuthorFailed(
            f"{what} made a {command.DESCRIPTOR.full_name} of {len(made):,} bytes; "
            f"the limit is {bytes_max:,} (setting message_bytes_max)"
        )
    return made


def published(what: str, made: object, wanted: type[Message], bounds: NodeBounds) -> bytes:
    """The bytes of an event that goes to whoever listens. Raises AuthorFailed for what is none, or could not go out."""
    if type(made) is not wanted:
        _drop(made)
        raise AuthorFailed(f"{what} made a {type(made).__name__}, not a {wanted.DESCRIPTOR.full_name}")
    event: Message = made
    encoded = body(what, event, bounds.message_bytes_max)
    if why := bounds.unreached(event):
        raise AuthorFailed(f"{what} made what cannot be published: {why}")
    return encoded


def keep(
    definition: Definition,
    record: SagaRecord,
    step: StepDefinition,
    task: TaskRecord,
    answer: Message,
    bounds: NodeBounds,
) -> None:
    """Copy facts of an answer into the state. Raises AuthorFailed; then the state is as before."""
    keeper = step.on_answer.get(type(answer))
    if keeper is None:
        return
    given = type(answer)()
    given.CopyFrom(answer)  # what it does to the answer is lost
    change(definition, record, f"{step.keeper} of step {step.name}", keeper, given, bounds, task)


def change(
    definition: Definition,
    record: SagaRecord,
    what: str,
    function: Callable[[Any, Any], object],
    given: object,
    bounds: NodeBounds,
    answered: TaskRecord | None = None,
) -> None:
    """Have a function of (state, given) change the state. Raises AuthorFailed; then the state is as before."""
    state, key_field = definition.state_type.FromString(record.state), definition.key_field
    key = getattr(state, key_field) if key_field else ""
    try:
        returned = function(state, given)
    except BaseException as error:  # as in made_by
        raise AuthorFailed(f"{what} raised {text_of(error)}") from error
    if returned is not None and (isinstance(returned, Message) or inspect.iscoroutine(returned)):
        _drop(returned)
        raise AuthorFailed(
            f"{what} returned a {type(returned).__name__}, which would be lost: it changes the state in place, and "
            "returns None"
        )
    if key_field and getattr(state, key_field) != key:
        raise AuthorFailed(f"{what} changed {key_field}, which is the key of the instance")
    try:
        body = state.SerializeToString(deterministic=True)
    except Exception as error:  # of protobuf, as in `body`
        raise AuthorFailed(f"{what} made no state: {text_of(error)}") from error
    _check_room(what, body, record, bounds)
    if body != record.state:
        frozen.freeze(definition, record, answered)
        record.state = body


def _check_room(what: str, state: bytes, record: SagaRecord, bounds: NodeBounds) -> None:
    """Whether the record of the instance can hold this state. Raises AuthorFailed."""
    limit = bounds.state_bytes_max
    if not limit or len(state) * 2 <= limit:  # As nearly always, and the size of the record costs more to read.
        return
    room = limit - (record.ByteSize() - len(record.state))
    if len(state) > room:
        raise AuthorFailed(
            f"{what} made a state of {len(state):,} bytes; the record of the saga has room for {max(room, 0):,} "
            "(setting state_bytes_max). Keep a reference to large data, not the data"
        )


def _drop(made: object) -> None:
    """Close a coroutine that nobody will await, which Python would complain of."""
    if inspect.iscoroutine(made):
        made.close()
