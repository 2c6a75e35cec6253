"""One durable question to one actor, and what is known of its answer: the same for a do, its undo and its probe.

    UNASKED ──ask──▶ OPEN ──answered──▶ DONE
                     │  ▲ └──refused──▶ REFUSED     (an answer may come after all, out of UNKNOWN as well)
     silent, faulted ▼  │ ask
                    UNKNOWN, or WORKING: it was answered, by "not finished yet"

A question that is asked again is sent as a new command. `earlier_ids` are those of commands before the last that may
still be carried out, `faulted_ids` those of commands that their actor gave up, `working_ids` those of commands that
it has taken on. Which pause and how many asks there are before somebody gives up is not decided here: that differs
between a step before the pivot, one past it, and an undo.
"""

from __future__ import annotations

from enum import Enum, auto

from runtime.protos.saga_pb2 import Exchange

__all__ = [
    "Refusal",
    "answered",
    "ask",
    "counted",
    "denied",
    "faulted",
    "forget_oldest",
    "has_sent",
    "ids",
    "refresh",
    "refused",
    "set_aside",
    "unclear",
    "unsettled_ids",
    "working",
]

_WORKING_IDS_MAX = 8
"""Beyond it the second is forgotten: an answer to it changes nothing, and the command asked last is answered soon."""

_IDS_MAX = 32
"""Of one kind, with a question that is asked for ever."""


class Refusal(Enum):
    """What a refusal settles."""

    SETTLED = auto()  # nothing of the question has happened
    IN_DOUBT = auto()  # another command of the same question may have been, or still be, carried out
    REPEATED = auto()  # it has been heard before


def ask(exchange: Exchange, command_id: bytes, now_s: float) -> None:
    """The question is sent, for the first time or again."""
    if exchange.command_id and exchange.earlier_ids:
        for id in [one for one in exchange.earlier_ids if one in exchange.faulted_ids]:
            exchange.earlier_ids.remove(id)  # whoever answers this command knows what became of that one
    exchange.command_id = command_id
    exchange.status = Exchange.OPEN
    exchange.outcome = ""  # of a question that was refused, and may be asked again all the same
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
    for ids in (exchange.earlier_ids, exchange.faulted_ids, exchange.working_ids):
        if command_id in ids:
            ids.remove(command_id)
    last_decides = exchange.status in (Exchange.OPEN, Exchange.WORKING) and not is_last
    if last_decides or exchange.earlier_ids or (not is_last and _in_doubt(exchange, exchange.command_id)):
        # The answer to that other command decides, or a timer has the question asked again.
        if not last_decides:
            exchange.status = Exchange.UNKNOWN
        return Refusal.IN_DOUBT
    exchange.status = Exchange.REFUSED
    exchange.outcome = outcome
    return Refusal.SETTLED


def denied(exchange: Exchange, outcome: str) -> None:
    """A person declares that it has not happened, whatever its actor has said."""
    exchange.status = Exchange.REFUSED
    exchange.outcome = outcome


def working(exchange: Exchange, command_id: bytes, now_s: float) -> bool:
    """The actor has taken this command on, and is not finished. Whether that is news.

    Of an earlier command this says only that it is no longer in doubt: a refusal of a later one settles the question.
    """
    if command_id in exchange.working_ids:
        return False
    for ids in (exchange.earlier_ids, exchange.faulted_ids):
        if command_id in ids:
            ids.remove(command_id)
    exchange.working_ids.append(command_id)
    if len(exchange.working_ids) > _WORKING_IDS_MAX:
        del exchange.working_ids[1]
    exchange.workings += 1
    exchange.working_since_s = exchange.working_since_s or now_s
    if command_id == exchange.command_id:
        exchange.status = Exchange.WORKING
    return True


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
    if command_id in exchange.faulted_ids or command_id in exchange.working_ids:
        return False
    exchange.faulted_ids.append(command_id)
    exchange.error = error
    if command_id == exchange.command_id and exchange.status == Exchange.OPEN:
        exchange.status = Exchange.UNKNOWN
    return True


def refresh(exchange: Exchange) -> None:
    """An operator gives the question a fresh budget."""
    exchange.attempts = exchange.workings = 0
    exchange.working_since_s = 0.0


def set_aside(exchange: Exchange) -> None:
    """Its answer is of no use any more, so that it may be asked anew. Answers to its commands are still heard."""
    if exchange.command_id and not _in_doubt(exchange, exchange.command_id):
        exchange.earlier_ids.append(exchange.command_id)
    exchange.status = Exchange.UNASKED
    refresh(exchange)
    forget_oldest(exchange)


def forget_oldest(exchange: Exchange) -> None:
    """Of a question that is asked for ever: an answer to a command of long ago is not waited for any more."""
    for ids in (exchange.earlier_ids, exchange.faulted_ids):
        if len(ids) > _IDS_MAX:
            del ids[: len(ids) - _IDS_MAX]


def counted(exchange: Exchange) -> int:
    """How many of its commands a budget counts: all but those that were answered by "not finished yet"."""
    if not exchange.workings:  # nearly always
        return exchange.attempts
    return max(exchange.attempts - exchange.workings, min(exchange.attempts, 1))


def has_sent(exchange: Exchange, command_id: bytes) -> bool:
    """Whether this is one of its commands. Those whose refusal has been heard are forgotten, but for the last."""
    return (
        command_id == exchange.command_id
        or command_id in exchange.earlier_ids
        or command_id in exchange.faulted_ids
        or command_id in exchange.working_ids
    )


def ids(exchange: Exchange) -> list[bytes]:
    """Of the commands for which `has_sent` is true; the last one first."""
    if not exchange.command_id:
        return []
    before = (*exchange.earlier_ids, *exchange.faulted_ids, *exchange.working_ids)
    return [exchange.command_id, *dict.fromkeys(one for one in before if one != exchange.command_id)]


def unsettled_ids(exchange: Exchange) -> list[bytes]:
    """Of the commands that may have settled the question unheard, or may yet: all but those still worked on."""
    return [one for one in ids(exchange) if one not in exchange.working_ids]


def _in_doubt(exchange: Exchange, command_id: bytes) -> bool:
    """Whether this command, which is not open, may have been carried out all the same."""
    return any(command_id in ids for ids in (exchange.earlier_ids, exchange.faulted_ids, exchange.working_ids))
