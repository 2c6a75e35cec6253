"""What the desk answers: the objects that the command line prints as JSON, as messages.

    record ──runtime/operate/objects.py──▶ object ──▶ message, whose fields have the same names

What is a free form in JSON, such as a state, is a text of JSON in a message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from runtime.contracts import Contracts
from runtime.observe.conversation import TracedMessage
from runtime.operate.account import Account
from runtime.operate.audit import ActEntry
from runtime.operate.busy import works_of
from runtime.operate.choices import Choice, acts_for
from runtime.operate.history import HistoryEntry
from runtime.operate.history_objects import entry_object
from runtime.operate.letter_groups import LetterGroup
from runtime.operate.objects import (
    account_object,
    act_object,
    group_object,
    item_object,
    letter_object,
    node_objects,
    preview_object,
    run_object,
)
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.proofs.by_version import VersionProofs
from runtime.operate.proofs.proof_objects import version_object
from runtime.operate.runs import RunItem, RunView
from runtime.operate.shards import shards_of
from runtime.operate.survey import SagaEntry
from runtime.operate.timer_acts import timer_choices
from runtime.protos import admin_pb2
from runtime.protos.saga_pb2 import RepairSaga, SagaRecord
from runtime.saga.preview import Preview
from runtime.saga.repair_checks import acts_since, tasks_moved_since
from runtime.saga.view import status_name, task_name
from runtime.store.records import Busy, ClusterView

__all__ = [
    "account_answer",
    "act_answer",
    "group_answer",
    "item_answer",
    "letter_answer",
    "message_answer",
    "moment_answer",
    "nodes_answer",
    "preview_answer",
    "proofs_answer",
    "refusal_of",
    "run_answer",
    "summary",
]

_TEXT_MAX = 16_000  # characters of one text in a listing
_REASON_MAX = 500  # of one that goes along as metadata
_STATE_BYTES_MAX = 1024 * 1024
_LINES_MAX = 1000  # of each list in one explanation
_TOLD_LISTS = ("waits_for", "owed", "repaired", "can_do", "keys", "locks")
_LISTS = ("steps", "timers", "mail", "busy", "owner_blocked_by", *_TOLD_LISTS)


def summary(entry: SagaEntry) -> admin_pb2.SagaSummary:
    return admin_pb2.SagaSummary(**_told(admin_pb2.SagaSummary, asdict(entry)))


def message_answer(message: TracedMessage) -> admin_pb2.ConversationMessage:
    told: dict[str, Any] = {
        "id": message.id.hex(),
        "cause": message.cause.hex(),
        "from": message.sender,
        "to": message.to,
        "type": message.type,
        "status": message.status.value,
        "sent_at_s": message.sent_at_s,
        "handled_at_s": message.handled_at_s,
        "due_at_s": message.due_at_s,
        "attempts": message.attempts,
        "node": message.node,
        "note": message.note,
        "unheard": list(message.unheard),
    }
    return admin_pb2.ConversationMessage(**_told(admin_pb2.ConversationMessage, told))


def nodes_answer(view: ClusterView, notes: Sequence[Busy]) -> admin_pb2.ListNodesResponse:
    """All nodes that have joined, and who owns which shards."""
    refusing = {(one.node, one.incarnation): one.refuses_since_s for one in notes if one.refuses_since_s}
    told: list[dict[str, Any]] = node_objects(view, works_of(view, notes), 0)
    for node in told:
        is_live = node["lease_left_s"] > 0
        node["refuses_since_s"] = refusing.get((node["name"], node["incarnation"])) if is_live else None
    nodes = [admin_pb2.NodeSummary(**_told(admin_pb2.NodeSummary, node)) for node in told]
    shards = [admin_pb2.ShardSummary(**_told(admin_pb2.ShardSummary, asdict(one))) for one in shards_of(view)]
    return admin_pb2.ListNodesResponse(nodes=nodes, shards=shards)


def letter_answer(letter: ParkedMail) -> admin_pb2.DeadLetterSummary:
    return admin_pb2.DeadLetterSummary(**_told(admin_pb2.DeadLetterSummary, letter_object(letter)))


def account_answer(account: Account) -> admin_pb2.ExplainSagaResponse:
    """What is too much for one answer is left out, and said to be."""
    told: dict[str, Any] = account_object(account)
    left_out = list[str]()
    state, told["state_json"] = told.pop("state"), ""
    if state is not None:
        text = _json(state)
        if len(text) > _STATE_BYTES_MAX:
            left_out.append(f"the state, of {len(text):,} characters: `amends admin explain --json` shows it")
        else:
            told["state_json"] = text
    told["acts"] = [
        {**one._asdict(), "act": RepairSaga.Act.Value(one.act.upper().replace("-", "_"))} for one in _acts(account)
    ]
    for name in _LISTS:
        found = told[name]
        if len(found) > _LINES_MAX:
            left_out.append(f"{len(found) - _LINES_MAX:,} of {len(found):,} {name}")
        told[name] = found[:_LINES_MAX]
    return admin_pb2.ExplainSagaResponse(**_told(admin_pb2.ExplainSagaResponse, told), left_out=left_out)


def _acts(account: Account) -> Iterable[Choice]:
    if account.saga is not None:
        return acts_for(account.saga, account.shape)
    return () if account.row is None else timer_choices(account.row)


def moment_answer(contracts: Contracts, entry: HistoryEntry) -> admin_pb2.HistoryMoment:
    told: dict[str, Any] = entry_object(contracts, entry)
    message = told.pop("message")
    return admin_pb2.HistoryMoment(
        **_told(admin_pb2.HistoryMoment, told), message_json="" if message is None else _json(message)
    )


def preview_answer(saga: str, seen: Preview) -> admin_pb2.PreviewActResponse:
    told: dict[str, Any] = preview_object(saga, seen)
    told["sent"] = [
        {"to": one["to"], "type": one["type"], "message_json": _json(one["message"])} for one in told["sent"]
    ]
    told["timers"] = [{"name": name, "due_at_s": due_at_s} for name, due_at_s in told["timers"]]
    return admin_pb2.PreviewActResponse(**_told(admin_pb2.PreviewActResponse, told))


def run_answer(run: RunView) -> admin_pb2.Batch:
    """Without its items."""
    return admin_pb2.Batch(**_told(admin_pb2.Batch, run_object(run)))


def item_answer(item: RunItem) -> admin_pb2.BatchItem:
    return admin_pb2.BatchItem(**_told(admin_pb2.BatchItem, item_object(item)))


def group_answer(group: LetterGroup) -> admin_pb2.DeadLetterGroup:
    return admin_pb2.DeadLetterGroup(**_told(admin_pb2.DeadLetterGroup, group_object(group)))


def act_answer(act: ActEntry) -> admin_pb2.ActDone:
    return admin_pb2.ActDone(**_told(admin_pb2.ActDone, act_object(act)))


def proofs_answer(one: VersionProofs) -> admin_pb2.VersionProofs:
    """A version with all its proofs."""
    told: dict[str, Any] = version_object(one)
    for proof in told["proofs"]:
        did = proof.pop("did")
        proof["did_json"] = "" if did is None else _json(did)
    return admin_pb2.VersionProofs(**_told(admin_pb2.VersionProofs, told))


def refusal_of(saga: str, act: RepairSaga, reason: str, record: SagaRecord) -> admin_pb2.ActRefusal:
    """Why an act was refused, and what has changed since the revision at which it was meant."""
    expected = act.expected_revision
    return admin_pb2.ActRefusal(
        saga=saga,
        reason=reason[:_REASON_MAX],
        expected_revision=expected,
        revision=record.revision,
        status=status_name(record),
        changed=[
            admin_pb2.ChangedTask(task=task.path, status=task_name(task))
            for task in tasks_moved_since(record, expected)
        ],
        acts_meanwhile=acts_since(record, expected),
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _told(answer: Any, told: Any) -> dict[str, Any]:
    """The fields that the answer has, of an object; a test holds that it lacks none. Texts are cut, but not JSON."""
    fields = getattr(answer, "DESCRIPTOR", answer).fields_by_name
    return {
        name: value if name.endswith("_json") else _fitting(fields[name].message_type, value)
        for name, value in told.items()
        if name in fields
    }


def _fitting(type_: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [_fitting(type_, one) for one in value]
    if isinstance(value, dict):
        return _told(type_, value)
    if isinstance(value, str) and len(value) > _TEXT_MAX:
        return f"{value[:_TEXT_MAX]}... ({len(value) - _TEXT_MAX:,} characters more)"
    return value
