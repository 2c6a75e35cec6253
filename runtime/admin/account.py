"""All that is known of one key: each actor that has it, what waits for it, and in words what it waits for itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError, Message

from runtime.admin.busy import Work, own_lines, owner_lines, works_of
from runtime.admin.spans import span
from runtime.admin.survey import hosts_of, kinds_of, lent_to, owner_of, waits_for_version
from runtime.contracts import Contracts
from runtime.envelope import address_of
from runtime.errors import AmendsError
from runtime.observe.conversation import Status, TracedMessage, conversation_of
from runtime.protos import durable_pb2, saga_pb2
from runtime.saga.instance import status_name
from runtime.store.port import Store
from runtime.store.records import ActorRow, ClusterView, MailRow

__all__ = ["Account", "Step", "Timer", "accounts", "conversations_of_key"]

_MAIL_MAX = 1000
_OTHERS_MAX = 5  # lines about others; `conversation` has them all
_NOTHING = "nothing: no mail waits for it and no timer is set"
_LONG_S = 10.0  # mail that is due for so long, at a node that lives, is worth a look at its log
_NAMED = "its log names it ('handler blocks loop', or HandlerTimedOut after handler_timeout_s)"
_REPLAY = "python -m runtime.admin dead-letters replay"
_SAGA = saga_pb2.SagaRecord


@dataclass(frozen=True, slots=True)
class Timer:
    name: str
    due_at_s: float
    type: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Step:
    """A saga's step, as its record has it."""

    name: str
    status: str  # as in StepRecord.Status, in lower case; "status N" of one that only a newer version knows
    address: str
    attempts: int
    undo_attempts: int
    asked_at_s: float
    outcome: str
    error: str


@dataclass(frozen=True, slots=True)
class Account:
    """One actor, or the mail of one that has no row yet."""

    kind: str
    key: str
    shard: int
    owner: str  # node; empty when nobody's
    owner_alive: bool
    hosts: tuple[str, ...]  # nodes with a lease that host its kind
    known: bool  # whether a node has ever told of its kind
    row: ActorRow | None
    state: Message | None  # of a saga: its business state; None when this process does not know the type
    unreadable: str  # why there is no state
    saga: saga_pb2.SagaRecord | None
    steps: tuple[Step, ...]
    timers: tuple[Timer, ...]
    mail: tuple[TracedMessage, ...]
    works: tuple[Work, ...] = ()  # its handlers that run for long, or ran when their node ended
    owner_works: tuple[Work, ...] = ()  # those of others, that block the node which owns it
    lacking: str = ""  # of a saga: why whoever owns it cannot run it, for want of its version
    lent_to: tuple[str, ...] = ()  # of a saga whose version its owner lacks: nodes that have it, one of which runs it
    waits_for: tuple[str, ...] = ()  # in words; at least one line

    @property
    def address(self) -> str:
        return address_of(self.kind, self.key)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the store has under one kind for the key."""

    kind: str
    shard: int
    row: ActorRow | None
    mail: Sequence[MailRow]


async def accounts(store: Store, contracts: Contracts, key: str, *, kind: str = "") -> list[Account]:
    """The account of every actor with this key, or of the one of this kind; by kind. Raises StoreError."""
    notes, view = await store.busy(), await store.cluster()
    works = works_of(view, notes)
    found = [_account(view, contracts, key, one, works) for one in await _found(store, key, kind)]
    return [await _with_others(store, account) for account in found]


async def _with_others(store: Store, account: Account) -> Account:
    """Who waits for nothing himself may be part of what others have yet to do: its conversation tells."""
    if account.waits_for != (_NOTHING,) or account.row is None or account.saga is not None:
        return account
    mail = conversation_of(b"", (), await store.mail_of_conversation(account.row.conversation)).messages
    others = [f"others, in its conversation: {one.short_type} for {one.to} is {one.status}" for one in mail]
    more = [f"and {len(others) - _OTHERS_MAX} more"] if len(others) > _OTHERS_MAX else []
    return replace(account, waits_for=(_NOTHING, *others[:_OTHERS_MAX], *more))


async def conversations_of_key(store: Store, key: str, *, kind: str = "") -> list[bytes]:
    """The conversations that made the actors with this key, and those of the mail that waits for them."""
    ids: dict[bytes, None] = {}
    for found in await _found(store, key, kind):
        if found.row is not None:
            ids[found.row.conversation] = None
        ids.update((mail.conversation, None) for mail in found.mail)
    return list(ids)


async def _found(store: Store, key: str, kind: str) -> list[_Found]:
    """Not by the kinds that nodes have told of: mail waits for others too."""
    rows = {row.kind: row for row in await store.actors_with_key(key)}
    shards = {**dict(await store.mail_with_key(key)), **{row.kind: row.shard for row in rows.values()}}
    found = []
    for one, shard in sorted(shards.items()):
        if kind in ("", one):
            mail = await store.waiting_for((one, key), shard, limit=_MAIL_MAX)
            if one in rows or mail:
                found.append(_Found(one, shard, rows.get(one), mail))
    return found


def _account(view: ClusterView, contracts: Contracts, key: str, found: _Found, works: Sequence[Work]) -> Account:
    owner, alive = owner_of(view, found.kind, found.shard)
    state, saga, unreadable = _states(contracts, found.row)
    lacking, lent = _of_version(view, owner, found.row, saga)
    account = Account(
        kind=found.kind,
        key=key,
        shard=found.shard,
        owner=owner,
        owner_alive=alive,
        hosts=hosts_of(view, found.kind),
        known=found.kind in kinds_of(view),
        row=found.row,
        state=state,
        unreadable=unreadable,
        saga=saga,
        steps=tuple(_step(step) for step in saga.steps) if saga else (),
        timers=_timers(found.row),
        mail=conversation_of(b"", (), found.mail).messages,
        lacking=lacking,
        lent_to=lent,
    )
    account = replace(
        account,
        works=tuple(work for work in works if work.address == account.address and _still_waits(account, work)),
        owner_works=tuple(work for work in works if _blocks_owner(account, work)),
    )
    return replace(account, waits_for=tuple(_waits_for(account, view.now_s)))


def _still_waits(account: Account, work: Work) -> bool:
    """Whether its message is still there: else it was handled, wherever."""
    if work.timer:
        return any(timer.name == work.timer for timer in account.timers)
    return any(message.id.hex() == work.id and message.status is not Status.PARKED for message in account.mail)


def _blocks_owner(account: Account, work: Work) -> bool:
    here = work.node == account.owner and work.address != account.address
    return here and work.runs and work.blocks_loop


def _states(contracts: Contracts, row: ActorRow | None) -> tuple[Message | None, saga_pb2.SagaRecord | None, str]:
    """Business state, the saga's record around it, and why there is no state."""
    if row is None:
        return None, None, ""
    try:
        if row.state_type != _SAGA.DESCRIPTOR.full_name:
            return contracts.parse(row.state_type, row.state), None, ""
        saga = _SAGA.FromString(row.state)
    except (AmendsError, DecodeError) as error:
        return None, None, str(error)
    try:
        return contracts.parse(saga.state_type, saga.state), saga, ""
    except AmendsError as error:
        return None, saga, str(error)


def _of_version(
    view: ClusterView, owner: str, row: ActorRow | None, saga: saga_pb2.SagaRecord | None
) -> tuple[str, tuple[str, ...]]:
    """Why nobody can run an instance for want of its version, and who may run it for an owner that lacks that."""
    if row is None or saga is None or saga.ended_at_s:
        return "", ()
    live = {node.name: node for node in view.nodes if node.lease_until_s > view.now_s}
    version = saga.fingerprint.hex()
    return waits_for_version(view, live.get(owner), row, version), lent_to(view, live.get(owner), row, version)


def _step(step: saga_pb2.StepRecord) -> Step:
    return Step(
        name=step.name,
        status=status_name(step),
        address=step.address,
        attempts=step.attempts,
        undo_attempts=step.undo_attempts,
        asked_at_s=step.asked_at_s,
        outcome=step.undo_outcome or step.outcome,
        error=step.error,
    )


def _timers(row: ActorRow | None) -> tuple[Timer, ...]:
    if row is None:
        return ()
    try:
        timers = durable_pb2.Timers.FromString(row.timers).timers
    except DecodeError:
        return ()
    found = (Timer(one.name, one.due_at_s, one.type, one.attempts) for one in timers)
    return tuple(sorted(found, key=lambda timer: (timer.due_at_s, timer.name)))


# --- in words ---------------------------------------------------------------------------------------------------------


def _waits_for(account: Account, now_s: float) -> Iterator[str]:
    lines = [*_saga_waits(account, now_s), *own_lines(account.works, now_s)]
    lines += [*_mail_waits(account, now_s), *_timer_waits(account, now_s)]
    if any(message.status is not Status.PARKED for message in account.mail) or account.timers:
        lines += [line for work in account.owner_works for line in owner_lines(work, now_s)]
        lines += _owner_waits(account) or _handler_waits(account, now_s)
    yield from lines or [_NOTHING]


def _saga_waits(account: Account, now_s: float) -> Iterator[str]:
    saga = account.saga
    if saga is None:
        if account.row is not None and account.row.state_type == _SAGA.DESCRIPTOR.full_name:
            yield f"an operator: its record cannot be read, so its node runs nothing of it: {account.unreadable}"
        return
    if account.lacking:
        yield f"a node of its version, until when its mail and timers are put off: {account.lacking}"
    if account.lent_to and any(message.status is not Status.PARKED for message in account.mail):
        hosts = " or ".join(account.lent_to)
        yield f"a turn on {hosts}: its owner {account.owner} lacks the version that began it, and lends it"
    if saga.status == _SAGA.STUCK:
        yield f"an operator: it is stuck: {saga.stuck_reason}"
        again = f"python -m runtime.admin retry-saga {account.address} --reason TEXT"
        yield f"mend the cause, and replay the dead letter if there is one; else have it try again: {again}"
    for step in account.steps:
        ago = span(now_s - step.asked_at_s)
        if step.status == "asked":
            yield f"the answer of {step.address} to its step {step.name!r}, asked {ago} ago (attempt {step.attempts})"
        elif step.status == "undoing":
            yield f"{step.address} to confirm the undo of {step.name!r}, sent {ago} ago (attempt {step.undo_attempts})"
        elif step.status == "owed":
            yield f"its turn to undo {step.name!r} at {step.address}: owed, and not under way"
        elif step.status == "unknown":
            yield f"news of its step {step.name!r} at {step.address}, which may or may not have been done"


def _mail_waits(account: Account, now_s: float) -> Iterator[str]:
    running = {work.id for work in account.works if work.runs}
    for message in account.mail:
        what = f"{message.short_type} from {message.sender}"
        if message.id.hex() in running:
            continue
        if message.status is Status.PARKED:
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
        yield f"its timer {timer.name!r}, {when}"


def _owner_waits(account: Account) -> list[str]:
    """Mail and timers need an owner that lives."""
    where = f"shard {account.shard} of {account.kind}"
    if any(work.node == account.owner and work.runs for work in (*account.works, *account.owner_works)):
        return []  # said already, and why its lease may have run out
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
    """Its owner lives, tells of no handler that runs, and still the mail is not done: the owner's log may tell."""
    if any(work.runs for work in (*account.works, *account.owner_works)):
        return []
    since_s = [
        max(one.sent_at_s or now_s, one.due_at_s or 0.0) for one in account.mail if one.status is not Status.PARKED
    ]
    longest_s = max((now_s - at_s for at_s in since_s), default=0.0)
    if longest_s < _LONG_S:
        return []
    return [
        f"a handler, perhaps: {account.owner} lives, and its mail has been due for {span(longest_s)}; it has told of "
        f"none that blocks, or does not return. If there is one all the same, {_NAMED}"
    ]
