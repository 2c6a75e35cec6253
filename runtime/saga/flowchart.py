"""Draws a choreography from its definition and from what the signatures of handlers say, as Mermaid text.

its start ─▶ event ─▶ the command that a kind gives itself ─▶ each event that the handler may return ─▶ ... ─▶ an end
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.contracts import Contract, contract_of
from runtime.durable.reaction import Reaction
from runtime.saga.choreography import Choreography, sent_commands
from runtime.saga.drawn_text import in_id, in_mermaid
from runtime.saga.endings import Handlers, events_after

__all__ = ["draw_choreography"]

_START, _END, _OUTSIDE, _UNHEARD = "start((start))", "done((ended))", "outside((outside))", "unheard((nobody))"


def draw_choreography(process: type[Choreography], handler_of: Handlers) -> str:
    """A Mermaid flowchart of the whole flow.

    What comes from no command of the process is drawn as coming from outside. An event that nobody hears, and that is
    no end, leads to nobody. `handler_of` gives the handler of a command: Catalogue.handler_of.
    """
    lines = ["flowchart LR", f"    %% {process.__name__}: {in_mermaid(process.name)}"]
    said = _said(process, handler_of)
    started = process.starts.event_type
    where = ", ".join(f"{field} = {value}" for field, value in _condition_of_start(process))
    lines.append(_arrow(_START, _event(started), where))
    heard = dict.fromkeys(reaction.event_type for reaction in process.compiled)
    lines += [_arrow(_OUTSIDE, _event(one), dotted=True) for one in heard if one not in said and one is not started]
    for reaction, command in zip(process.compiled, process.commands, strict=True):
        lines.append(_arrow(_event(reaction.event_type), _command(command), _condition(reaction)))
    lines += _overdue(process)
    lines += _answers(process, handler_of)
    for event in said:
        if event in process.ends:
            lines.append(_arrow(_event(event), _END))
        elif event not in heard:
            lines.append(_arrow(_event(event), _UNHEARD, dotted=True))
    return "\n".join(lines) + "\n"


def _answers(process: type[Choreography], handler_of: Handlers) -> list[str]:
    lines, left, seen = [], list(sent_commands(process)), set[str]()
    while left:
        command = left.pop(0)
        handler = None if command.name in seen else handler_of(command)
        seen.add(command.name)
        for made in () if handler is None else handler.output_types:
            contract = contract_of(made)
            if contract.is_command:
                left.append(contract)
            lines.append(_arrow(_command(command), _command(contract) if contract.is_command else _event(made)))
    return lines


def _said(process: type[Choreography], handler_of: Handlers) -> dict[type[Message], None]:
    """The events that commands of the process may lead to, in the order of the drawing."""
    return dict.fromkeys(event for _, event in events_after(sent_commands(process), handler_of))


def _overdue(process: type[Choreography]) -> list[str]:
    deadline = process.deadline
    if deadline is None:
        return []
    late = f"overdue{{{{overdue after {deadline.within_s:g} s}}}}"
    lines = [_arrow(_event(process.starts.event_type), late, dotted=True)]
    return lines if deadline.command is None else [*lines, _arrow(late, _command(deadline.command))]


def _condition_of_start(process: type[Choreography]) -> list[tuple[str, str]]:
    starting = [one for one in process.compiled if one.starts and one.where_field]
    return [(one.where_field, one.where_value) for one in starting[:1]]


def _condition(reaction: Reaction) -> str:
    return f"{reaction.only_field} = {reaction.only_value}" if reaction.only_field else ""


def _arrow(one: str, other: str, label: str = "", *, dotted: bool = False) -> str:
    line = "-.->" if dotted else "-->"
    return f'    {one} {line}|"{in_mermaid(label)}"| {other}' if label else f"    {one} {line} {other}"


def _event(event: type[Message]) -> str:
    name = event.DESCRIPTOR.name
    return f"{name}([{name}])"


def _command(command: Contract) -> str:
    name = command.message_type.DESCRIPTOR.name
    return f'{in_id(command.kind)}_{name}["{in_mermaid(command.kind)}: {name}"]'
