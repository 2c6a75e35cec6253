"""A series of lives on one store, from one seed: each works until a power cut, and the next boots on what is left.

    cut_series(seed, workload, cuts_max) ──▶ Series ──life after life──▶ Disk, Life
                                               │  ◀──call── the workload's clients, who outlive them all
                                               └──after each life──▶ examine, Books.compare ──▶ CutResult

The seed decides what clients want, at which operation the power fails, and what survives. The store's threads are real,
so the n-th operation differs a little from run to run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.testing.rules.ledger import Violation
from runtime.testing.rules.limits import DEATHS_MAX
from runtime.testing.rules.rest import broken_at_rest
from runtime.testing.runs.workload import Workload
from runtime.testing.virtual.dice import Dice
from tests.proof.power.books import Books
from tests.proof.power.cut_moment import draw_aim, draw_closing_aim, draw_first_aim, draw_flush_faults
from tests.proof.power.disk import Disk
from tests.proof.power.life import STORE, Life
from tests.proof.power.one_node_world import OneNodeWorld
from tests.proof.power.postmortem import Damaged, examine
from tests.proof.power.result import Cut, CutResult
from tests.proof.power.write_fate import WriteFate

__all__ = ["cut_series"]

_LOOK_S = 0.001
REST_S = 30.0  # Everything has to end within this time if the power stays; in fact it takes a fraction of a second.
_CHECKPOINTS = (2, 6, 15, 40, 4_000)  # So many pages in the log make a checkpoint.
_RESTS = 2  # So many lives end without a cut: the second one boots on what a clean close left.
_TOLD = ("I1", "I11")  # A client was told something untrue if one of these is broken.


def cut_series(seed: int, workload: Workload, folder: Path, *, cuts_max: int, disk: type[Disk] = Disk) -> CutResult:
    """Run one series in an empty folder. After `cuts_max` cuts the power stays until all is done.

    It ends earlier when all is done and the store was closed twice, or at the first life that broke a promise.
    """
    return asyncio.run(_Series(seed, workload, folder, cuts_max, disk).run())


class _Series:
    def __init__(self, seed: int, workload: Workload, folder: Path, cuts_max: int, disk: type[Disk]) -> None:
        self._dice = Dice(seed, "power")
        self._folder = folder
        self._cuts_max = cuts_max
        self._make_disk = disk
        self._ports = system_ports()
        self._deployed = workload.deploy(self._dice.named("deployment"))
        self._books = Books(self._ports, self._deployed.catalogue.sagas)
        self._settings = self._draw_settings(self._dice.named("settings"))
        self._world = OneNodeWorld(self._ports, self._books.ledger)
        self._play = self._deployed.begin(self._world, self._dice.named("clients"))
        self._image: Mapping[str, bytes] = {}
        self._cut: Cut | None = None  # The last power cut.
        self._lives = 0
        self._result = CutResult(seed)

    def _draw_settings(self, dice: Dice) -> Settings:
        drawn: dict[str, Any] = {"shards_per_kind": dice.choose((1, 2, 4)), "renew_s": dice.choose((0.02, 0.1, 1.0))}
        fixed = {"name": "power", "lease_s": 60.0, "sweep_s": 0.1, "drain_s": 3.0, "node_deaths_max": DEATHS_MAX}
        return Settings(**{**fixed, **drawn, **self._deployed.settings})

    async def run(self) -> CutResult:
        asyncio.get_running_loop().set_exception_handler(self._unhandled)
        playing = self._ports.tasks.start(self._play.run(), name="clients")
        rests = 0
        while rests < _RESTS and not self._result.broken:
            rests += await self._run_life(playing)
        if not self._result.broken:
            playing.result()
            at_rest = list(broken_at_rest(self._books.ledger, self._play))
            self._result.lost += [one for one in at_rest if one.invariant in _TOLD]
            self._result.corrupt += [one for one in at_rest if one.invariant not in _TOLD]
            self._gather()
        playing.cancel()
        self._count()
        return self._result

    # --- lives ---

    async def _run_life(self, playing: asyncio.Task[None]) -> bool:
        """Run one life from its boot to its end, and examine what is left. Return whether everything was at rest."""
        dice = self._dice.named(f"life {self._lives}")
        disk = self._make_disk(f"{self._folder} {self._lives}", self._new_folder("life"), self._image, dice)
        if self._may_cut:
            disk.aim(draw_aim(dice) if self._image else draw_first_aim(dice))
        life = self._world.socket.life = self._new_life(disk, dice)
        self._lives += 1
        life.start()
        when = await self._until_over(life, playing, dice)
        if self._may_cut:
            disk.cut()
        else:
            disk.retire()
        await life.end()
        self._count_life(disk, life, when)
        await self._examine_disk()
        return when in ("closing", "closed")

    def _new_life(self, disk: Disk, dice: Dice) -> Life:
        pages = dice.choose(_CHECKPOINTS)
        return Life(
            disk, self._deployed.catalogue, self._settings, self._books, self._ports, dice, checkpoint_pages=pages
        )

    @property
    def _may_cut(self) -> bool:
        return self._result.cuts < self._cuts_max

    async def _until_over(self, life: Life, playing: asyncio.Task[None], dice: Dice) -> str:
        """Wait until the power fails, or stop the node when nothing is left to do. Return the phase of its end."""
        clock = self._ports.clock
        until_s = clock.monotonic_s() + REST_S
        served = False
        flush_faults = draw_flush_faults(dice)
        while not life.is_over:
            if life.serves and not served:
                served = True
                life.disk.flush_faults = flush_faults
            if life.serves and playing.done() and self._books.ledger.is_at_rest:
                if self._may_cut:
                    life.disk.aim(draw_closing_aim(dice))
                await life.stop()
                return "closed" if life.disk.has_power else "closing"
            if clock.monotonic_s() > until_s:
                life.broken.append(Violation("I4", f"not at rest {REST_S:g} s after the power came back"))
                self._books.ledger.check_rest()
                break
            await clock.sleep(_LOOK_S)
        return "working" if served else "starting"

    def _count_life(self, disk: Disk, life: Life, when: str) -> None:
        result = self._result
        self._image = disk.remains
        result.corrupt += life.broken
        result.figures["lives"] += 1
        result.figures["operations"] += disk.done.total()
        result.figures["file flushed"] += disk.done["sync file"]
        for kind in ("flush failed", "flush failed and forgot"):
            result.figures[kind] += disk.done[kind]
        for fate in WriteFate:
            result.figures[f"writes {fate}"] += disk.fates[fate]
        if disk.was_cut:
            result.cuts += 1
            self._cut = Cut(result.cuts, when, disk.went_at, disk.remains)
            result.happened[when] += 1
            result.happened[f"at {disk.went_at}"] += 1

    async def _examine_disk(self) -> None:
        """Compare what is on the disk with what was promised."""
        try:
            await self._books.compare(examine(self._image, self._new_folder("look"), STORE))
        except Damaged as error:
            self._result.corrupt.append(Violation("corrupt", str(error)))
        self._gather()

    def _gather(self) -> None:
        """Collect the violations that the books have found."""
        books, result = self._books, self._result
        result.lost += books.lost
        result.corrupt += [*books.wrong, *books.ledger.violations]
        for taken in (books.lost, books.wrong, books.ledger.violations):
            taken.clear()
        if result.broken and result.failed_at is None:
            result.failed_at = self._cut

    # --- figures and folders ---

    def _count(self) -> None:
        result, books = self._result, self._books
        result.figures["commits answered"] = books.answered
        result.figures["commits unanswered, kept"] = books.kept_unanswered
        result.figures["commits unanswered, dropped"] = books.dropped_unanswered
        result.figures.update(self._play.figures())
        told = {one.conversation for one in result.broken if one.conversation}
        result.conversations = {one: books.ledger.told(one) for one in sorted(told)}

    def _new_folder(self, name: str) -> Path:
        """An empty folder, in place of the last one of this name."""
        folder = self._folder / name
        if folder.exists():
            for left in folder.iterdir():
                left.unlink()
        folder.mkdir(exist_ok=True)
        return folder

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        life = self._world.socket.life
        if life is not None and life.disk.has_power:
            text = f"{context.get('message')}: {context.get('exception')!r}"
            self._result.corrupt.append(Violation("bug", text))
