"""The clients of plans of tools, and the files that the tools write: in memory, outside of all nodes.

At rest a plan that was carried out has written all its files, and one that was taken back has left each as it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from examples.agent.agent_pb2 import Call, StartPlan
from examples.agent.services import Folder
from runtime.testing.rules.ledger import Violation
from runtime.testing.runs.clients import Clients
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World

__all__ = ["MemoryFolder", "Planners"]

_CLIENTS = 4
_EACH = 3


class MemoryFolder(Folder):
    """The files that every node's tools write, whichever node it is."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._kept: dict[tuple[str, str], str | None] = {}

    def write(self, plan: str, file: str, text: str) -> None:
        self._kept.setdefault((plan, file), self.files.get(file))
        self.files[file] = text

    def restore(self, plan: str, file: str) -> None:
        if (plan, file) not in self._kept:
            return
        before = self._kept.pop((plan, file))
        if before is None:
            self.files.pop(file, None)
        else:
            self.files[file] = before


class Planners(Clients):
    """Each plan writes files of its own, one of which has been there before; some plans cost more than they may."""

    def __init__(self, world: World, dice: Dice, folder: MemoryFolder) -> None:
        super().__init__(world, dice)
        self._folder = folder
        self._plans = [self._plan(number) for number in range(_CLIENTS * _EACH)]
        folder.files.update({plan.calls[0].file: "before" for plan in self._plans})

    def _plan(self, number: int) -> StartPlan:
        calls = [
            Call(file=f"{number}-{place}.txt", text=f"text {place}", cost_cents=self.dice.choose((10, 40)))
            for place in range(1 + self.dice.below(5))
        ]
        return StartPlan(plan_id=f"A-{number}", budget_cents=100, calls=calls)

    async def run(self) -> None:
        await self.together(*(self._plans[number::_CLIENTS] for number in range(_CLIENTS)))

    def check(self) -> Iterator[Violation]:
        statuses = self.statuses("carry-out")
        for plan in self._plans:
            status, story = statuses.get(plan.plan_id, "not there"), self.conversation("carry-out", plan.plan_id)
            if status not in ("completed", "compensated"):
                yield Violation("I4", f"{plan.plan_id} did not end: it is {status}", story)
            wanted: dict[str, str | None] = {
                call.file: call.text if status == "completed" else None for call in plan.calls
            }
            if status == "compensated":
                wanted[plan.calls[0].file] = "before"
            found = {file: self._folder.files.get(file) for file in wanted}
            if found != wanted:
                yield Violation("I5", f"{plan.plan_id} is {status}, and has left {found}", story)
