"""How the history of a saga instance looks as JSON: records in, plain objects out."""

from __future__ import annotations

from runtime.contracts import Contracts
from runtime.observe.conversation import TracedMessage
from runtime.observe.plain import as_plain
from runtime.operate.differences import differences
from runtime.operate.history import HistoryEntry, InstanceHistory
from runtime.saga.view import status_name

__all__ = ["entry_object", "fate_of", "history_object"]


def fate_of(message: TracedMessage) -> str:
    """What became of a message, in words."""
    runs = f" after {message.attempts} runs" if message.attempts > 1 else ""
    return f"{message.status.value}{runs}" + (f" ({message.note})" if message.note else "")


def history_object(contracts: Contracts, history: InstanceHistory) -> dict[str, object]:
    """Ready for JSON: ids in hex, instants in seconds since 1970."""
    return {
        "saga": history.address,
        "status": status_name(history.record),
        "version": history.record.fingerprint.hex(),
        "revision": history.record.revision,
        "untold": history.untold,
        "entries": [entry_object(contracts, entry) for entry in history.entries],
    }


def entry_object(contracts: Contracts, entry: HistoryEntry) -> dict[str, object]:
    row, replayed = entry.row, entry.replayed
    changes = () if replayed is None else differences(contracts, replayed.before, replayed.after)
    return {
        "number": entry.number,
        "revision": entry.revision,
        "id": row.id.hex(),
        "type": row.type,
        "from": row.sender,
        "at_s": row.handled_at_s,
        "outcome": row.outcome.value,
        "attempts": row.attempts,
        "error": row.error,
        "node": row.node,
        "message": None if entry.message is None else as_plain(entry.message),
        "changed": [{"what": one.what, "before": one.before, "after": one.after} for one in changes],
        "sent": [{"type": one.type, "to": one.to, "status": fate_of(one)} for one in entry.sent],
        "timers": list(entry.timers),
    }
