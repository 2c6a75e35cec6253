"""One act on many dead letters, as a run: which they are, the act on each, and whether it was done.

Each act is a transaction of its own, and its row of history has an id made from the run. So whoever carries the run on
finds what was done already: no letter is acted on twice, also when it was parked again meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from google.protobuf.message import DecodeError

from runtime.envelope import address_of, parse_address
from runtime.errors import AmendsError, InvalidMessage, StoreError
from runtime.operate.dead_letters import (
    Act,
    act_id,
    carry_out,
    check_awaited,
    check_dispensable,
    discard,
    replay,
)
from runtime.operate.letter_filter import LetterFilter
from runtime.operate.letter_groups import letters_page
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.run import ITEMS_MAX, LETTER_RUN, KeptRun, check_items, check_name, put_run
from runtime.protos.saga_pb2 import LetterItem, LetterRun
from runtime.saga.reasons import unsaid
from runtime.store.parked import ParkedPlace
from runtime.store.port import OperatorStore
from runtime.store.records import HistoryRow

__all__ = ["KIND", "act_on", "begin", "begin_fitting", "note_done"]

KIND = LETTER_RUN

_GONE = "it is no longer parked: it was handled, replayed or discarded in the meantime"


async def begin(
    store: OperatorStore, name: str, run: LetterRun, places: Sequence[ParkedPlace], *, now_s: float
) -> KeptRun:
    """Keep the letters at these places for the act that `run` says, who does it and why.

    Raises InvalidMessage when there is a run of this name, there are none or too many letters, or the act, the name,
    who or why is not said or too long.
    """
    _check(name, run)
    check_items(len(places), "letters")
    kept = LetterRun()
    kept.CopyFrom(run)
    kept.began_at_s = now_s
    kept.items.extend([await _item(store, one) for one in places])
    return await put_run(store, KIND, name, kept)


async def begin_fitting(
    store: OperatorStore,
    name: str,
    run: LetterRun,
    wanted: LetterFilter,
    *,
    limit: int,
    now_s: float,
    confirm: Callable[[int], None] = lambda _chosen: None,
) -> KeptRun:
    """As `begin`, with those that fit now, the oldest ids first.

    `confirm` is told how many they are, and raises to keep none.
    """
    _check(name, run)
    page = await letters_page(store, wanted, limit=min(limit, ITEMS_MAX))
    if not page.letters:
        raise InvalidMessage("no dead letter fits: they may have been handled, replayed or discarded in the meantime")
    confirm(len(page.letters))
    run.chosen_by = wanted.in_words
    return await begin(store, name, run, [one.place for one in page.letters], now_s=now_s)


async def act_on(store: OperatorStore, run: LetterRun, places: Sequence[int]) -> None:
    """Act on each of these, and note what came of it. Raises StoreError."""
    for place in places:
        item = run.items[place]
        item.refusal, item.handled = await _act_on(store, run, item), True


async def note_done(store: OperatorStore, run: LetterRun, places: Sequence[int]) -> bool:
    """Note which of these were acted on, though whoever did it was ended before he wrote it down; whether any was."""
    asked = [(run.items[place].conversation, _act_id(run, run.items[place])) for place in places]
    found = await store.handled(asked)
    done = [place for place, row in zip(places, found, strict=True) if row is not None and _is_of(run, row)]
    for place in done:
        run.items[place].handled, run.items[place].refusal = True, ""
    return bool(done)


def _check(name: str, run: LetterRun) -> None:
    if wrong := unsaid(run.who, run.reason):
        raise InvalidMessage(wrong)
    if run.act not in (LetterRun.REPLAY, LetterRun.DISCARD):
        raise InvalidMessage("say what becomes of the letters: they are replayed, or discarded")
    check_name(name)


async def _item(store: OperatorStore, place: ParkedPlace) -> LetterItem:
    item = LetterItem(id=place.id, to=address_of(place.kind, place.key), shard=place.shard)
    row = await store.mail_of((place.kind, place.key), place.shard, place.id)
    if row is None:
        item.handled, item.refusal = True, _GONE
        return item
    item.conversation, item.type = row.conversation, ParkedMail.of(row).type
    return item


def _as_act(run: LetterRun) -> Act:
    return Act(run.who, run.began_at_s, run.reason, run.forced)


def _act_id(run: LetterRun, item: LetterItem) -> bytes:
    """Of the row of history that the act leaves behind: a letter that is discarded is known by its own id."""
    return item.id if run.act == LetterRun.DISCARD else act_id(item.id, _as_act(run))


def _is_of(run: LetterRun, row: HistoryRow) -> bool:
    return (row.node, row.handled_at_s) == (f"operator/{run.who}", run.began_at_s)


async def _act_on(store: OperatorStore, run: LetterRun, item: LetterItem) -> str:
    """Why it was not done; empty if it was. Raises StoreError."""
    row = await store.mail_of(parse_address(item.to), item.shard, item.id)
    if row is None or not row.parked:
        return _GONE
    letter, is_discard = ParkedMail.of(row), run.act == LetterRun.DISCARD
    try:
        if not run.forced:
            await (check_dispensable if is_discard else check_awaited)(store, letter)
        await carry_out(store, (discard if is_discard else replay)(letter, _as_act(run)))
    except StoreError:
        raise
    except (AmendsError, DecodeError) as error:
        return str(error)
    return ""
