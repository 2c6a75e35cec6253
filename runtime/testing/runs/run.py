"""Runs a whole cluster from one number: a storm, healing, rest, and then every promise has to be kept.

    simulate_seed(seed, workload) ──▶ SimCluster, Storm, Play ──▶ RunResult

The cluster runs the production code. The seed decides the nodes, their settings, the faults, what clients do, and which
callback runs next. The same seed gives the same run, step by step, on any machine.
"""

from __future__ import annotations

import asyncio
import gc
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from runtime.failures import stack_of, text_of
from runtime.testing.name_list import name_list
from runtime.testing.rules.ledger import Violation
from runtime.testing.rules.rest import broken_at_rest
from runtime.testing.runs.workload import Hazardous, Upgradable, Workload
from runtime.testing.storm.scene import Scene, draw_scene
from runtime.testing.storm.storm import Storm
from runtime.testing.virtual.clock import START_S
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import NothingLeft, SimLoop
from runtime.testing.virtual.order import CallbackOrder
from runtime.testing.world.cluster import SimCluster

__all__ = ["MakeScene", "RunResult", "simulate_scene", "simulate_seed"]

_REST_S = 1800.0  # After the last fault all has to end within this: the budgets of several steps, one after another.
_STALLED_S = 450.0  # Clients that wait for so long without any commit are in a livelock.
_STOP_S = 60.0  # Every node has to stop within this once it is asked to.
_STREAMS_S = 30.0  # Every two live nodes have a stream within this. Silence and a refusal take some of it.
_LOOK_S = 0.25
_STEPS_MAX = 500_000  # About fifty times as many as a run takes.


MakeScene = Callable[[Dice, Sequence[str]], Scene]
"""Makes what a run begins with, from dice and the names of the services."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of one seed."""

    seed: int
    violations: tuple[Violation, ...]
    faults: dict[str, int]
    facts: dict[str, int]
    reached: dict[str, int]  # How often each failpoint was reached.
    seen: dict[str, int]  # The store's verdicts, and the outcomes of messages.
    figures: dict[str, int]
    trace: str
    steps: int
    took_s: float  # In simulated time.
    last: tuple[str, ...] = field(repr=False)  # The last events.
    conversations: dict[bytes, str] = field(repr=False)  # The conversations of the violations, as text.
    begun: dict[tuple[str, str], int]  # How many instances of each saga there are at the end, by kind and version.


def simulate_seed(
    seed: int,
    workload: Workload,
    *,
    calm: bool = False,
    order: CallbackOrder | None = None,
    dice: Dice | None = None,
    brief: bool = False,
) -> RunResult:
    """Runs one seed to its end. `calm` leaves all faults out; `order` overrides how the next callback is chosen.

    `dice` may come from a tape instead of the seed. A `brief` run ends at the first broken promise.
    """
    return simulate_scene(seed, workload, partial(draw_scene, calm=calm, order=order), dice=dice, brief=brief)


def simulate_scene(
    seed: int, workload: Workload, make_scene: MakeScene, *, dice: Dice | None = None, brief: bool = False
) -> RunResult:
    """Runs a scene to its end; see `simulate_seed`."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None  # What a dead process leaves behind is no news.
    gc.disable()  # When it collects depends on earlier runs, and this run must not depend on them.
    gc.freeze()  # Older objects need not be searched after each run.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # A coroutine may die before its first step.
            run = _Run(seed, dice or Dice(seed), workload, make_scene, brief=brief)
            try:
                return run.result()
            finally:
                run.clean_up()
                del run
                while gc.collect():  # A coroutine that is closed may keep others alive for another round.
                    pass
    finally:
        gc.unfreeze()
        gc.enable()
        sys.unraisablehook = hook


class _Run:
    def __init__(self, seed: int, dice: Dice, workload: Workload, make_scene: MakeScene, *, brief: bool) -> None:
        self._seed = seed
        self._dice = dice
        deployed = workload.deploy(dice.named("deployment"))
        scene = self._scene = make_scene(dice.named("scene"), deployed.catalogue.service_names)
        self._loop = SimLoop(dice.named("order"), scene.order, steps_max=_STEPS_MAX)
        self._cluster = SimCluster(
            self._loop,
            dice,
            deployed.catalogue,
            scene.nodes,
            settings={**scene.settings, **deployed.settings},
            faults=replace(scene.plan.store),
            handler_fails=scene.plan.handler_fails,
            restart_s=scene.restart_s,
            failures_max=scene.failures_max,
            small=scene.small,
            next_catalogue=deployed.next_catalogue if isinstance(deployed, Upgradable) else None,
        )
        self._pinned = deployed.settings
        self._hazards = name_list(deployed.hazards, "hazards") if isinstance(deployed, Hazardous) else ()
        if scene.ambush is not None:
            self._cluster.ambushes.arm(scene.ambush)
        self._play = deployed.begin(self._cluster, dice.named("clients"))
        self._extra: list[Violation] = []
        self._brief = brief
        if brief:
            self._cluster.ledger.broke = self._loop.stop

    def result(self) -> RunResult:
        try:
            self._run_all()
        except NothingLeft as error:
            last = "; ".join(self._loop.last_steps)
            self._extra.append(Violation("livelock", f"{error}; the last steps were {last}"))
        cluster = self._cluster
        violations = (*cluster.ledger.violations, *cluster.crashes, *self._extra)
        return RunResult(
            self._seed,
            violations,
            dict(cluster.happened),
            dict(cluster.facts),
            {point.name: times for point, times in cluster.ambushes.reached.items()},
            dict(cluster.ledger.seen),
            self._play.figures(),
            cluster.trace,
            self._loop.steps,
            self._loop.time() - START_S,
            tuple(cluster.last),
            {one.conversation: cluster.ledger.told(one.conversation) for one in violations if one.conversation},
            cluster.begun,
        )

    def _run_all(self) -> None:
        try:
            self._loop.run_until_complete(self._loop.create_task(self._all()))
        except RuntimeError:
            if not (self._brief and self._cluster.ledger.violations):
                raise  # Else the loop was stopped at a broken promise.

    def clean_up(self) -> None:
        self._loop.clean_up()

    async def _all(self) -> None:
        cluster = self._cluster
        cluster.start()
        tasks = cluster.ports.tasks
        storm = tasks.start(
            Storm(cluster, self._scene.plan, self._dice.named("storm"), self._pinned, self._hazards).run(), name="storm"
        )
        play = tasks.start(self._play.run(), name="clients")
        await storm
        if await self._rests(play):
            self._look()
            await self._check_streams()
        else:
            self._extra.append(self._unrest(play))
            cluster.ledger.check_rest()
        if play.done() and (error := play.exception()) is not None:
            self._extra.append(_mistake(error))
        await self._stop()

    def _look(self) -> None:
        try:
            self._extra.extend(broken_at_rest(self._cluster.ledger, self._play))
        except Exception as error:  # noqa: BLE001 - the checks of clients are the user's code
            self._extra.append(_mistake(error))

    async def _rests(self, play: asyncio.Task[Any]) -> bool:
        """Waits until every client is done and nothing moves any more. False if that takes too long."""
        until_s = self._loop.time() + _REST_S
        while self._loop.time() < until_s:
            if play.done() and self._cluster.ledger.is_at_rest:
                return True
            if self._brief and self._cluster.crashes:
                return False
            await self._cluster.sleep(_LOOK_S)
        return False

    async def _check_streams(self) -> None:
        """Reports live nodes that have not found each other again some redials after the last fault."""
        until_s = self._loop.time() + _STREAMS_S
        while self._cluster.without_stream and self._loop.time() < until_s:
            await self._cluster.sleep(_LOOK_S)
        for source, target in self._cluster.without_stream:
            self._extra.append(
                Violation("I12", f"{source} has no stream to {target}, {_STREAMS_S:g} s after the last fault")
            )

    def _unrest(self, play: asyncio.Task[Any]) -> Violation:
        if self._cluster.loop.time() - self._cluster.ledger.last_commit_at_s > _STALLED_S and not play.done():
            last = "; ".join(self._loop.last_steps)
            text = f"clients wait, and nothing was committed for {_STALLED_S:g} s; the last steps were {last}"
            return Violation("livelock", text)
        return Violation("I4", f"not at rest {_REST_S:g} s after the last fault")

    async def _stop(self) -> None:
        """Has every node drain. Each has to hand over its shards before its patience ends."""
        nodes, loop = self._cluster.nodes, self._loop
        asked_s: dict[str, float] = {}
        for node in nodes:
            node.stay_down()
            if node.frozen:
                node.kill("killed while frozen")
        until_s = loop.time() + _STOP_S
        while any(node.serves or node.draining for node in nodes) and loop.time() < until_s:
            for node in nodes:
                if node.serves:  # Some nodes may have come up just now.
                    node.drain()
                    asked_s[node.name] = loop.time()
            await self._cluster.sleep(_LOOK_S)
            self._check_patience([node.name for node in nodes if node.draining], asked_s)
        for node in nodes:
            if node.draining:
                self._extra.append(Violation("I4", f"{node.name} did not stop within {_STOP_S:g} s"))

    def _check_patience(self, draining: Sequence[str], asked_s: dict[str, float]) -> None:
        drain_s: float = self._cluster.settings.get("drain_s", _STOP_S)
        for name in draining:
            if self._loop.time() - asked_s.get(name, math.inf) >= drain_s:
                asked_s[name] = math.inf  # So this is reported once.
                self._extra.append(
                    Violation("I4", f"{name} was drained without any fault, and gave up on its turns and shards")
                )


def _mistake(error: BaseException) -> Violation:
    """A mistake in the clients or their checks. They are the user's code, and the seed that shows it is told."""
    return Violation("bug", f"clients: {text_of(error)}{stack_of(error, without=(__file__,))}")
