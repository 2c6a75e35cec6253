"""Rows and transitions for tests of stores. They are whole and valid, and a test gives only the values it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.store.records import ActorRow, Expected, HistoryRow, MailRow, NodeRow, Outcome, Transition
from runtime.store.summaries import ActorSummary

__all__ = [
    "EMPTY",
    "SHARD",
    "actor_row",
    "history_row",
    "id_of",
    "mail_row",
    "node_row",
    "post",
    "told",
    "turn",
]

SHARD = 3
EMPTY = Expected(0, b"")


def id_of(number: int) -> bytes:
    """An id of 16 bytes. A greater number gives a greater id."""
    return number.to_bytes(16, "big")


def mail_row(
    number: int, key: str = "a", *, conversation: int = 0, sent_at_s: float = 100.0, parked: str = "", **given: Any
) -> MailRow:
    """A message that waits. `given` are other fields of the row."""
    fields: dict[str, Any] = {"kind": "billing", "shard": SHARD, "sequence": 0, "due_at_s": 0.0, "attempts": 0}
    fields |= {"envelope": b"envelope %d" % number, "parked_at_s": sent_at_s if parked else 0.0, **given}
    talk = id_of(conversation)
    return MailRow(key=key, id=id_of(number), conversation=talk, sent_at_s=sent_at_s, parked=parked, **fields)


def history_row(
    number: int, key: str = "a", *, conversation: int = 0, outcome: Outcome = Outcome.HANDLED, **given: Any
) -> HistoryRow:
    """A message that was handled. `given` are other fields of the row."""
    fields: dict[str, Any] = {"kind": "billing", "shard": SHARD, "revision": 1, "handled_at_s": 200.0, "node": "one@1"}
    fields |= {"type": "trip.Pay", "sender": "sales/a", "error": "" if outcome is Outcome.HANDLED else "a reason"}
    return HistoryRow(
        conversation=id_of(conversation),
        id=id_of(number),
        key=key,
        outcome=outcome,
        attempts=1,
        cause=id_of(conversation),
        sent_at_s=100.0,
        caused=b"caused %d" % number,
        **{**fields, **given},
    )


def actor_row(
    key: str = "a", *, last: int = 0, conversation: int = 0, due_at_s: float | None = None, **given: Any
) -> ActorRow:
    """An actor, whose latest turn handled the message `last`. `given` are other fields of the row."""
    fields: dict[str, Any] = {"kind": "billing", "shard": SHARD, "revision": 1, "state": b"state", **given}
    return ActorRow(
        key=key,
        last_id=id_of(last),
        conversation=id_of(conversation),
        state_type="trip.PaymentState",
        timers=b"" if due_at_s is None else b"timers",
        due_at_s=due_at_s,
        updated_at_s=200.0,
        **fields,
    )


def told(
    status: str = "running",
    *,
    step: str = "bill",
    version: str = "aa01",
    started_at_s: float = 1.0,
    progressed_at_s: float = 2.0,
    error: str = "",
    owed_at_s: float | None = None,
    unknown_at_s: float | None = None,
) -> ActorSummary:
    return ActorSummary(status, step, version, started_at_s, progressed_at_s, error, owed_at_s, unknown_at_s)


def post(*rows: MailRow, check_duplicates: bool = True) -> Transition:
    """A transition that posts messages, as a client's command does."""
    return Transition(mail=rows, check_duplicates=check_duplicates)


def turn(
    number: int,
    key: str = "a",
    *,
    start: ActorRow | None = None,
    state: bytes = b"state",
    mail: Sequence[MailRow] = (),
    due_at_s: float | None = None,
    node: str = "one@1",
    handled_at_s: float = 200.0,
    **of: Any,
) -> Transition:
    """A turn that started from a row, and handled the message of this number. `of` are fields of actor and history."""
    of["revision"] = 1 if start is None else start.revision + 1
    return Transition(
        actor=actor_row(key, last=number, state=state, due_at_s=due_at_s, **of),
        expected=EMPTY if start is None else Expected(start.revision, start.last_id),
        consumed=(id_of(number),),
        history=(history_row(number, key, node=node, handled_at_s=handled_at_s, **of),),
        mail=tuple(mail),
    )


def node_row(name: str, incarnation: str = "1", *, kinds: tuple[str, ...] = ("billing",)) -> NodeRow:
    return NodeRow(name=name, incarnation=incarnation, address="127.0.0.1:7650", kinds=kinds, version="0.1.0")
