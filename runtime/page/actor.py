"""One saga, or one actor of a service: how it stands, what it waits for, and what an operator can do about it."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.errors import InvalidMessage
from runtime.operate.account import Account
from runtime.operate.choices import commands_for
from runtime.operate.dead_letters import NotFound
from runtime.operate.lookup import accounts
from runtime.page.desk import PageDesk
from runtime.page.history import history_link
from runtime.page.links import PageAddress, actor_link, conversation_link, link
from runtime.page.proof import proof_tag
from runtime.page.rail import rail_of, remaining
from runtime.page.screen import ROWS_MAX, Screen
from runtime.page.shown import state_text
from runtime.protos.definition_pb2 import SagaDefinition
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.stored import parse_definition
from runtime.saga.view import status_name
from runtime.store.port import OperatorStore

__all__ = ["actor", "headline"]

_SHORT_LIST = 50  # timers and mail on the page; `explain` has all of them


async def actor(desk: PageDesk, target: PageAddress) -> Screen:
    """Raises NotFound for a key that no actor of that kind has, InvalidMessage for a page that is none, StoreError."""
    kind, key = target.path[1], target.path[2] if len(target.path) > 2 else target.query.get("key", "")
    first = target.integer("from")
    async with desk.view() as store:
        now_s = await store.now_s()
        found = [one for one in await accounts(store, desk.contracts, key, kind=kind) if one.key == key]
        if not found:
            raise NotFound(f"no actor of the kind {kind!r} has the key {key!r}, and no mail waits for one")
        account = found[0]
        stored = await _definition(store, account)
        version = account.saga.fingerprint.hex() if account.saga is not None else ""
        proof = await proof_tag(store, version) if version else None
    values = {**_told(account), **_rail(account, stored, first), "now_s": now_s, "proof": proof}
    return Screen("actor", account.address, ("standing", "rail", "details"), values=values)


def headline(account: Account) -> str:
    """How it stands and what it waits for first, in a sentence or two."""
    saga = account.saga
    if account.has_not_begun:
        how = f"{account.address} is a saga that has not begun"
    elif saga is None:
        how = f"{account.address} is no saga" if account.row else f"{account.address} has not handled a message yet"
    else:
        suspended = ", suspended" if saga.suspended else ""
        where = "past its pivot" if saga.pivot_passed else "before its pivot"
        how = f"{account.address} is {status_name(saga)}{suspended}, {where}"
    return f"{how}. It waits for {account.waits_for[0]}"


def _told(account: Account) -> dict[str, object]:
    row, saga = account.row, account.saga
    text, left_out = state_text(account.state) if account.state is not None else ("", 0)
    return {
        "account": account,
        "saga": saga,
        "status": status_name(saga) if saga else "",
        "sentence": headline(account),
        "more_waits": account.waits_for[1:],
        "revision": saga.revision if saga else row.revision if row else 0,
        "commands": list(commands_for(saga, account.address, account.shape)) if saga else [],
        "state": text,
        "state_left_out": left_out,
        "state_type": account.state.DESCRIPTOR.full_name if account.state is not None else "",
        "timers": account.timers[:_SHORT_LIST],
        "more_timers": max(0, len(account.timers) - _SHORT_LIST),
        "mail": account.mail[:_SHORT_LIST],
        "more_mail": max(0, len(account.mail) - _SHORT_LIST),
        "conversation": conversation_link(row.conversation) if row else "",
        "history": history_link(account.kind, account.key) if saga else "",
    }


def _rail(account: Account, stored: SagaDefinition | None, first: int) -> dict[str, object]:
    rows = rail_of(account.saga, stored) if account.saga else ()
    here = actor_link(account.kind, account.key, is_saga=account.saga is not None)
    onward, back = first + ROWS_MAX, max(0, first - ROWS_MAX)
    return {
        "rows": rows[first:onward],
        "first": first,
        "steps": len(rows),
        "remaining": remaining(rows),
        "pivot_known": stored is not None,
        "before": _with(here, back) if first else "",
        "next": _with(here, onward) if onward < len(rows) else "",
        "stuck_reason": _stuck_reason(account.saga),
        "pivot_at": next((row.task.name for row in rows if row.is_pivot), ""),
    }


def _with(here: str, first: int) -> str:
    return f"{here}&from={first}" if "?" in here else link(here, {"from": first})


def _stuck_reason(saga: SagaRecord | None) -> str:
    return saga.stuck_reason if saga is not None and saga.status == SagaRecord.STUCK else ""


async def _definition(store: OperatorStore, account: Account) -> SagaDefinition | None:
    """The one by which the saga runs, if the store keeps it and this build can read it."""
    if account.saga is None:
        return None
    version, kinds = account.saga.fingerprint.hex(), (account.kind, account.saga.definition)
    bodies: Sequence[bytes] = [
        row.body for row in await store.definitions() if row.version == version and row.kind in kinds
    ]
    try:
        return parse_definition(bodies[0]) if bodies else None
    except InvalidMessage:
        return None
