"""How the operator's view looks as JSON: records in, plain objects out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from runtime.envelope import address_of
from runtime.observe.plain import as_plain
from runtime.operate.account import Account
from runtime.operate.audit import ActEntry
from runtime.operate.busy import Work
from runtime.operate.letter_groups import LetterGroup
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.runs import RunItem, RunView
from runtime.operate.survey import nodes_of
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.preview import Preview
from runtime.saga.view import status_name
from runtime.store.records import ClusterView

__all__ = [
    "account_object",
    "act_object",
    "group_object",
    "item_object",
    "letter_object",
    "node_objects",
    "preview_object",
    "run_object",
]


_RUN_FIELDS = ("kind", "act", "who", "reason", "chosen_by", "began_at_s", "cancelled", "done", "refused", "left")


def node_objects(view: ClusterView, works: Sequence[Work], log_bytes: int) -> list[dict[str, object]]:
    """Each node, with the length of the log beside the store's file, which is one for all of them."""
    return [
        {
            **asdict(node),
            "lease_left_s": left_s,
            "shards": owned,
            "busy": [asdict(work) for work in works if work.node == node.name and work.runs],
            "store_log_bytes": log_bytes,
        }
        for node, left_s, owned in nodes_of(view)
    ]


def letter_object(letter: ParkedMail) -> dict[str, object]:
    row = letter.row
    return {
        "id": row.id.hex(),
        "to": address_of(*row.address),
        "type": letter.type,
        "from": letter.sender,
        "conversation": row.conversation.hex(),
        "attempts": row.attempts,
        "sent_at_s": row.sent_at_s,
        "parked_at_s": row.parked_at_s,
        "reason": row.parked,
    }


def preview_object(saga: str, seen: Preview) -> dict[str, object]:
    sent = [
        {"to": one.to, "type": one.message.DESCRIPTOR.full_name, "message": as_plain(one.message)} for one in seen.sent
    ]
    rest = {"timers": [list(one) for one in seen.timers], "moves": [asdict(one) for one in seen.moves]}
    told = {"refusal": seen.refusal, "text": seen.text, "before": seen.before, "after": seen.after}
    return {"saga": saga, "revision": seen.revision, **told, "sent": sent, **rest}


def run_object(run: RunView) -> dict[str, object]:
    """Without its items."""
    return {"run": run.name, **{name: getattr(run, name) for name in _RUN_FIELDS}}


def group_object(group: LetterGroup) -> dict[str, object]:
    return asdict(group)


def act_object(act: ActEntry) -> dict[str, object]:
    return {**asdict(act), "id": act.id.hex(), "conversation": act.conversation.hex()}


def item_object(item: RunItem) -> dict[str, object]:
    came = {"handled": item.handled, "refusal": item.refusal}
    return (
        {"id": item.letter, "to": item.what, "type": item.type, **came} if item.letter else {"saga": item.what, **came}
    )


def _saga_object(saga: SagaRecord) -> dict[str, object]:
    return {"definition": saga.definition, "status": status_name(saga), "reason": saga.reason, **_halted(saga)}


def _halted(saga: SagaRecord) -> dict[str, object]:
    return {"revision": saga.revision, "suspended": saga.suspended, "held": len(saga.held)}


def account_object(account: Account) -> dict[str, object]:
    row = account.row
    saga = account.saga
    return {
        "address": account.address,
        "shard": account.shard,
        "owner": account.owner,
        "owner_alive": account.owner_alive,
        "revision": saga.revision if saga else row.revision if row else 0,
        "updated_at_s": row.updated_at_s if row else None,
        "state_type": row.state_type if row else "",
        "state": None if account.state is None else as_plain(account.state),
        "unreadable": account.unreadable,
        "saga": None if saga is None else _saga_object(saga),
        "steps": [asdict(step) for step in account.steps],
        "timers": [asdict(timer) for timer in account.timers],
        "mail": [{"type": m.type, "from": m.sender, "status": m.status.value, "note": m.note} for m in account.mail],
        "busy": [asdict(work) for work in account.works],
        "owner_blocked_by": [asdict(work) for work in account.owner_works],
        "waits_for": list(account.waits_for),
        "locks": list(account.locks),
        "owed": list(account.owed),
        "repaired": list(account.repaired),
        "keys": list(account.keys),
        "can_do": list(account.can_do),
    }
