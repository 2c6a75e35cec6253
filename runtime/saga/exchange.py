"""One durable question to one actor, and what is known of its answer: the same for what a task does and its undo.

    UNASKED ──ask──▶ OPEN ──answered──▶ DONE
                     │  ▲ └──refused──▶ REFUSED     (an answer may come after all, out of UNKNOWN as well)
     silent, faulted ▼  │ ask
                    UNKNOWN

A question that is asked again is sent as a new command. `earlier_ids` are those of commands before the last that may
still be carried out, `faulted_ids` those of commands that their actor gave up. Which pause and how many asks there are
before somebody gives up is not decided here: that differs between a step before the pivot, one past it, and an undo.
"""

from __future__ import annotations

from enum import Enum, auto

from runtime.protos.saga_pb2 import Exchange

__all__ = ["Refusal", "answered", "ask", "faulted", "has_sent", "ids", "refresh", "refused", "unclear"]


class Refusal(Enum):
    """What a refusal settles."""

    SETTLED = auto()  # nothing of the question has happened
    IN_DOUBT = auto()  # another command of the same question may have been, or still be, carried out
    REPEATED = auto()  # it has been heard before


def ask(exchange: Exchange, command_id: bytes, now_s: float) -> None:
    """The question is sent, for the first time or again."""
    if exchange.earlier_ids:
        for id in [one for one in exchange.earlier_ids if one in exchange.faulted_ids]:
            exchange.earlier_ids.remove(id)  # whoever answers this command knows what became of that one
    exchange.command_id = command_id
    exchange.status = Exchange.OPEN
    exchange.attempts += 1
    exchange.asked_at_s = now_s


def answered(exchange: Exchange, outcome: str) -> None:
    """It has happened. `outcome` is the full name of the answer, or says why there was nothing to be done."""
    exchange.status = Exchange.DONE
    exchange.outcome = outcome


def refused(exchange: Exchange, command_id: bytes, outcome: str) -> Refusal:
    """The answer to this command says that it has not happened. Only SETTLED ends the question."""
    is_last = command_id == exchange.command_id
    if is_last and exchange.status == Exchange.UNKNOWN and not _in_doubt(exchange, command_id):
        return Refusal.REPEATED
    for ids in (exchange.earlier_ids, exchange.faulted_ids):
        if command_id in ids:
            ids.remove(command_id)
    last_is_open = exchange.status == Exchange.OPEN and not is_last
    if last_is_open or exchange.earlier_ids or (not is_last and _in_doubt(exchange, exchange.command_id)):
        # The answer to that other command decides, or a timer has the question asked again.
        exchange.status = Exchange.OPEN if last_is_open else Exchange.UNKNOWN
        return Refusal.IN_DOUBT
    exchange.status = Exchange.REFUSED
    exchange.outcome = outcome
    return Refusal.SETTLED


def unclear(exchange: Exchange, error: str) -> None:
    """Silence, or an answer that says nothing: nobody can tell whether the last command is carried out."""
    exchange.status = Exchange.UNKNOWN
    exchange.error = error
    if not _in_doubt(exchange, exchange.command_id):
        exchange.earlier_ids.append(exchange.command_id)


def faulted(exchange: Exchange, command_id: bytes, error: str) -> bool:
    """The actor has given this command up, perhaps half way. Whether that is news.

    An earlier command stays among the earlier ones until the question is asked again: an actor that refuses the last
    command may not know of that one.
    """
    if command_id in exchange.faulted_ids:
        return False
    exchange.faulted_ids.append(command_id)
    exchange.error = error
    if command_id == exchange.command_id and exchange.status == Exchange.OPEN:
        exchange.status = Exchange.UNKNOWN
    return True


def refresh(exchange: Exchange) -> None:
    """An operator gives the question a fresh budget."""
    exchange.attempts = 0


def has_sent(exchange: Exchange, command_id: bytes) -> bool:
    """Whether this is one of its commands. Those whose refusal has been heard are forgotten, but for the last."""
    return command_id == exchange.command_id or command_id in exchange.earlier_ids or command_id in exchange.faulted_ids


def ids(exchange: Exchange) -> list[bytes]:
    """Of the commands for which `has_sent` is true; the last one first."""
    if not exchange.command_id:
        return []
    before = [one for one in (*exchange.earlier_ids, *exchange.faulted_ids) if one != exchange.command_id]
    return [exchange.command_id, *dict.fromkeys(before)]


def _in_doubt(exchange: Exchange, command_id: bytes) -> bool:
    """Whether this command, which is not open, may have been carried out all the same."""
    return command_id in exchange.earlier_ids or command_id in exchange.faulted_ids
