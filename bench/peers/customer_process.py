"""The runner's end of a customer: it tells one what to do, and reads what came of it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from bench.peers.environment import ROOT
from runtime.testing.processes.process import ProcessFailed

__all__ = ["CustomerProcess"]

_LINE_BYTES_MAX = 2**24
_END_S = 20.0


class CustomerProcess:
    """A process that runs `serve_customer`. It ends with its input, so it never outlives the runner."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, command: Sequence[str], log: Path, timeout_s: float = 120.0) -> Self:
        """Returns when it takes commands. Raises ProcessFailed."""
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                limit=_LINE_BYTES_MAX,
                process_group=0,
            )
        customer = cls(process, log)
        try:
            await customer._answer(timeout_s)
        except BaseException:
            await customer.kill()
            raise
        return customer

    async def ask(self, do: str, *, timeout_s: float = 300.0, **told: Any) -> dict[str, Any]:
        """Raises ProcessFailed if it ends instead of an answer, or gives none in time."""
        self._tell({"do": do, **told})
        return await self._answer(timeout_s)

    async def submit(self, *, until: int, timeout_s: float = 300.0, **told: Any) -> list[str]:
        """Have orders submitted, and return when `until` are accepted, with their ids. The customer goes on."""
        self._tell({"do": "submit", **told})
        return [(await self._answer(timeout_s))["accepted"] for _ in range(until)]

    async def kill(self) -> list[str]:
        """End it with SIGKILL; the ids of further orders that it had told to be accepted."""
        if self._process.returncode is None:
            self._process.kill()
        assert self._process.stdout is not None
        rest = await asyncio.wait_for(self._process.stdout.read(), _END_S)
        await asyncio.wait_for(self._process.wait(), _END_S)
        lines = [json.loads(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
        return [line["accepted"] for line in lines if "accepted" in line]

    def _tell(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _answer(self, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), timeout_s)
        except TimeoutError as error:
            raise ProcessFailed(f"the customer gave no answer in {timeout_s:g} s; it said:\n{self._said()}") from error
        if not line:
            raise ProcessFailed(f"the customer ended; it said:\n{self._said()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]
