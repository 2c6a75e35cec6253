"""Rows and transitions for tests of stores. They are whole and valid, and a test gives only the values it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.store.records import ActorRow, Expected, HistoryRow, MailRow, NodeRow, Outcome, Transition

__all__ = [
    "EMPTY",
    "SHARD",
    "actor_row",
    "expected_of",
    "history_row",
    "id_of",
    "mail_row",
    "node_row",
    "post",
    "turn",
]

SHARD = 3
EMPTY = Expected(0, b"")


def id_of(number: int) -> bytes:
    """An id of 16 bytes. A greater number gives a greater id."""
    return number.to_bytes(16, "big")


def mail_row(
    number: int,
    key: str = "a",
    *,
    kind: str = "billing",
    shard: int = SHARD,
    conversation: int = 0,
    sent_at_s: float = 100.0,
    sequence: int = 0,
    due_at_s: float = 0.0,
    attempts: int = 0,
    parked: str = "",
    envelope: bytes = b"",
) -> MailRow:
    return MailRow(
        kind=kind,
        key=key,
        shard=shard,
        id=id_of(number),
        conversation=id_of(conversation),
        sent_at_s=sent_at_s,
        sequence=sequence,
        due_at_s=due_at_s,
        attempts=attempts,
        parked=parked,
        parked_at_s=sent_at_s if parked else 0.0,
        envelope=envelope or b"envelope %d" % number,
    )


def history_row(
    number: int,
    key: str = "a",
    *,
    kind: str = "billing",
    shard: int = SHARD,
    conversation: int = 0,
    revision: int = 1,
    handled_at_s: float = 200.0,
    outcome: Outcome = Outcome.HANDLED,
    node: str = "one@1",
) -> HistoryRow:
    return HistoryRow(
        conversation=id_of(conversation),
        id=id_of(number),
        kind=kind,
        key=key,
        shard=shard,
        revision=revision,
        handled_at_s=handled_at_s,
        outcome=outcome,
        attempts=1,
        node=node,
        error="" if outcome is Outcome.HANDLED else "a reason",
        type="trip.Pay",
        sender="sales/a",
        cause=id_of(conversation),
        sent_at_s=100.0,
        caused=b"caused %d" % number,
    )


def actor_row(
    key: str = "a",
    *,
    kind: str = "billing",
    shard: int = SHARD,
    revision: int = 1,
    last: int = 0,
    conversation: int = 0,
    state: bytes = b"state",
    due_at_s: float | None = None,
) -> ActorRow:
    return ActorRow(
        kind=kind,
        key=key,
        shard=shard,
        revision=revision,
        last_id=id_of(last),
        conversation=id_of(conversation),
        state_type="trip.PaymentState",
        state=state,
        timers=b"" if due_at_s is None else b"timers",
        due_at_s=due_at_s,
        updated_at_s=200.0,
    )


def expected_of(row: ActorRow | None) -> Expected:
    """What a turn expects to find that started from this row."""
    return EMPTY if row is None else Expected(row.revision, row.last_id)


def post(*rows: MailRow, check_duplicates: bool = True) -> Transition:
    """A transition that posts messages, as a client's command does."""
    return Transition(mail=rows, check_duplicates=check_duplicates)


def turn(
    number: int,
    key: str = "a",
    *,
    start: ActorRow | None = None,
    kind: str = "billing",
    shard: int = SHARD,
    conversation: int = 0,
    state: bytes = b"state",
    mail: Sequence[MailRow] = (),
    due_at_s: float | None = None,
    node: str = "one@1",
    handled_at_s: float = 200.0,
) -> Transition:
    """A turn that started from a row, and handled the message of this number."""
    revision = 1 if start is None else start.revision + 1
    of: dict[str, Any] = {"kind": kind, "shard": shard, "conversation": conversation, "revision": revision}
    return Transition(
        actor=actor_row(key, last=number, state=state, due_at_s=due_at_s, **of),
        expected=expected_of(start),
        consumed=(id_of(number),),
        history=(history_row(number, key, node=node, handled_at_s=handled_at_s, **of),),
        mail=tuple(mail),
    )


def node_row(name: str, incarnation: str = "1", *, kinds: tuple[str, ...] = ("billing",)) -> NodeRow:
    return NodeRow(name=name, incarnation=incarnation, address="127.0.0.1:7650", kinds=kinds, version="0.1.0")
