"""All that is known of one key: each actor that has it, what waits for it, and what it waits for itself.

key ──▶ rows and mail of the store, by kind ──▶ Account ──▶ waits.py: what it waits for, in words
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError, Message

from runtime.contracts import Contracts
from runtime.errors import AmendsError, InvalidMessage
from runtime.observe.conversation import MessageStatus, conversation_of
from runtime.operate.account import Account
from runtime.operate.busy import Work, works_of
from runtime.operate.choices import can_do, keys, owed, repaired
from runtime.operate.deadlines import deadlines_of
from runtime.operate.locks import lock_lines
from runtime.operate.stored_kinds import stored_kind
from runtime.operate.survey import hosts_of, lent_to, owner_of, waits_for_version
from runtime.operate.timer_acts import timer_commands
from runtime.operate.timers import timers_of
from runtime.operate.waits import NOTHING, waits_for
from runtime.protos import saga_pb2
from runtime.protos.definition_pb2 import SagaShape
from runtime.saga.stored import parse_definition
from runtime.saga.view import view_task
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, ClusterView, MailRow

__all__ = ["accounts", "conversations_of_key"]

_MAIL_MAX = 1000
_OTHERS_MAX = 5  # lines about others; `conversation` has them all
_SAGA = saga_pb2.SagaRecord


@dataclass(frozen=True, slots=True)
class _Found:
    """What the store has under one kind for the key."""

    kind: str
    key: str
    shard: int
    row: ActorRow | None
    mail: Sequence[MailRow]


async def accounts(store: OperatorStore, contracts: Contracts, key: str, *, kind: str = "") -> list[Account]:
    """The account of every actor with this key, or of the one of this kind; by kind. Raises StoreError.

    `key` may also be KIND/KEY, as listings print it.
    """
    notes, view = await store.busy(), await store.cluster()
    works = works_of(view, notes)
    found = [_account(view, contracts, one, works) for one in await _found(store, key, kind)]
    found = await _with_choices(store, found)
    found = [replace(one, locks=await lock_lines(store, one, view.now_s)) for one in found]
    return [await _with_deadlines(store, view, await _with_others(store, account)) for account in found]


async def _with_choices(store: OperatorStore, found: Sequence[Account]) -> list[Account]:
    """Add to each saga what can be done. What its parts are, its definition says, which any build may have told."""
    open_ones = [one for one in found if one.saga is not None and not one.saga.ended_at_s]
    kept = {(row.kind, row.version): row.body for row in await store.definitions()} if open_ones else {}
    accounts = []
    for account in found:
        if account.saga is not None:
            shape = _shape(kept.get((account.kind, account.saga.fingerprint.hex())))
            acts = tuple(can_do(account.saga, account.address, shape))
            account = replace(account, shape=shape, can_do=acts)
        accounts.append(account)
    return accounts


def _shape(body: bytes | None) -> SagaShape | None:
    try:
        return None if body is None else parse_definition(body).shape
    except InvalidMessage:
        return None  # It was written by a newer build.


async def _with_deadlines(store: OperatorStore, view: ClusterView, account: Account) -> Account:
    """Add until when its conversation should come to which event, if a choreography says so."""
    if account.row is None or account.saga is not None:
        return account
    found = await deadlines_of(store, view, account.row.conversation)
    can_do = (*account.can_do, *(line for line in found.can_do if line not in account.can_do))
    return replace(account, waits_for=(*account.waits_for, *found.waits_for), can_do=can_do)


async def _with_others(store: OperatorStore, account: Account) -> Account:
    """An actor that waits for nothing may still be part of work that others have to do: add what they have to do."""
    if account.waits_for != (NOTHING,) or account.row is None or account.saga is not None:
        return account
    mail = conversation_of(b"", (), await store.mail_of_conversation(account.row.conversation)).messages
    others = [f"others, in its conversation: {one.short_type} for {one.to} is {one.status}" for one in mail]
    more = [f"and {len(others) - _OTHERS_MAX} more"] if len(others) > _OTHERS_MAX else []
    return replace(account, waits_for=(NOTHING, *others[:_OTHERS_MAX], *more))


async def conversations_of_key(store: OperatorStore, key: str, *, kind: str = "") -> list[bytes]:
    """The conversations that made the actors with this key, or KIND/KEY, and those of the mail that waits for them."""
    ids: dict[bytes, None] = {}
    for found in await _found(store, key, kind):
        if found.row is not None:
            ids[found.row.conversation] = None
        ids.update((mail.conversation, None) for mail in found.mail)
    return list(ids)


async def _found(store: OperatorStore, named: str, kind: str) -> list[_Found]:
    """What has this key. A key may have a slash in it, so a name that has one is taken for a key as well."""
    kind, (its_kind, slash, key) = await stored_kind(store, kind), named.partition("/")
    found = await _with_key(store, named, kind)
    its_kind = await stored_kind(store, its_kind)
    if slash and key and its_kind and kind in ("", its_kind):
        found += await _with_key(store, key, its_kind)
    return found


async def _with_key(store: OperatorStore, key: str, kind: str) -> list[_Found]:
    """Rows and mail by kind. Kinds come from the store, because mail also waits for kinds that no node has told of."""
    rows = {row.kind: row for row in await store.actors_with_key(key)}
    shards = {**dict(await store.mail_with_key(key)), **{row.kind: row.shard for row in rows.values()}}
    found = []
    for one, shard in sorted(shards.items()):
        if kind in ("", one):
            mail = await store.waiting_for((one, key), shard, limit=_MAIL_MAX)
            if one in rows or mail:
                found.append(_Found(one, key, shard, rows.get(one), mail))
    return found


def _account(view: ClusterView, contracts: Contracts, found: _Found, works: Sequence[Work]) -> Account:
    owner, alive = owner_of(view, found.kind, found.shard)
    state, saga, unreadable = _states(contracts, found.row)
    lacking, lent = _of_version(view, owner, found.row, saga)
    account = Account(
        kind=found.kind,
        key=found.key,
        shard=found.shard,
        owner=owner,
        owner_alive=alive,
        hosts=hosts_of(view, found.kind),
        known=found.kind in view.kinds,
        row=found.row,
        state=state,
        unreadable=unreadable,
        saga=saga,
        steps=tuple(view_task(task) for task in saga.tasks) if saga else (),
        timers=timers_of(found.row) if found.row else (),
        mail=conversation_of(b"", (), found.mail).messages,
        lacking=lacking,
        lent_to=lent,
    )
    account = replace(
        account,
        works=tuple(work for work in works if work.address == account.address and _still_waits(account, work)),
        owner_works=tuple(work for work in works if _blocks_owner(account, work)),
    )
    account = replace(account, waits_for=tuple(waits_for(account, view.now_s)))
    if saga is None:
        return account if found.row is None else replace(account, can_do=tuple(timer_commands(found.row)))
    return replace(
        account,
        owed=tuple(owed(saga)),
        repaired=tuple(repaired(saga)),
        keys=tuple(keys(saga)),
    )


def _still_waits(account: Account, work: Work) -> bool:
    """Whether the message of a handler that ran is still there. If it is not, some node has handled it."""
    if work.timer:
        return any(timer.name == work.timer for timer in account.timers)
    return any(message.id.hex() == work.id and message.status is not MessageStatus.PARKED for message in account.mail)


def _blocks_owner(account: Account, work: Work) -> bool:
    here = work.node == account.owner and work.address != account.address
    return here and work.runs and work.blocks_loop


def _states(contracts: Contracts, row: ActorRow | None) -> tuple[Message | None, saga_pb2.SagaRecord | None, str]:
    """Business state, the saga's record around it, and why there is no state."""
    if row is None:
        return None, None, ""
    if row.state_type == _SAGA.DESCRIPTOR.full_name and not row.state:
        return None, None, ""  # Nothing has begun it yet.
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
    """Why no node has the version of a saga instance, and which nodes may run it for an owner without that version."""
    if row is None or saga is None or saga.ended_at_s:
        return "", ()
    node = {one.name: one for one in view.nodes if one.lease_until_s > view.now_s}.get(owner)
    version = saga.fingerprint.hex()
    return waits_for_version(view, node, row.kind, version), lent_to(view, node, row.kind, version)
