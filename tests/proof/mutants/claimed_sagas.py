"""Bugs that are planted for the test of one claim about what happens within a saga; see claimed.py."""

from __future__ import annotations

from runtime.durable.turn import probe
from runtime.operate import as_test, definitions, survey
from runtime.saga import compensation, preview, repair
from runtime.saga.keys import KeysBehaviour
from runtime.saga.lock_actor import _Turn
from runtime.saga.nodes import approval, child, each, first_of, probed, probing, publish, undoing
from tests.proof.mutants.mutant import planted_in as _bug

__all__ = ["CLAIMED_SAGAS"]

CLAIMED_SAGAS = (
    _bug(
        "exported-test-expects-nothing",
        "A test that is made of a history does not say what has to be sent.",
        as_test._Writer._given,
        """yield f"story.expect({', '.join(sent)})\"""",
        'yield "story"',
    ),
    _bug(
        "step-of-a-listing-lost",
        "A listing does not tell at which step a saga is.",
        survey._Owners.entry,
        "step=told.step",
        'step=""',
    ),
    _bug(
        "reason-of-turning-back-lost",
        "A saga that turns back does not say why.",
        compensation.turn_back,
        "record.reason = reason",
        "pass",
    ),
    _bug(
        "undo-not-needed-counts-as-undone",
        "A step whose undo finds nothing to do counts as undone.",
        undoing._ask_undo,
        "saga.set_status(task, TaskRecord.SKIPPED)",
        "saga.set_status(task, TaskRecord.UNDONE)",
    ),
    _bug(
        "event-handed-to-another",
        "An event is handed to another instance than the one that waits for it.",
        KeysBehaviour._count,
        "Outgoing(came, *parse_address(entry.holder))",
        'Outgoing(came, parse_address(entry.holder)[0], "ORD-2")',
    ),
    _bug(
        "digest-not-compared",
        "An approval counts whatever was approved.",
        approval.refusal,
        "if act.digest != asked:",
        "if False:",
    ),
    _bug(
        "anybody-may-approve",
        "An approval counts whoever gives it.",
        approval.refusal,
        'return "" if may is True else',
        'return "" if True else',
    ),
    _bug(
        "list-opens-all-at-once",
        "All items of a list are asked for at once.",
        each._go_on,
        "free = max(each.at_once - under_way, 0)",
        "free = waiting",
    ),
    _bug(
        "empty-list-never-done",
        "A list without items is never done.",
        each._go_on,
        "if not under_way and not waiting:",
        "if inner and not under_way and not waiting:",
    ),
    _bug(
        "bad-list-counts-as-empty",
        "A list that cannot be used counts as one without items.",
        each.begin,
        "return failed(str(error))",
        "saga.set_status(task, TaskRecord.DONE)\n        return DONE",
    ),
    _bug(
        "stuck-child-not-named",
        "A parent does not tell that its child is stuck.",
        child._note_stuck,
        "if isinstance(answer.message, SagaStuck):",
        "if False:",
    ),
    _bug(
        "reasons-of-alternatives-lost",
        "When all alternatives are refused, only the last one is told.",
        first_of._next,
        '"; ".join(f"{one.path}: {one.do.error or one.do.outcome}" for one in inner)',
        "inner[-1].path",
    ),
    _bug(
        "published-twice",
        "An event of a saga is sent twice.",
        publish.begin,
        "saga.outgoing.append(Outgoing(event, body=body, is_published=True))",
        "saga.outgoing.extend([Outgoing(event, body=body, is_published=True)] * 2)",
    ),
    _bug(
        "uncarried-not-found",
        "Instances that a build cannot carry on are not found.",
        definitions.uncarried,
        'if f"{kind}/{version}" not in carried:',
        "if False:",
    ),
    _bug(
        "preview-moves-nothing",
        "A preview does not tell which tasks move.",
        preview.preview,
        "moves=_moves(record, copy)",
        "moves=()",
    ),
    _bug(
        "mark-leaves-no-trace",
        "What was done by hand looks as if the saga had done it.",
        repair._declare,
        'task.by_hand = f"{repair_checks.word(act.act)} by {act.who}"',
        'task.by_hand = ""',
    ),
    _bug(
        "lock-is-never-free",
        "The lock of a saga that has ended is held on.",
        _Turn.release,
        "claims.remove(one)",
        "pass",
    ),
    _bug(
        "nobody-looks-for-deadlocks",
        "Nobody is told who waits for a lock, so that a deadlock is never found.",
        _Turn.decision,
        "if claim in self._record.waiters:",
        "if False:",
    ),
    _bug(
        "lock-goes-to-the-last",
        "A lock goes to the one that asked last.",
        _Turn.hand_over,
        "record.waiters.pop(0)",
        "record.waiters.pop()",
    ),
    _bug(
        "lock-never-expires",
        "A lock whose time is over is held on.",
        _Turn.hand_over,
        "if self._is_wanted_by_others() and 0 < held_until_s(record) <= self._now_s:",
        "if False:",
    ),
    _bug(
        "silent-step-is-not-probed",
        "A step that stays silent is undone and not probed.",
        probing.ask_first,
        "if step.probe is None or verdict.came is not Came.FAILED:",
        "if True:",
    ),
    _bug(
        "absent-command-leaves-no-tombstone",
        "A command that a probe has found absent runs if it comes after all.",
        probe._found,
        'draft.tombstone(probe, id, f"probed by {probe.id.hex()} before it came")',
        "pass",
    ),
    _bug(
        "absent-step-counts-as-unknown",
        "A step that never happened, as its probe says, is undone.",
        probed._absent,
        "steps.settle(saga, step, task, TaskRecord.REFUSED)",
        "return failed(_ABSENT)",
    ),
    _bug(
        "unknown-after-its-probe-counts-as-refused",
        "A step of which its probe cannot tell whether it happened counts as refused.",
        probed._not_known,
        "steps.give_up(saga, step, task, in_vain(task).why)",
        "(steps.settle(saga, step, task, TaskRecord.REFUSED), refused(task.probe.error))[1]",
    ),
)
