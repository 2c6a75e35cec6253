"""Drawings of processes from their definitions, as Mermaid text: nothing runs, and nothing can be out of date."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import assert_never

from runtime.saga.definition import Definition, ReminderDefinition
from runtime.saga.drawn_text import in_mermaid
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
    steps_of,
)
from runtime.saga.probe import ASK_AGAIN, Probe

__all__ = ["draw_saga"]

_COMPLETED, _COMPENSATED = "completed", "compensated"
_PAST_PIVOT = {PastPivot.STUCK: "", PastPivot.RETRY: " for ever", PastPivot.SKIP: ", then left out"}


def draw_saga(definition: Definition) -> str:
    """A Mermaid state diagram: the way forward, each turn back, and the undos in reverse."""
    lines = ["stateDiagram-v2", f"    %% {definition.title}: {in_mermaid(definition.name)}"]
    lines += [_state(node) for node in definition.flow_nodes]
    lines += [f"    state {_undo_text(node)} as undo_{node.name}" for node in _undoable(definition)]
    lines += [f"    state {_quoted(step)} as {_closing(step)}" for step in definition.closing_steps]
    lines += [f"    [*] --> {definition.nodes[i].name}: {_started(definition)}" for i in definition.entries]
    for node in definition.flow_nodes:
        lines += _forward(definition, node)
        lines += _turns(definition, node)
    if any(_is_last(node) for node in definition.flow_nodes):
        lines.append(f"    {_COMPLETED} --> [*]")
    lines += _way_back(definition)
    lines += [_note(definition, one) for one in definition.reminders]
    return "\n".join(lines) + "\n"


def _note(definition: Definition, one: ReminderDefinition) -> str:
    every = f", then every {timedelta(seconds=one.every_s)}" if one.times > 1 and one.every_s != one.after_s else ""
    said = f"{one.name}: {one.says.DESCRIPTOR.name} after {timedelta(seconds=one.after_s)}{every}, {one.times} times"
    return f"    note right of {definition.nodes[one.place].name}: {said.removesuffix(', 1 times')}"


def _state(node: Node) -> str:
    match node:
        case StepDefinition():
            return f"    state {_quoted(node)} as {node.name}"
        case WaitDefinition():
            span = f"{timedelta(seconds=node.span_s)}" if node.until is None else "until its time"
            return f'    state "{node.name}: wait {span}" as {node.name}'
        case WhenDefinition():
            return f"    state {node.name} <<choice>>"
        case EndDefinition():
            return f'    state "{node.name}: end" as {node.name}'
        case PublishDefinition():
            return f'    state "{node.name}: publish {node.event_type.DESCRIPTOR.name}" as {node.name}'
        case ApprovalDefinition():
            return f'    state "{node.name}: {node.asked_type.DESCRIPTOR.name} is approved" as {node.name}'
        case EachDefinition():
            order = " in order" if node.in_order else ""
            return f'    state "{node.name}: {_command(node.step)} for each{order}" as {node.name}'
        case FirstOfDefinition():
            return f'    state "{node.name}: {" or ".join(map(_command, node.alternatives))}" as {node.name}'
        case _:
            assert_never(node)


def _is_last(node: Node) -> bool:
    """Whether the saga may be completed behind it."""
    return not node.after or isinstance(node, EndDefinition)


def _forward(definition: Definition, node: Node) -> list[str]:
    match node:
        case StepDefinition():
            done = f": {_answers(node, Meaning.DONE)}"
        case WaitDefinition():
            done = ": time has come"
        case PublishDefinition():
            done = ""
        case ApprovalDefinition():
            done = ": approved"
        case EachDefinition():
            done = f": {_enough(node)} {_answers(node.step, Meaning.DONE)}"
        case FirstOfDefinition():
            done = ": " + " or ".join(_answers(one, Meaning.DONE) for one in node.alternatives)
        case WhenDefinition():
            return _branches(definition, node)
        case EndDefinition():
            return [f"    {node.name} --> {_COMPLETED}"]
        case _:
            assert_never(node)
    if not node.after:
        return [f"    {node.name} --> {_COMPLETED}{done}"]
    return [f"    {node.name} --> {definition.nodes[index].name}{done}" for index in node.after]


def _branches(definition: Definition, when: WhenDefinition) -> list[str]:
    lines = []
    for index in when.after:
        to = "yes" if index in when.then else "no"
        lines.append(f"    {when.name} --> {definition.nodes[index].name}: {to}")
    if not when.otherwise and not set(when.after) - set(when.then):
        lines.append(f"    {when.name} --> {_COMPLETED}: no")
    return lines


def _turns(definition: Definition, node: Node) -> list[str]:
    """Where a refusal, and where silence, leads."""
    match node:
        case ApprovalDefinition():
            has_end = node.within_s and not node.goes_on
            over = f" or nothing within {timedelta(seconds=node.within_s)}" if has_end else ""
            return [f"    {node.name} --> {_first_undo(definition, node.index - 1)}: declined{over}"]
        case AwaitDefinition():
            return _turns_of_wait(definition, node)
        case LockDefinition():
            return [f"    {node.name} --> {_first_undo(definition, node.index)}: {_not_free(node)}"]
        case StepDefinition():
            return _turns_of_step(definition, node, node.name, node.is_undoable)
        case EachDefinition() if isinstance(node.step, LockDefinition):
            return [f"    {node.name} --> {_first_undo(definition, node.index)}: {_not_free(node.step)}"]
        case EachDefinition():
            return _turns_of_step(definition, node.step, node.name, node.is_undoable)
        case FirstOfDefinition():
            if node.role is Role.RETRIABLE:
                return _turns_past_pivot(node)
            refused = " and ".join(_answers(one, Meaning.REFUSED) or "failure" for one in node.alternatives)
            return [f"    {node.name} --> {_first_undo(definition, node.index - 1)}: {refused}"]
        case _:
            return []


def _not_free(lock: LockDefinition) -> str:
    return f"not free within {timedelta(seconds=lock.timeout_s)}, or a deadlock"


def _turns_of_step(definition: Definition, step: StepDefinition, name: str, undoes: bool) -> list[str]:
    lines = []
    if refused := _answers(step, Meaning.REFUSED):
        # What others of a list have done is undone then as well.
        back = _first_undo(definition, step.index if name != step.name and undoes else step.index - 1)
        lines.append(f"    {name} --> {back}: {refused}")
    if works := _answers(step, Meaning.WORKING):
        lines.append(f"    {name} --> {name}: {works}, {_pace(step)}")
    probed = "" if step.probe is None else ", and a probe that does not know"
    if step.retriable:
        lines.append(f"    {name} --> {name}: silence or fault, asked again{_PAST_PIVOT[step.past_pivot]}")
    else:
        lines.append(f"    {name} --> {_first_undo(definition, step.index)}: silence or fault{probed}")
    if step.probe is not None:
        lines += _absences(definition, step, step.probe, name)
    return lines


def _absences(definition: Definition, step: StepDefinition, probe: Probe, name: str) -> list[str]:
    """Where the answer to a probe leads that a step has not happened; one that has goes on as if it was answered."""
    if step.retriable or probe.absent == ASK_AGAIN:
        return [f"    {name} --> {name}: probed and absent, asked again"]
    return [f"    {name} --> {_first_undo(definition, step.index - 1)}: probed and absent"]


def _turns_past_pivot(first_of: FirstOfDefinition) -> list[str]:
    """One that may have happened is undone before the next is asked."""
    name, lines = first_of.name, list[str]()
    for one, after in itertools.pairwise(first_of.alternatives):
        told = " or ".join(filter(None, (_answers(one, Meaning.REFUSED), "silence or fault")))
        undo = "" if one.undo_command is None else f"{one.undo_command.message_type.DESCRIPTOR.name}, "
        lines.append(f"    {name} --> {name}: {told}, then {undo}{_command(after)}")
    last = first_of.alternatives[-1]
    again = f"silence or fault of {_command(last)}, asked again{_PAST_PIVOT[last.past_pivot]}"
    return [*lines, f"    {name} --> {name}: {again}"]


def _turns_of_wait(definition: Definition, wait: AwaitDefinition) -> list[str]:
    lines = []
    if wait.types(Meaning.REFUSED):
        lines.append(f"    {wait.name} --> {_first_undo(definition, wait.index - 1)}: another waits for its key")
    within = f"nothing within {timedelta(seconds=wait.timeout_s)}"
    if not wait.goes_on:
        return [*lines, f"    {wait.name} --> {_first_undo(definition, wait.index)}: {within}"]
    after = [definition.nodes[index].name for index in wait.after] or [_COMPLETED]
    return [*lines, *(f"    {wait.name} --> {name}: {within}" for name in after)]


def _way_back(definition: Definition) -> list[str]:
    lines = []
    for node in reversed(_undoable(definition)):
        lines.append(f"    undo_{node.name} --> {_first_undo(definition, node.index - 1)}: {_confirmed(node)}")
        for step in steps_of(node):
            if step.undo_working:
                works = " or ".join(one.DESCRIPTOR.name for one in step.undo_working)
                lines.append(f"    undo_{node.name} --> undo_{node.name}: {works}, {_pace(step)}")
    closing = [*(_closing(step) for step in definition.closing_steps), _COMPENSATED]
    for step, after in zip(definition.closing_steps, closing[1:], strict=True):
        lines.append(f"    {_closing(step)} --> {after}: {_answers(step, Meaning.DONE)}")
        if works := _answers(step, Meaning.WORKING):
            lines.append(f"    {_closing(step)} --> {_closing(step)}: {works}, {_pace(step)}")
    may_turn = any(not step.retriable for node in definition.flow_nodes for step in steps_of(node))
    return [*lines, f"    {_COMPENSATED} --> [*]"] if may_turn else lines


def _first_undo(definition: Definition, index: int) -> str:
    """What is undone first when the steps up to this index may have happened."""
    for node in reversed(_undoable(definition)):
        if node.index <= index:
            return f"undo_{node.name}"
    return next((_closing(step) for step in definition.closing_steps), _COMPENSATED)


def _undoable(definition: Definition) -> list[Node]:
    return [node for node in definition.flow_nodes if node.is_undoable and node.role is not Role.RETRIABLE]


def _closing(step: StepDefinition) -> str:
    return f"say_{step.name}"


def _quoted(step: StepDefinition) -> str:
    if isinstance(step, AwaitDefinition):
        by = f" by its key {step.standing}" if step.standing else ""
        return f'"{step.name}: wait for {step.event.DESCRIPTOR.name}{by}"'
    if isinstance(step, LockDefinition):
        return f'"{step.name}: lock {in_mermaid(step.lock)}"'
    if isinstance(step, ChildDefinition):
        return f'"{step.name}: saga {in_mermaid(step.saga)}"'
    pivot = " (pivot)" if step.role is Role.PIVOT else ""
    return f'"{step.name}: {step.command.message_type.DESCRIPTOR.name}{pivot}"'


def _undo_text(node: Node) -> str:
    if isinstance(node, AwaitDefinition):
        return f'"stop {node.name}"'
    if isinstance(node, LockDefinition):
        return f'"release {node.name}"'
    undos = [one.undo_command for one in steps_of(node) if one.undo_command is not None]
    each = ""
    if isinstance(node, EachDefinition):
        each = " for each, the last first" if node.in_order else " for each"
    return f'"undo {node.name}: {" or ".join(one.message_type.DESCRIPTOR.name for one in undos)}{each}"'


def _answers(step: StepDefinition, meaning: Meaning) -> str:
    return " or ".join(one.DESCRIPTOR.name for one in step.types(meaning))


def _pace(step: StepDefinition) -> str:
    limit = f", for {step.at_most_s:g} s at most" if step.at_most_s else ""
    return f"asked again after {step.every_s:g} s{limit}"


def _confirmed(node: Node) -> str:
    undone = [" or ".join(sorted(one.DESCRIPTOR.name for one in step.undone)) for step in steps_of(node) if step.undone]
    return ("all " if isinstance(node, EachDefinition) else "") + " or ".join(undone)


def _command(step: StepDefinition) -> str:
    if isinstance(step, LockDefinition):
        return f"lock {in_mermaid(step.lock)}"
    return step.command.message_type.DESCRIPTOR.name


def _enough(each: EachDefinition) -> str:
    if each.at_least:
        return f"at least {each.at_least}"
    return f"all but {each.tolerate}" if each.tolerate else "all"


def _started(definition: Definition) -> str:
    return " or ".join(start.event_type.DESCRIPTOR.name for start in definition.starts)
