"""The service at which every process begins. A client tells it to begin a run, and it returns the run's starting event.

It returns the event each time it is asked, at once or by a timer, and refuses the runs that the program has it refuse.
The event of a relay is returned only once: a saga ignores a second start, but a choreography would begin anew.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from runtime.durable.service import Service
from runtime.errors import FinalError
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.alarms import Alarmed
from tests.proof.programs.external_effects import ExternalEffects
from tests.proof.programs.program import Fate, Program, Run
from tests.proof.programs.vocabulary import ORIGIN, RELAY, STARTING

__all__ = ["origin_class", "starting_event"]

_LATER = "begin"


class _Origin(Alarmed):
    outside: ExternalEffects
    runs: Mapping[str, Run]

    state: pb.OriginState
    key: str

    async def begin(self, command: pb.Begin) -> pb.Begun | pb.Resumed | pb.BeginRefused | None:
        run = self._run(command.run)
        await self.outside.meet(self.message_id, run.origin, run.name, of_undo=False)
        self.state.run = run.name
        if run.origin.fate is Fate.REFUSE:
            self.state.refused = True
            return pb.BeginRefused(run=run.name)
        if run.origin.fate is Fate.LATE and not self.state.begun:
            self._set(_LATER, run.origin.late_s, run.name)  # A second request moves the timer.
            return None
        if self.state.begun and run.process == RELAY:
            return None
        self.state.begun = True
        return starting_event(run)

    async def nag(self, command: pb.Nag) -> None:
        self.state.nags += 1

    async def ring(self, ring: pb.Ring) -> pb.Begun | pb.Resumed:
        run = self._run(ring.deed)
        self.outside.ring(self.message_id, f"{ORIGIN}/{self.key} {ring.serial}", run.origin.alarm_fails, run.name)
        self._rung(ring)
        self.state.begun = True
        return starting_event(run)

    def _run(self, name: str) -> Run:
        run = self.runs.get(name)
        if run is None:
            raise FinalError(f"there is no run {name!r}")
        return run


def starting_event(run: Run) -> pb.Begun | pb.Resumed:
    """The event that starts a run."""
    first = run.deeds[0].key if run.deeds else ""
    return STARTING[run.starting](
        key=run.key, process=run.number, place=pb.Place(key=run.key), next_key=first, run=run.name
    )


def origin_class(program: Program, outside: ExternalEffects) -> type[Service[Any]]:
    runs = {run.name: run for run in program.runs}

    def body(namespace: dict[str, Any]) -> None:
        namespace.update(outside=outside, runs=runs)

    keywords: dict[str, Any] = {"kind": ORIGIN, "retries": program.retries}
    made: type[Service[Any]] = types.new_class("Origin", (_Origin, Service[pb.OriginState]), keywords, body)
    return made
