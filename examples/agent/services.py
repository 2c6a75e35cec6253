"""The tools of a plan: they write real files, remember what was there before, and stop when the budget is spent."""

from __future__ import annotations

from pathlib import Path

from examples.agent.agent_pb2 import (
    BudgetSpent,
    FileRestored,
    FileWritten,
    PlanStarted,
    PlanState,
    RestoreFile,
    StartPlan,
    ToolsState,
    WriteFile,
)
from runtime import Service

__all__ = ["Folder", "PlanTools", "Plans"]


class Folder:
    """Files of one folder. What a plan overwrites is kept beside until it is restored, so each act can be repeated."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, plan: str, file: str, text: str) -> None:
        target, before = self._path / Path(file).name, self._before(plan, file)
        if not before.exists():
            before.write_text("+" + target.read_text("utf-8") if target.exists() else "-", "utf-8")
        target.write_text(text, "utf-8")

    def restore(self, plan: str, file: str) -> None:
        """Nothing is restored where nothing was written."""
        target, before = self._path / Path(file).name, self._before(plan, file)
        if not before.exists():
            return
        kept = before.read_text("utf-8")
        if kept.startswith("+"):
            target.write_text(kept[1:], "utf-8")
        else:
            target.unlink(missing_ok=True)
        before.unlink()

    def _before(self, plan: str, file: str) -> Path:
        return self._path / f".{plan}.{Path(file).name}.before"


class Plans(Service[PlanState], kind="plans"):
    async def start(self, command: StartPlan) -> PlanStarted | None:
        """The same plan again starts nothing."""
        if self.state.budget_cents:
            return None
        self.state.budget_cents = command.budget_cents
        return PlanStarted(plan_id=self.key, budget_cents=command.budget_cents, calls=command.calls)


class PlanTools(Service[ToolsState], kind="tools"):
    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    async def write(self, command: WriteFile) -> FileWritten | BudgetSpent:
        call = command.call
        if self.state.spent_cents + call.cost_cents > command.budget_cents:
            return BudgetSpent(plan_id=self.key)
        self._folder.write(self.key, call.file, call.text)
        self.state.spent_cents += call.cost_cents
        return FileWritten(plan_id=self.key)

    async def restore(self, command: RestoreFile) -> FileRestored:
        """A handler that failed may have written all the same, so the folder is asked and not the state."""
        self._folder.restore(self.key, command.call.file)
        return FileRestored(plan_id=self.key)
