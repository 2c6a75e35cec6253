"""Draws a program from dice: first its features, then its shapes, then what happens in each of its runs.

draw_program ──▶ Features                        each feature is on in half of the seeds (swarm testing)
             ──▶ shapes.draw_saga, draw_relay    the sagas and the relay
             ──▶ _RunDrawing                     runs, and the script of each deed
             ──▶ with_followers, with_children   which sagas begin by one event, and which are started by another
             ──▶ with_detours                    waits, choices and early ends of the sagas
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runtime.durable.behaviour import RetryPolicy
from runtime.testing.virtual.dice import Dice
from tests.proof.programs.detours import with_detours
from tests.proof.programs.families import mild, with_children
from tests.proof.programs.program import (
    AlarmAct,
    Deed,
    Fate,
    Features,
    Program,
    RelayPlan,
    Run,
    SagaPlan,
    Script,
    StepPlan,
)
from tests.proof.programs.shapes import draw_relay, draw_saga
from tests.proof.programs.together import with_followers
from tests.proof.programs.vocabulary import PARTICIPANTS, SLOTS

__all__ = ["FEATURES", "RARE", "WORK", "draw_program"]

FEATURES = (
    "alarms",  # participants set, move and cancel timers
    "branches",  # steps run beside each other
    "cancels",  # clients ask sagas to turn back
    "closing",  # sagas tell participants that all is undone
    "deadlines",
    "direct",  # clients ask participants for changes without a process
    "flaky",  # handlers that fail a few times
    "junk",  # messages that nobody can handle
    "large",  # messages near the limit of size
    "late",  # work that a timer does
    "lost alarms",  # timers whose handler never succeeds
    "notes",  # events that a step ignores
    "odd keys",
    "old ids",  # requests whose ids are older than the retention
    "pauses",  # handlers that take their time
    "pivots",
    "poison",
    "poisoned undo",
    "raising",  # functions of the saga that raise
    "refusals",
    "relays",
    "scarce",  # accounts that run out
    "silent",  # work that is done without an answer
    "skipping",  # undo functions that find nothing to undo
)
RARE = (  # These take minutes of simulated time in which little happens.
    "old requests",  # requests that are sent again after the retention
    "poisoned closing",  # a closing command that fails as often as it is sent
)
WORK = "work"  # Steps and undos that are not finished when they are asked for the first time, or the second.
_RARELY = 0.015
_ODD_KEYS = ("ключ", "鍵 #1", "a/b/c", "sp ace", "k" * 180, "🗝", "%s{}", "quote'\"", "-", "0", "null", "e\u0301")
_MESSAGE_BYTES = 2048
_RETENTION_S = 300.0  # More than clocks are wrong by: a clock that is ahead by so much would forget at once.
_FAILS_FOR_GOOD = 1_000
_FAILS_MAX = 3  # So many runs of a handler fail at most, not counting faults of the simulator.


def draw_program(dice: Dice) -> Program:
    """The program of one seed."""
    work = dice.named(WORK)  # Dice of its own, so that what else is drawn of a seed does not depend on it.
    features = Features((*dice.some(FEATURES), *dice.some(RARE, _RARELY), *work.some((WORK,))))
    retries = RetryPolicy(immediate=dice.below(3), delays=dice.choose(((), (0.3,), (0.2, 1.0))))
    slots = SLOTS[: 1 + dice.below(len(SLOTS))]
    relay = draw_relay(dice) if features.has("relays") else None
    is_alone = len(slots) == 1 and relay is None
    sagas = tuple(draw_saga(dice, features, slot, is_alone=is_alone) for slot in slots)
    drawing = _RunDrawing(dice, features, retries)
    plain = Program(
        features=features,
        sagas=sagas,
        relay=relay,
        runs=_with_work(drawing.runs(sagas, relay), sagas, features, work),
        direct=drawing.direct(),
        opening=dice.choose((20, 6)) if features.has("scarce") else 1_000,
        retries=retries,
        settings=_settings(dice, features),
    )
    inner = _RunDrawing(dice.named("inner"), features, retries)
    plain = with_followers(plain, dice.named("together"))
    plain = with_children(plain, dice.named("families"))
    whole = with_detours(plain, dice.named("detours"), inner.inner_deed)
    return replace(whole, runs=tuple(map(mild, whole.runs)))


def _with_work(runs: tuple[Run, ...], sagas: tuple[SagaPlan, ...], features: Features, dice: Dice) -> tuple[Run, ...]:
    """The same runs, with some deeds of sagas that take their time."""
    if not features.has(WORK):
        return runs
    steps = {saga.kind: len(saga.steps) for saga in sagas}
    made = []
    for run in runs:
        count = steps.get(run.process, 0)
        slow = [replace(one, do=_slowed(one.do, dice), undo=_slowed(one.undo, dice)) for one in run.deeds[:count]]
        made.append(replace(run, deeds=(*slow, *run.deeds[count:])))
    return tuple(made)


def _slowed(script: Script, dice: Dice) -> Script:
    is_slow = script.fate is Fate.APPLY and dice.chance(0.2)
    return replace(script, works=1 + dice.below(2)) if is_slow else script


def _settings(dice: Dice, features: Features) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if features.has("large"):
        settings["message_bytes_max"] = _MESSAGE_BYTES
        if dice.chance(0.5):
            settings["turn_bytes_max"] = _MESSAGE_BYTES
    if features.has("old requests"):
        settings["retention_s"] = _RETENTION_S
    return settings


class _RunDrawing:
    """Draws what happens in each run of one program."""

    def __init__(self, dice: Dice, features: Features, retries: RetryPolicy) -> None:
        self._dice = dice
        self._temper = features
        self._retries = retries
        odd = dice.choose(_ODD_KEYS) if features.has("odd keys") else "two"
        self._keys = {words.kind: ("one", odd)[: 1 + dice.below(2)] for words in PARTICIPANTS}

    # --- runs ---

    def runs(self, sagas: tuple[SagaPlan, ...], relay: RelayPlan | None) -> tuple[Run, ...]:
        runs: list[Run] = []
        for saga in sagas:
            count = 2 + self._dice.below(4 if len(sagas) > 1 else 7)
            runs.extend(self._saga_run(saga, number) for number in range(count))
        if relay is not None:
            runs.extend(self._relay_run(relay, number) for number in range(1 + self._dice.below(4)))
        return tuple(runs)

    def _saga_run(self, saga: SagaPlan, number: int) -> Run:
        key = self._run_key(number)
        name = f"{saga.kind}|{key}"
        deeds = [self._deed(f"{name}#{step.name}", step.kind, step.is_firm, raising=True) for step in saga.steps]
        closing = zip(saga.closing_names, saga.closing, strict=True)
        deeds += [self._deed(f"{name}#{step}", kind, True, raising=True, is_closing=True) for step, kind in closing]
        return Run(
            name,
            saga.kind,
            saga.process,
            key,
            tuple(deeds),
            starting=self._dice.below(saga.starting),
            origin=self._origin(),
            begin_raises=self._chance("raising", 0.04),
            ballast_bytes=self._ballast_bytes(),
        )

    def _relay_run(self, relay: RelayPlan, number: int) -> Run:
        key = self._run_key(number)
        name = f"relay|{key}"
        deeds = tuple(
            self._deed(f"{name}#s{index}", kind, False, answers_at_once=True) for index, kind in enumerate(relay.kinds)
        )
        return Run(name, "relay", relay.process, key, deeds, starting=0, origin=self._origin())

    def _run_key(self, number: int) -> str:
        """The key of the run of this number in each process, so that instances of several kinds share it."""
        odd = self._temper.has("odd keys") and number < len(_ODD_KEYS)
        return _ODD_KEYS[number] if odd else f"R-{number}"

    def direct(self) -> tuple[Deed, ...]:
        if not self._temper.has("direct"):
            return ()
        kinds = [self._dice.choose(PARTICIPANTS).kind for _ in range(1 + self._dice.below(5))]
        return tuple(self._deed(f"client#{number}", kind, False) for number, kind in enumerate(kinds))

    # --- deeds ---

    def inner_deed(self, name: str, step: StepPlan) -> Deed:
        """Of an item or an alternative, neither of which keeps anything of an answer."""
        return replace(self._deed(name, step.kind, step.is_firm, raising=True), keep_raises=False)

    def _deed(
        self,
        name: str,
        kind: str,
        is_firm: bool,
        *,
        raising: bool = False,
        answers_at_once: bool = False,
        is_closing: bool = False,
    ) -> Deed:
        """One deed.

        A deed of a relay answers at once, since the events of a timer belong to no relay. A closing deed has no events
        beside its answer, since a saga could not ignore them.
        """
        dice, chance = self._dice, self._chance
        return Deed(
            name,
            kind,
            dice.choose(self._keys[kind]),
            1 + dice.below(4),
            do=self._script(is_firm=is_firm, answers_at_once=answers_at_once, is_closing=is_closing),
            undo=self._undo_script(),
            is_firm=is_firm,
            undo_needed=not chance("skipping", 0.15),
            do_raises=raising and chance("raising", 0.03),
            undo_raises=raising and chance("raising", 0.06),
            keep_raises=raising and chance("raising", 0.03),
        )

    def _script(self, *, is_firm: bool, answers_at_once: bool, is_closing: bool) -> Script:
        fate = Fate.APPLY
        if self._chance("poisoned closing" if is_closing else "poison", 0.07):
            fate = self._dice.choose((Fate.POISON, Fate.FINAL))
        elif self._chance("refusals", 0.08) and not is_firm:
            fate = Fate.REFUSE
        elif self._chance("silent", 0.06) and not answers_at_once:
            fate = Fate.SILENT
        elif self._chance("late", 0.1) and not answers_at_once:
            fate = Fate.LATE
        return Script(
            fate,
            fails_first=self._fails_first(),
            pause_s=self._pause_s(),
            notes=1 + self._dice.below(3) if self._chance("notes", 0.3) and not (answers_at_once or is_closing) else 0,
            alarms=self._alarms(),
            late_s=self._dice.choose((0.2, 1.0, 4.0)),
            alarm_fails=self._alarm_fails(),
            ballast_bytes=self._ballast_bytes(),
        )

    def _undo_script(self) -> Script:
        fate = Fate.APPLY
        if self._chance("poisoned undo", 0.15):
            fate = self._dice.choose((Fate.POISON, Fate.FINAL))
        return Script(
            fate, fails_first=self._fails_first(), pause_s=self._pause_s(), ballast_bytes=self._ballast_bytes()
        )

    def _origin(self) -> Script:
        fate = Fate.APPLY
        if self._chance("refusals", 0.05):
            fate = Fate.REFUSE
        elif self._chance("late", 0.2):
            fate = Fate.LATE
        return Script(fate, fails_first=self._fails_first(), late_s=self._dice.choose((0.1, 1.0, 5.0)))

    def _alarms(self) -> tuple[AlarmAct, ...]:
        dice = self._dice
        if not self._chance("alarms", 0.5):
            return ()
        delays = (None, 0.0, 0.5, 2.0, 6.0)
        return tuple(AlarmAct(f"t{dice.below(3)}", dice.choose(delays)) for _ in range(1 + dice.below(4)))

    def _alarm_fails(self) -> int:
        if self._chance("lost alarms", 0.1):
            return _FAILS_FOR_GOOD
        return self._fails_first()

    def _fails_first(self) -> int:
        most = min(self._retries.runs_max - 1, _FAILS_MAX)
        return 1 + self._dice.below(most) if most and self._chance("flaky", 0.15) else 0

    def _pause_s(self) -> float:
        return self._dice.choose((0.01, 0.2, 1.0)) if self._chance("pauses", 0.2) else 0.0

    def _ballast_bytes(self) -> int:
        return self._dice.choose((100, _MESSAGE_BYTES - 700)) if self._chance("large", 0.2) else 0

    def _chance(self, feature: str, probability: float) -> bool:
        return self._temper.has(feature) and self._dice.chance(probability)
