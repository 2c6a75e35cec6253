"""What operators did, act by act, as the history has it: who, when, to what, why, and what came of it.

    history of all conversations ──rows of acts──▶ ActEntry, the latest first

What was done by a run over many stands here as well, item by item.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from runtime.durable.caused import readable_came_of
from runtime.envelope import address_of
from runtime.protos.saga_pb2 import RepairSaga, RetrySaga
from runtime.saga.repair_checks import word
from runtime.store.port import OperatorStore
from runtime.store.records import HistoryRow, Outcome

__all__ = ["READ_MAX", "ActEntry", "acts_done"]

READ_MAX = 2_000
"""Acts that are read; of more, those of the oldest conversations."""

_OF_LETTERS = {"replayed": "replay", "discarded": "discard"}
_TYPES = (RepairSaga.DESCRIPTOR.full_name, RetrySaga.DESCRIPTOR.full_name, *_OF_LETTERS)
_PAGE = 500
_OPERATOR = "operator/"


@dataclass(frozen=True, slots=True)
class ActEntry:
    at_s: float  # seconds since 1970
    who: str
    act: str
    to: str  # kind/key
    why: str  # empty where the history does not keep it
    is_done: bool
    text: str  # why it was refused, or which letter it was
    conversation: bytes
    id: bytes


async def acts_done(store: OperatorStore, *, limit: int) -> tuple[list[ActEntry], bool]:
    """The latest first, and whether all were read. Reads the whole history. Raises StoreError."""
    view = await store.cluster()
    kinds = {*view.kinds, *(kind for kind, _, _ in await store.summary_counts())}
    wanted = [(kind, type_) for kind in sorted(kinds) for type_ in _TYPES]
    found: list[HistoryRow] = []
    after = (b"", b"")
    while len(found) < READ_MAX and (page := await store.handled_of(wanted, limit=_PAGE, after=after)):
        after = page[-1].conversation, page[-1].id
        found += page
    return _entries(found)[:limit], len(found) < READ_MAX


def _entries(rows: Iterable[HistoryRow]) -> list[ActEntry]:
    return sorted(map(_entry, rows), key=lambda one: (-one.at_s, one.to, one.id))


def _entry(row: HistoryRow) -> ActEntry:
    who, act, why = (row.node or row.sender).removeprefix(_OPERATOR), _OF_LETTERS.get(row.type, ""), ""
    is_done, text = True, row.error
    if not act:
        who, act, why = _said(row)
        is_done = row.outcome is Outcome.HANDLED
    to = address_of(row.kind, row.key)
    return ActEntry(row.handled_at_s, who, act, to, why, is_done, text, row.conversation, row.id)


def _said(row: HistoryRow) -> tuple[str, str, str]:
    """Who, which act and why; without what the history has not kept."""
    came, who = readable_came_of(row), row.sender.removeprefix(_OPERATOR)
    try:
        if row.type == RetrySaga.DESCRIPTOR.full_name:
            retry = RetrySaga.FromString(came.input.body)
            return retry.who or who, "retry", retry.reason
        act = RepairSaga.FromString(came.input.body)
    except DecodeError:
        return who, "an act", ""
    named = f"{word(act.act)} {act.task or act.timer}".rstrip() if act.act else "an act"
    return act.who or who, named, act.reason
