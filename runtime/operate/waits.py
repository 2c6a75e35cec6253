"""What an actor waits for, in words: one line for each thing that has to happen before it goes on."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.observe.conversation import MessageStatus
from runtime.operate.account import Account
from runtime.operate.busy import own_lines, owner_lines
from runtime.operate.spans import span
from runtime.protos import saga_pb2
from runtime.saga.timer_names import CLOSING
from runtime.saga.view import TaskView, heading

__all__ = ["NOTHING", "waits_for"]

NOTHING = "nothing: no mail waits for it and no timer is set"
_LONG_S = 10.0  # mail that has been due for so long at a live node is worth a look at its log
_NAMED = "its log names it ('handler blocks loop', or HandlerTimedOut after handler_timeout_s)"
_REPLAY = "amends admin dead-letters replay"
_SAGA = saga_pb2.SagaRecord
_KEY = saga_pb2.StandingKey


def waits_for(account: Account, now_s: float) -> Iterator[str]:
    lines = [*_saga_waits(account, now_s), *own_lines(account.works, now_s)]
    lines += [*_mail_waits(account, now_s), *_timer_waits(account, now_s)]
    if any(message.status is not MessageStatus.PARKED for message in account.mail) or account.timers:
        lines += [line for work in account.owner_works for line in owner_lines(work, now_s)]
        lines += _owner_waits(account) or _handler_waits(account, now_s)
    yield from lines or [NOTHING]


def _saga_waits(account: Account, now_s: float) -> Iterator[str]:
    saga = account.saga
    if saga is None:
        is_saga = account.row is not None and account.row.state_type == _SAGA.DESCRIPTOR.full_name
        if is_saga and not account.has_not_begun:
            yield f"an operator: its record cannot be read, so its node runs nothing of it: {account.unreadable}"
        return
    if account.lacking:
        yield f"a node of its version, until when its mail and timers are put off: {account.lacking}"
    if account.lent_to and any(message.status is not MessageStatus.PARKED for message in account.mail):
        hosts = " or ".join(account.lent_to)
        yield f"a turn on {hosts}: its owner {account.owner} lacks the version that began it, and lends it"
    if saga.suspended:
        yield "an operator: it is suspended, and sends nothing until it is resumed"
    if saga.status == _SAGA.STUCK:
        yield f"an operator: it is stuck: {saga.stuck_reason}"
        again = f"amends admin retry-saga {account.address} --reason TEXT"
        yield f"mend the cause, and replay the dead letter if there is one; else have it try again: {again}"
    for key in saga.keys:
        if key.status == _KEY.ASKED:
            yield f"{account.kind}-keys/{key.value} to say that it holds its key {key.name!r}"
    for reminder in saga.reminders:
        if reminder.error:
            yield f"a change of its reminder {reminder.name!r}, which could not be said: {reminder.error}"
    if saga.deadline_cancelled and heading(saga) == _SAGA.RUNNING:
        yield f"its end, without a deadline, which was cancelled by {saga.deadline_cancelled}"
    wholes = {task.path for task in saga.tasks if task.HasField("inner")}  # What is within tells what is waited for.
    for step in account.steps:
        if step.name not in wholes:
            yield from _step_waits(account, step, now_s)


def _step_waits(account: Account, step: TaskView, now_s: float) -> Iterator[str]:
    ago = span(now_s - step.asked_at_s)
    again, tried = _asks_again(account, step.name, now_s), f" (attempt {step.undo_attempts})"
    if step.status == "asked" and step.awaits:
        yield f"{_event_of(step)}, for which step {step.name!r} waits for another {span(step.until_s - now_s)}"
    elif step.status == "asked" and step.is_lock:
        left = span(step.until_s - now_s)
        yield f"its turn at {step.address}, for which step {step.name!r} waits for another {left}"
    elif step.status == "asked":
        yield f"the answer of {step.address} to its step {step.name!r}, asked {ago} ago (attempt {step.attempts})"
    elif step.status == "working":
        taken = f"{step.address} to finish its step {step.name!r}, which it has taken on"
        yield f"{taken}; asked {ago} ago{again}{_stuck(step)}"
    elif step.status == "undoing":
        yield f"{step.address} to confirm the undo of {step.name!r}, sent {ago} ago{again or tried}{_stuck(step)}"
    elif step.status == "owed":
        yield _owed(step, again)
    elif step.status == "timed":
        yield f"its wait {step.name!r}: the timer of that name says until when"
    elif step.status == "to be approved":
        limited = any(timer.name == step.name for timer in account.timers)
        ever = "" if limited else ", without a time limit"
        yield f"a person to approve {step.name!r}{ever}: {step.asks} (digest {step.digest})"
    elif step.status == "being probed":
        yield f"the runtime of {step.address} to tell whether its step {step.name!r} has happened; {step.error}"
    elif step.status == "unknown":
        yield f"news of its step {step.name!r} at {step.address}, which may or may not have been done"


def _owed(step: TaskView, again: str) -> str:
    if again:
        told = f"of which {step.undo_attempts} {'attempt' if step.undo_attempts == 1 else 'attempts'} failed"
        return f"the undo of {step.name!r} at {step.address}, {told}{again}: {step.error}"
    return f"its turn to undo {step.name!r} at {step.address}: owed, and not under way"


def _stuck(step: TaskView) -> str:
    """What a child saga has said of being stuck."""
    return f"; {step.error}" if step.error.startswith(f"{step.address} is stuck") else ""


def _event_of(step: TaskView) -> str:
    key = step.address.partition("/")[2]
    return f"{step.awaits.rpartition('.')[2]} with key {key!r}, which is looked after by {step.address}"


def _asks_again(account: Account, step: str, now_s: float) -> str:
    """When a step asks for the next time; empty where no timer of it runs."""
    due_at_s = next((one.due_at_s for one in account.timers if one.name in (step, f"{CLOSING}{step}")), None)
    return "" if due_at_s is None else f", asks again in {span(max(due_at_s - now_s, 0.0))}"


def _mail_waits(account: Account, now_s: float) -> Iterator[str]:
    running = {work.id for work in account.works if work.runs}
    for message in account.mail:
        what = f"{message.short_type} from {message.sender}"
        if message.id.hex() in running:
            continue
        if message.status is MessageStatus.PARKED:
            yield f"an operator: {what} is a dead letter after {_runs(message.attempts)}: {message.note}"
            yield f"the cause mended, then: {_REPLAY} {message.id.hex()}"
        elif message.due_at_s is not None and message.due_at_s > now_s:
            why = f"; 'handler failed' in the log of {account.owner or 'its last owner'} says why"
            again = f", after {message.attempts} failed attempts{why}" if message.attempts else ""
            yield f"the time of {what}, due in {span(message.due_at_s - now_s)}{again}"
        else:
            yield f"its turn to handle {what}, sent {span(now_s - (message.sent_at_s or now_s))} ago"


def _runs(attempts: int) -> str:
    return "1 attempt" if attempts == 1 else f"{attempts} attempts"


def _timer_waits(account: Account, now_s: float) -> Iterator[str]:
    for timer in account.timers:
        left_s = timer.due_at_s - now_s
        when = f"due in {span(left_s)}" if left_s >= 0 else f"overdue by {span(-left_s)}"
        yield f"its timer {timer.name!r} ({timer.purpose}), {when}"


def _owner_waits(account: Account) -> list[str]:
    """Mail and timers need an owner that lives."""
    where = f"shard {account.shard} of {account.kind}"
    if any(work.node == account.owner and work.runs for work in (*account.works, *account.owner_works)):
        return []  # another line says it, and why the lease may have run out
    if account.owner and not account.owner_alive:
        lost = f"a node: {account.owner}, which owns {where}, has no lease any more"
        return [f"{lost}; if it still runs, a handler may block it: {_NAMED}"]
    if not account.hosts:
        never = "" if account.known else ", and none has told of that kind yet"
        return [f"a node: none that lives hosts {account.kind}{never}; launch one that does"]
    if not account.owner:
        return [f"a node: nobody owns {where}, which {' or '.join(account.hosts)} has yet to take"]
    return []


def _handler_waits(account: Account, now_s: float) -> list[str]:
    """Mail is long due though its owner lives and tells of no handler that runs: a look at the owner's log may help."""
    if any(work.runs for work in (*account.works, *account.owner_works)):
        return []
    since_s = [
        max(one.sent_at_s or now_s, one.due_at_s or 0.0)
        for one in account.mail
        if one.status is not MessageStatus.PARKED
    ]
    longest_s = max((now_s - at_s for at_s in since_s), default=0.0)
    if longest_s < _LONG_S:
        return []
    return [
        f"a handler, perhaps: {account.owner} lives, and its mail has been due for {span(longest_s)}; it has told of "
        f"none that blocks, or does not return. If there is one all the same, {_NAMED}"
    ]
