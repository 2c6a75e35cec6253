"""What has to be true of a definition beyond being well formed; each breach names the saga, the step and the cure."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from runtime.contracts import RUNTIMES_OWN, condition_text, contract_of, field_of, is_message_type
from runtime.durations import shown
from runtime.envelope import check_key
from runtime.errors import InvalidDefinition, InvalidMessage
from runtime.saga.definition import Definition
from runtime.saga.functions import parameter_of, returned_by, takes
from runtime.saga.node import (
    ApprovalDefinition,
    AwaitDefinition,
    EachDefinition,
    EndDefinition,
    FirstOfDefinition,
    Meaning,
    Role,
    StepDefinition,
    WhenDefinition,
    full_name,
)
from runtime.saga.on import On

__all__ = ["check", "check_condition", "check_key_path"]


def check(definition: Definition) -> None:
    """Raises InvalidDefinition on the first thing that is wrong."""
    _check_starts(definition)
    pivots = [step.name for step in definition.flow_steps if step.role is Role.PIVOT]
    if len(pivots) > 1:
        raise InvalidDefinition(
            f"{definition.title} has the pivots {', '.join(pivots)}; there is one point of no return"
        )
    for step in definition.steps:
        _check_step(definition, step)
    _check_awaits(definition)
    _check_beside_pivot(definition)
    _check_ends(definition)


def _check_ends(definition: Definition) -> None:
    """An early end is the last of a branch: what came after it there would never begin."""
    branches = [set(one) for node in definition.nodes if isinstance(node, WhenDefinition) for one in _branches(node)]
    for node in definition.nodes:
        if not isinstance(node, EndDefinition):
            continue
        where = f"{definition.title}.{node.name}"
        around = [branch for branch in branches if node.index in branch]
        if not around:
            raise InvalidDefinition(f"{where}: an end stands in a branch of a choice: When(is_empty, then={node.name})")
        later = [one for one in node.after if one in min(around, key=len)]
        if later:
            raise InvalidDefinition(
                f"{where}: {definition.nodes[later[0]].name} comes after it in the same branch, and would never begin"
            )


def _branches(when: WhenDefinition) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return when.then, when.otherwise


def _check_step(definition: Definition, step: StepDefinition) -> None:
    where = f"{definition.title}.{step.name}"
    if not step.types(Meaning.DONE):
        raise InvalidDefinition(f"{where}: name an answer that means it is done")
    if step.role in (Role.RETRIABLE, Role.CLOSING):
        _check_retriable(where, step)
    if step.undo_command is None:
        if step.undone:
            raise InvalidDefinition(f"{where}: it says what confirms its undo, but has no undo")
        if step.undo_working:
            raise InvalidDefinition(
                f"{where}: it says how its undo goes on (undo_working), but has no undo; remove that"
            )
        if step.role is Role.COMPENSATABLE and not step.no_undo:
            raise InvalidDefinition(
                f"{where}: the saga may turn back after it, and it has no undo, so that what {step.command.name} has "
                "done would stay; give it an undo, or say why it needs none (no_undo='it changes nothing')"
            )
    else:
        if step.no_undo:
            raise InvalidDefinition(f"{where}: it has an undo, and says why it has none; remove one of them")
        _check_undo(where, step)


def _check_awaits(definition: Definition) -> None:
    """The actor of a key knows an event by its type, so all that wait for a type agree on what is kept of it."""
    first: dict[type[Message], AwaitDefinition] = {}
    for one in definition.awaits:
        other = first.setdefault(one.event, one)
        where = f"{definition.title}.{one.name}"
        kept, others = ((each.by, each.early, each.keep_max, each.keep_for_s) for each in (one, other))
        if kept != others:
            raise InvalidDefinition(
                f"{where}: {other.name} waits for {full_name(one.event)} as well, with another by, early, keep or "
                "keep_for; give both the same"
            )


def _check_beside_pivot(definition: Definition) -> None:
    """Each step comes before the pivot or after it: one that fails when the pivot is done could not turn back."""
    pivot = definition.pivot
    for step in definition.flow_nodes if pivot is not None else ():
        assert pivot is not None
        if not isinstance(step, _MAY_FAIL):
            continue
        if step is not pivot and step.index not in pivot.all_after and pivot.index not in step.all_after:
            raise InvalidDefinition(
                f"{definition.title}.{step.name}: it may be under way when the pivot {pivot.name} is done, and then "
                f"there is no way back; let the pivot wait for it ({step.name} >> {pivot.name}), or let it wait for "
                f"the pivot ({pivot.name} >> {step.name})"
            )


_MAY_FAIL = (StepDefinition, EachDefinition, FirstOfDefinition, ApprovalDefinition)


def _check_retriable(where: str, step: StepDefinition) -> None:
    past = "after the pivot" if step.role is Role.RETRIABLE else "that closes a compensation"
    if step.types(Meaning.REFUSED):
        refused = ", ".join(full_name(one) for one in step.types(Meaning.REFUSED))
        raise InvalidDefinition(
            f"{where}: a step {past} cannot be refused, for there is no way back; move what may answer {refused} "
            "before the pivot"
        )
    if step.undo is not None:
        raise InvalidDefinition(f"{where}: a step {past} is never undone; remove its undo, or move the pivot")


def _check_undo(where: str, step: StepDefinition) -> None:
    undo = step.undo_command
    assert undo is not None
    if not step.undone:
        raise InvalidDefinition(f"{where}: it has an undo; name the answer that confirms it (undone=...)")
    for one in step.undo_working:
        if one in step.undone:
            raise InvalidDefinition(
                f"{where}: {full_name(one)} is declared to confirm its undo (undone), and to mean that it is not "
                "finished yet (undo_working); it can mean one of them"
            )
        if step.meanings.get(one) is Meaning.IGNORED:
            raise InvalidDefinition(
                f"{where}: {full_name(one)} is declared to say nothing (ignores), and that its undo is not finished "
                "yet (undo_working); take it out of one"
            )
    if undo.kind != step.command.kind:
        raise InvalidDefinition(
            f"{where}: {step.command.name} goes to {step.command.kind} and its undo {undo.name} to {undo.kind}; "
            "an undo goes to the actor that its do went to, so that it can never overtake it unseen"
        )
    if undo.name == step.command.name:
        raise InvalidDefinition(f"{where}: do and undo are the same command {undo.name}")


def _check_starts(definition: Definition) -> None:
    where = f"{definition.title}.started_by"
    seen: set[type[Message]] = set()
    for start in definition.starts:
        if start.event_type in seen:
            raise InvalidDefinition(f"{where}: {full_name(start.event_type)} starts it twice")
        seen.add(start.event_type)
        _check_start(where, start)
        _check_begin(where, start, definition.state_type)


def _check_start(where: str, start: On) -> None:
    contract = contract_of(start.event_type)
    if start.event_type.DESCRIPTOR.file.package == RUNTIMES_OWN:
        raise InvalidDefinition(
            f"{where}: {contract.name} is the runtime's own; a saga is started by an event of yours"
        )
    if contract.is_command:
        raise InvalidDefinition(f"{where}: {contract.name} is a command; a saga is started by an event")
    if not contract.key_field and not start.key:
        raise InvalidDefinition(f"{where}: {contract.name} has no key; declare it an event with one, or name key=...")
    if start.key:
        check_key_path(start.event_type, start.key, where)
    check_condition(start.event_type, dict(start.where), where, start.key or contract.key_field)


def _check_begin(where: str, start: On, state_type: type[Message]) -> None:
    if start.function is None or not callable(start.function) or not takes(start.function, 1):
        raise InvalidDefinition(f"{where}: {shown(start.function)} is no function of the event alone")
    given, returned = parameter_of(start.function, where), returned_by(start.function, where)
    if given is not start.event_type:
        raise InvalidDefinition(
            f"{where}: {start.function.__name__} takes {_named(given)}, and is given {full_name(start.event_type)}"
        )
    if returned is not state_type:
        raise InvalidDefinition(
            f"{where}: {start.function.__name__} returns {_named(returned)}, not the state {full_name(state_type)}"
        )


def _named(annotation: Any) -> str:
    return full_name(annotation) if is_message_type(annotation) else repr(annotation)


def check_key_path(event_type: type[Message], path: str, where: str) -> None:
    """Raises InvalidDefinition unless the dotted path leads to a text field of the event."""
    field = field_of(event_type, path)
    if field is None or field.type != FieldDescriptor.TYPE_STRING:
        raise InvalidDefinition(f"{where}: {full_name(event_type)} has no text field {path!r} to be keyed by")


def check_condition(
    event_type: type[Message], where_fields: dict[str, object], where: str, key: str = ""
) -> tuple[str, str]:
    """(field, value as text) of a condition on an event's field; both empty without one. Raises InvalidDefinition.

    `key` is the field that names whom the event reaches, which cannot hold every text.
    """
    if not where_fields:
        return "", ""
    if len(where_fields) > 1:
        raise InvalidDefinition(f"{where}: one field can be asked for, not {', '.join(map(str, where_fields))}")
    ((path, value),) = where_fields.items()
    try:
        text = condition_text(event_type, path, value)
        if path == key:
            check_key(text, f"no actor is ever named so: the key {path!r}")
        return path, text
    except (InvalidDefinition, InvalidMessage) as error:
        raise InvalidDefinition(f"{where}: {error}") from error
