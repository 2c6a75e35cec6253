"""Mutants of probes: what is asked before a step of unknown outcome fails, and what the answers mean."""

from __future__ import annotations

from runtime.durable.turn import probe
from runtime.saga.nodes import probed, probing
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["PROBES"]

_SAME_STORE = (
    "the sender of a probe has committed its do to the same store before, and a probe overtakes nothing: so the do "
    "came first, unless a store has lost it"
)

PROBES = (
    Mutant(
        "what-nobody-knows-is-refused",
        "A step of which a probe cannot tell whether it happened counts as refused: nothing of it is undone.",
        (
            Edit(
                probed._not_known,
                "return as_declared(saga, step, task, steps.give_up(saga, step, task, in_vain(task).why))",
                "task.status = TaskRecord.REFUSED; return refused(task.probe.error)",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "handled-without-answer-is-absent",
        "The runtime says of a command that was handled without an answer that it never was.",
        (
            Edit(
                probe._of_handled,
                "return ProbedCommand(command=row.id, finding=ProbedCommand.HANDLED, answers=answers)",
                "finding = ProbedCommand.HANDLED if answers else ProbedCommand.ABSENT\n"
                "    return ProbedCommand(command=row.id, finding=finding, answers=answers)",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "probe-without-a-timer",
        "A probe that stays silent is waited for without end.",
        (Edit(probing._ask, "saga.timers.append(SetTimer(step.timer, saga.now_s + step.timeout_s))", "pass"),),
        workload="random",
    ),
    Mutant(
        "absent-without-a-tombstone",
        "A command that a probe has found absent is handled all the same when it comes.",
        (Edit(probe._found, "draft.tombstone(probe, id,", "(probe, id,"),),
        unseen=_SAME_STORE,
        held_by="tests/unit/durable/test_probe.py",
    ),
    Mutant(
        "begun-and-absent",
        "Work that has begun counts as absent because a later command of it never came.",
        (Edit(probed.answered, "nothing_begun = not task.do.working_ids and", "nothing_begun ="),),
        unseen=_SAME_STORE,
        held_by="tests/unit/testing/explorer/test_probed_sagas.py",
    ),
)
