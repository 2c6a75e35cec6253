"""How a participant's runtime may answer a probe, and what the saga knows once it has the answer.

a do that was handled   its answer is told once more
one that was given up   nobody can tell; or its service looks it up: it has happened, or is ruled out from now on
one that its undo, or a probe before, has ruled out: absent
one on its way          it waits there, and nobody can tell; or it has not come, and a tombstone will refuse it
"""

from __future__ import annotations

from collections.abc import Iterable

from runtime.protos.durable_pb2 import CommandsProbed, ProbedCommand
from runtime.saga.node import Meaning
from runtime.saga.view import Phase
from runtime.testing.explorer.driver import SagaDriver, command_id
from runtime.testing.explorer.participant import Cost, Handled, Participants
from runtime.testing.explorer.world import (
    AGAIN,
    DONE,
    FAULT,
    GONE,
    PARKED,
    WAITING,
    Reply,
    SagaWorld,
    SentCommand,
    Truth,
    with_fate,
)

__all__ = ["ASKING", "ProbedParticipants", "meaning_of"]

ASKING = (Phase.ASKED, Phase.PROBED)
"""What a step waits in for an answer of its participant, which may be late."""

_FAULT = Cost(faults=1)


class ProbedParticipants(Participants):
    """Participants whose runtime answers probes, too."""

    def handle(self, world: SagaWorld, command: SentCommand) -> Iterable[Handled]:
        if not command.probes:
            yield from super().handle(world, command)
            return
        truth = world.truths[command.step]
        yield Handled("probed", truth, self._answer(truth, command))
        waiting = [number for number in command.probes if truth.dos[number - 1] == WAITING]
        if waiting:
            dos = truth.dos
            for number in waiting:
                dos = with_fate(dos, number, GONE)
            gone = truth._replace(dos=dos)
            yield Handled("probed before it comes: a tombstone will refuse it", gone, self._answer(gone, command))
        if any(truth.dos[number - 1] == PARKED for number in command.probes):
            yield from self._looked_up(truth, command)
        yield Handled("its runtime knows no probes", truth, FAULT, _FAULT)

    def _looked_up(self, truth: Truth, command: SentCommand) -> Iterable[Handled]:
        """The service has a look-up for what was given up, and says what has really happened."""
        fates = self._driver.places.meaning[command.step][Meaning.DONE] if truth.effect in (DONE, AGAIN) else (GONE,)
        for fate in fates:
            dos = truth.dos
            for number in command.probes:
                dos = with_fate(dos, number, fate) if dos[number - 1] == PARKED else dos
            known = truth._replace(dos=dos)
            how = "looked up: it has not happened" if fate == GONE else "looked up: it has happened"
            yield Handled(how, known, self._answer(known, command))

    def _answer(self, truth: Truth, probe: SentCommand) -> int:
        probed, answers = CommandsProbed(), self._driver.places.answers
        for number in probe.probes:
            fate, id = truth.dos[number - 1], command_id(probe._replace(attempt=number))
            if fate == GONE:
                probed.commands.add(command=id, finding=ProbedCommand.ABSENT)
            elif fate < 0:
                probed.commands.add(command=id, reason="it was given up, or waits")
            else:
                told = answers[fate]
                one = probed.commands.add(command=id, finding=ProbedCommand.HANDLED)
                one.answers.add(type=told.DESCRIPTOR.full_name, body=told.SerializeToString())
        return self._driver.places.number_of(probed)


def meaning_of(driver: SagaDriver, truth: Truth, reply: Reply) -> Meaning | None:
    """What a reply to a do, or to a probe, says for sure of its step; None if it settles nothing."""
    command, answer = reply
    meanings = driver.places.meaning[command.step]
    for meaning in (Meaning.REFUSED, Meaning.DONE):
        if answer in meanings[meaning]:
            return meaning
    told = driver.places.answers[answer] if answer >= 0 else None
    if not isinstance(told, CommandsProbed):
        return None
    dones = driver.places.step(command.step).dones
    if any(one.type in dones for found in told.commands for one in found.answers):
        return Meaning.DONE
    is_known = all(one.finding != ProbedCommand.UNKNOWN for one in told.commands)
    asked = [one.command[-1] for one in told.commands]
    refused = meanings[Meaning.REFUSED]
    if any(truth.dos[n - 1] in refused for n in asked):  # That settles what was only taken on before.
        refused = (*refused, *meanings[Meaning.WORKING])
    # A do that this probe does not ask about was found absent before, unless it was sent after the probe.
    known = [n in asked or (n < max(asked) and fate == GONE) for n, fate in enumerate(truth.dos, 1)]
    nothing_left = all(known) and all(fate in (GONE, *refused) for fate in truth.dos)
    return Meaning.REFUSED if is_known and nothing_left else None
