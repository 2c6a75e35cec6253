"""The first screen: how all sagas stand, in one sentence and in tiles that lead to the lists behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.operate.overview import for_how_long, sentence
from runtime.operate.standing import COUNTED_MAX, ENDED, StoreStanding, many, standing_of
from runtime.operate.survey import WAITS, Wanted, nodes_of, sagas
from runtime.page.desk import PageDesk
from runtime.page.links import link
from runtime.page.screen import ROWS_MAX, Screen
from runtime.store.port import OperatorStore
from runtime.store.tallies import Tally

__all__ = ["overview"]

_IDLE_S = 600.0
_LATE_S = 600.0  # what has been owed or unknown for longer needs a look
_MOVING = ("running", "compensating")


@dataclass(frozen=True, slots=True)
class Tile:
    """How many sagas stand so, and where they are listed."""

    name: str
    about: str
    count: str
    link: str
    tone: str  # class of the style sheet; empty where nothing is wrong


async def overview(desk: PageDesk) -> Screen:
    """Raises StoreError."""
    async with desk.view() as store:
        view, standing = await store.cluster(), await standing_of(store, with_ended=True)
        tiles = [*_owed_and_unknown(standing), *await _tiles(store, standing)]
    values = {
        "sentence": sentence(standing, view),
        "tiles": tiles,
        "letters": _counted(standing.letters),
        "nodes": nodes_of(view)[:ROWS_MAX],
        "now_s": view.now_s,
    }
    return Screen("overview", "Overview", ("tiles", "nodes"), values=values, is_for_all=True)


def _owed_and_unknown(standing: StoreStanding) -> list[Tile]:
    """Counted in indexes, so they are true whatever their number."""
    pairs = (
        ("Undo owed", "It is owed", standing.owed, {"owing": "yes"}),
        ("Outcome unknown", "Nobody knows it", standing.unknown, {"unknown": "yes"}),
    )
    tiles = []
    for name, since, tallies, fields in pairs:
        _, at_s = many(tallies)
        about = "None is." if at_s is None else f"{since} for {for_how_long(standing.now_s - at_s)}."
        tone = "bad" if at_s is not None and standing.now_s - at_s > _LATE_S else "warn"
        tiles.append(_tile(name, about, _counted(tallies), fields, tone))
    return tiles


async def _tiles(store: OperatorStore, standing: StoreStanding) -> list[Tile]:
    def counted(*statuses: str) -> str:
        return _counted([tally for status, tally in standing.sagas if status in statuses])

    async def found(wanted: Wanted) -> str:
        return _up_to(len((await sagas(store, wanted, limit=ROWS_MAX + 1)).entries))

    idle, version = Wanted(statuses=_MOVING, idle_s=_IDLE_S), Wanted(statuses=(WAITS,))
    idle_fields = {"status": ",".join(_MOVING), "idle": f"{_IDLE_S:g}"}
    has_letters = any(one.kind in standing.kinds for one in standing.letters)  # else nobody looks through all sagas
    letters = await found(Wanted(has_dead_letters=True)) if has_letters else "0"
    return [
        _tile("Stuck", "They wait for a person.", counted("stuck"), {"status": "stuck"}, "bad"),
        _tile("Turning back", "They undo what was done.", counted("compensating"), {"status": "compensating"}, "warn"),
        _tile("Idle for 10 minutes", "Under way, without progress.", await found(idle), idle_fields, "warn"),
        _tile("With dead letters", "A message was given up.", letters, {"letters": "yes"}, "bad"),
        _tile("Waiting for their version", "No live node has it.", await found(version), {"status": WAITS}, "bad"),
        _tile("Suspended", "An operator holds them.", counted("suspended"), {"status": "suspended"}, ""),
        _tile("Going forward", "They are under way.", counted("running"), {"status": "running"}, ""),
        _tile("Ended", "Completed, undone or abandoned.", counted(*ENDED), {"status": ",".join(ENDED)}, ""),
    ]


def _tile(name: str, about: str, count: str, fields: dict[str, str], tone: str) -> Tile:
    return Tile(name, about, count, link("/sagas", fields), tone if count != "0" else "")


def _counted(tallies: Sequence[Tally]) -> str:
    """What was counted in indexes, up to a limit for each kind."""
    has_all = all(one.count < COUNTED_MAX for one in tallies)
    return f"{many(tallies)[0]:,}" if has_all else f"over {COUNTED_MAX:,}"


def _up_to(count: int) -> str:
    """Rows that were read one by one are counted no further than a page."""
    return f"over {ROWS_MAX}" if count > ROWS_MAX else str(count)
