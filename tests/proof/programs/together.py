"""Processes that one event starts together: which of a program do, and how each has a conversation of its own.

with_followers(program, dice) ──▶ Program in which each run of the leader is beside one of the follower
starting events that were sent ──▶ promises

A follower has no starts of its own: whatever starts its leader starts it too. Which of them drives the conversation in
which the event is said depends on the order in which the catalogue names them, and that is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from google.protobuf.message import Message

from runtime.envelope import Envelope
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.evidence import DeedCommand, Evidence
from tests.proof.programs.program import Program, Run, SagaPlan
from tests.proof.programs.vocabulary import RELAY, STARTING

__all__ = ["check_together", "several_of", "with_followers"]

_OFTEN = 0.3
_BEGIN = pb.Begin.DESCRIPTOR.full_name


def with_followers(program: Program, dice: Dice) -> Program:
    """The same program, in which its last saga is started by what starts the relay or its first saga, if so drawn.

    The first saga is never the follower. So a program with one saga has followers only beside a relay.
    """
    if (len(program.sagas) < 2 and program.relay is None) or not dice.chance(_OFTEN):
        return program
    *others, last = program.sagas
    leads_relay = program.relay is not None and (not others or dice.chance(0.5))
    leader = RELAY if leads_relay else others[0].kind
    follower = _following(program, last, leader)
    names = (leader, follower.kind) if dice.chance(0.5) else (follower.kind, leader)
    patterns = [run for run in program.runs if run.process == last.kind]
    leaders = [run for run in program.runs if run.process == leader]
    runs = [run for run in program.runs if run.process != last.kind]
    runs += [_beside(run, last.kind, patterns[place % len(patterns)]) for place, run in enumerate(leaders)]
    return replace(program, sagas=(*others, follower), runs=tuple(runs), together=names)


def _following(program: Program, plan: SagaPlan, leader: str) -> SagaPlan:
    """The plan with the starts of its leader. A relay starts by one event, and on a condition."""
    if leader == RELAY:
        assert program.relay is not None
        return replace(plan, process=program.relay.process, starting=1, is_conditional=True)
    first = program.sagas[0]
    return replace(plan, process=first.process, starting=first.starting, is_conditional=first.is_conditional)


def _beside(leader: Run, kind: str, pattern: Run) -> Run:
    name = f"{kind}|{leader.key}"
    deeds = tuple(replace(deed, name=f"{name}#{deed.step}") for deed in pattern.deeds)
    return replace(
        pattern,
        name=name,
        key=leader.key,
        number=leader.number,
        starting=leader.starting,
        deeds=deeds,
        leader=leader.name,
    )


def several_of(program: Program) -> Mapping[type[Message], Sequence[str]]:
    """What the catalogue says of events that start several processes."""
    if not program.together:
        return {}
    starting = min(plan.starting for plan in program.sagas if plan.kind in program.together)
    return dict.fromkeys(STARTING[:starting], program.together)


def check_together(evidence: Evidence, program: Program) -> Iterator[Violation]:
    """Each event that starts a leader starts its follower, and no conversation has both."""
    for run in program.runs:
        if run.leader:
            yield from _check_pair(evidence, program, run)


def _check_pair(evidence: Evidence, program: Program, run: Run) -> Iterator[Violation]:
    starts = {name: _by_cause(evidence, name) for name in (run.leader, run.name)}
    for cause in {**starts[run.leader], **starts[run.name]}:
        missing = [name for name, found in starts.items() if cause not in found]
        if missing:
            yield Violation("I1", f"an event has started one of {[*starts]}, and nobody told {missing[0]}")
            continue
        by_process = {name.partition("|")[0]: found[cause] for name, found in starts.items()}
        yield from _check_conversations(evidence, *(by_process[name].envelope for name in program.together))


def _by_cause(evidence: Evidence, run: str) -> dict[bytes, DeedCommand]:
    return {one.envelope.cause: one for one in evidence.starts.get(run, [])}


def _check_conversations(evidence: Evidence, first: Envelope, second: Envelope) -> Iterator[Violation]:
    """`first` started the process that the catalogue names first."""
    told = f"{first.kind}/{first.key} and {second.kind}/{second.key}, which one event has started,"
    if first.conversation == second.conversation:
        yield Violation("I5", f"{told} are driven in one conversation", first.conversation)
    said = evidence.handled.get(first.cause)
    if said is None or said.type != _BEGIN:
        return  # It was said by a timer, when its conversation may have had a driver already.
    if said.conversation != first.conversation:
        text = f"{told} are named in the order in which the first drives the conversation of the event, and it does not"
        yield Violation("I5", text, first.conversation)
