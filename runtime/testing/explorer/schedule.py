"""Draws the moves that lead to a breach: who said what to whom, and what is still on its way.

····▶  a command is sent          ■  a participant takes it up, or a timer fires
────▶  an answer, or an event, comes to the saga
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.saga.node import StepDefinition
from runtime.saga.timer_names import DEADLINE
from runtime.saga.view import task_name
from runtime.testing.explorer.diagram import Arrow, Diagram, Event, Note
from runtime.testing.explorer.driver import Input, SagaDriver, Taken
from runtime.testing.explorer.moves import Move, Moved
from runtime.testing.explorer.world import FAULT, NOTHING, SentCommand

__all__ = ["diagram"]

_CLIENT = "client"
_PERSON = "person"


def diagram(driver: SagaDriver, path: Sequence[Moved]) -> Diagram:
    """The diagram of all moves, in order."""
    return _Teller(driver).tell(path)


class _Teller:
    def __init__(self, driver: SagaDriver) -> None:
        self._driver = driver
        self._saga = driver.definition.name

    def tell(self, path: Sequence[Moved]) -> Diagram:
        events = tuple(Event(tuple(self._event(moved))) for moved in path)
        shown = [one for event in events for one in event.shown]
        at = [name for one in shown for name in ((one.at,) if isinstance(one, Note) else (one.sender, one.to))]
        return Diagram(tuple(dict.fromkeys((_CLIENT, self._saga, *at))), events, tuple(self._after(path[-1])))

    def _event(self, moved: Moved) -> Iterable[Arrow | Note]:
        move, taken = moved.move, moved.taken
        if move.command is not None and move.handled is not None:
            yield self._handled(move, move.command, move.handled.how)
        if move.input is not None and taken is not None:
            yield self._came(move.input, again=move.again)
            yield from self._made_of_it(taken)

    def _handled(self, move: Move, command: SentCommand, how: str) -> Note:
        by_hand = "an operator has it handled: " if move.replayed else ""
        return Note(self._kind(command), f"{self._name(command)}: {by_hand}{how}")

    def _came(self, input: Input, *, again: bool) -> Arrow | Note:
        if input.timer:
            what = "the deadline passes" if input.timer == DEADLINE else f"timer of step {input.timer} fires"
            return Note(self._saga, what)
        if input.act is not None:
            act, name = input.act, self._driver.places.nodes[input.act.place].name
            wrong = f": {act.by}" if act.is_wrong else ""
            return Arrow(_PERSON, self._saga, f"{'approves' if act.approves else 'declines'} {name}{wrong}")
        if input.reply is None:
            return Arrow(_CLIENT, self._saga, self._driver.message(input).DESCRIPTOR.name)
        command, answer = input.reply
        said = {FAULT: f"fault of {self._name(command)}", NOTHING: f"{self._name(command)}: nothing to undo"}
        label = said.get(answer) or self._driver.message(input).DESCRIPTOR.name
        label += "" if answer in said else self._which(command)
        return Arrow(self._kind(command), self._saga, f"{label}{' (comes twice)' if again else ''}")

    def _made_of_it(self, taken: Taken) -> Iterable[Arrow | Note]:
        for mistake in taken.mistakes:
            yield Note(self._saga, mistake)
        if taken.note:
            yield Note(self._saga, f"ignored: {taken.note}")
        for name in taken.said:
            yield Arrow(self._saga, _CLIENT, name)
        for command in taken.sent:
            yield Arrow(self._saga, self._kind(command), self._name(command), opens=True)

    def _after(self, last: Moved) -> Iterable[Note]:
        """Tells how the saga stands, and what has not come yet."""
        record = self._driver.record(last.after.record)
        statuses = ", ".join(f"{task.path} {task_name(task)}" for task in record.tasks)
        yield Note(self._saga, f"{record.Status.Name(record.status).lower()}: {statuses}")
        for command in last.after.commands:
            yield Note(self._kind(command), f"still on its way: {self._name(command)}")

    def _kind(self, command: SentCommand) -> str:
        return self._driver.places.step(command.step).command.kind

    def _which(self, command: SentCommand) -> str:
        """The item or the alternative that a command is about, as in `lines[HAT]`; empty for any other step."""
        path, within = self._driver.places.step(command.step).name, self._driver.places.within[command.step]
        return "" if within is None else path.removeprefix(self._driver.places.nodes[within].name)

    def _name(self, command: SentCommand) -> str:
        name = _command_name(self._driver.places.step(command.step), undo=command.undo) + self._which(command)
        if command.probes:
            return f"probe of {name}"
        return name if command.attempt == 1 else f"{name} ({command.attempt})"


def _command_name(step: StepDefinition, *, undo: bool) -> str:
    contract = step.undo_command if undo and step.undo_command is not None else step.command
    return contract.name.rpartition(".")[2]
