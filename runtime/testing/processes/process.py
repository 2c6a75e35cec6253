"""One process under a harness: its signals, its log, and how it ended.

It leads a process group of its own, so an interrupt at the terminal reaches the test first. On Linux it dies with the
process that started it, even if that one is killed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.config import ENV_PREFIX
from runtime.testing.processes.kernel import is_stopped
from runtime.testing.processes.system_user import SystemUser

__all__ = ["Finished", "NodeProcess", "ProcessFailed", "launch"]

_POLL_S = 0.005
_TAIL_LINES = 25
_STOP_S = 30.0  # A thread that waits for a disk stops late.
_STOP_POLL_S = 0.0005
_DIE_WITH_PARENT = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
parent, user, group = map(int, sys.argv[1:4])
if user >= 0:  # Before prctl, as a change of user takes back what it has set.
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
libc.prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL; outlives the exec below
if os.getppid() == parent:  # else the parent died before this line
    os.execvp(sys.argv[4], sys.argv[4:])
"""


class ProcessFailed(AssertionError):
    """A process ended unexpectedly, or did not end as expected. The message shows its log."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ran to its end. A negative code is the signal that ended it."""

    code: int
    output: str  # Standard output and error, as they came.


def launch(
    command: Sequence[str],
    directory: Path,
    env: Mapping[str, str],
    *,
    name: str = "",
    user: SystemUser | None = None,
) -> tuple[subprocess.Popen[bytes], Path]:
    """Starts a process whose output goes to a new file in directory/logs. Gives both.

    Its environment is this process's own without settings for nodes, and with `env`. It runs as `user`, which only
    root may choose.
    """
    inherited = {variable: value for variable, value in os.environ.items() if not variable.startswith(ENV_PREFIX)}
    stem = name or Path(command[-1] if len(command) < 2 else command[1]).stem
    log = _new_file(directory / "logs", stem)
    with log.open("wb") as output:
        process = subprocess.Popen(
            _dying_with_parent(command, user),
            cwd=directory,
            env={**inherited, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    return process, log


class NodeProcess:
    """One named process, which may run several times."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        directory: Path,
        env: Mapping[str, str],
        *,
        user: SystemUser | None = None,
    ) -> None:
        self.name = name
        self.address = ""  # The host:port that others dial in the present run.
        self.listens = ""  # The host:port behind its proxy; empty if it has none.
        self.command = tuple(command)  # What the next launch runs.
        self._directory = directory
        self._env = dict(env)
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._logs: list[Path] = []
        self._end_asked = True
        self._frozen = False

    @property
    def alive(self) -> bool:
        """Says whether it runs or is frozen."""
        return self._process is not None and self._process.poll() is None

    @property
    def frozen(self) -> bool:
        return self._frozen and self.alive

    @property
    def ended_unasked(self) -> bool:
        return not self._end_asked and not self.alive

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while it runs. A negative one is the signal that ended it."""
        return None if self._process is None else self._process.poll()

    def launch(self) -> None:
        self._process, log = launch(self.command, self._directory, self._env, name=self.name, user=self._user)
        self._logs.append(log)
        self._end_asked = self._frozen = False
        self.address = ""

    def kill(self) -> None:
        """Sends SIGKILL, and returns when the process is gone. One that has ended before stays as it is."""
        self._end_asked = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def stop(self, timeout_s: float = 20.0) -> int:
        """Sends SIGTERM, and gives the exit code. After `timeout_s` it kills the process: ProcessFailed."""
        self._end_asked = True
        if self.alive:
            self._running().terminate()
            self.thaw()
        return await self.exited(timeout_s)

    async def exited(self, timeout_s: float = 20.0) -> int:
        """Waits until it ends, by itself or as asked. Gives its exit code; fails like `stop`."""
        self._end_asked = True
        deadline_s = time.monotonic() + timeout_s
        while self.alive:
            if time.monotonic() > deadline_s:
                self.kill()
                said = "\n".join(self.log_lines()[-_TAIL_LINES:])
                raise ProcessFailed(f"{self.name} did not end within {timeout_s:g} s; at last it said:\n{said}")
            await asyncio.sleep(_POLL_S)
        assert self._process is not None, "a process that was never launched"
        return self._process.returncode

    def freeze(self) -> None:
        """Sends SIGSTOP. The process keeps its memory, its sockets and its locks, and does nothing until `thaw`.

        Returns when every thread has stopped. Until then a thread may finish a system call, and so take a lock.
        Raises ProcessFailed if a thread still runs after 30 s.
        """
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        self._frozen = True
        give_up_at_s = time.monotonic() + _STOP_S
        while not is_stopped(process.pid):
            if time.monotonic() > give_up_at_s:
                raise ProcessFailed(f"{self.name} still runs {_STOP_S:g} s after it was told to freeze")
            time.sleep(_STOP_POLL_S)

    def thaw(self) -> None:
        """Sends SIGCONT."""
        self._running().send_signal(signal.SIGCONT)
        self._frozen = False

    def describe(self) -> str:
        if self._process is None:
            return "never started"
        if self.alive:
            return f"{'frozen' if self._frozen else 'runs'} as pid {self._process.pid}, {self.address or 'no address'}"
        code = self._process.returncode
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def output(self) -> str:
        """All that it wrote in all its runs."""
        return "".join(log.read_text(errors="replace") for log in self._logs)

    def log_lines(self) -> list[str]:
        return self.output().splitlines()

    def log_records(self) -> list[dict[str, Any]]:
        """The lines of its log that are JSON objects."""
        found = (_as_object(line) for line in self.log_lines() if line.startswith("{"))
        return [record for record in found if record is not None]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ProcessFailed(f"{self.name} was never started")
        return self._process


def _dying_with_parent(command: Sequence[str], user: SystemUser | None) -> list[str]:
    if sys.platform != "linux":
        if user is not None:
            raise ProcessFailed("a process is started as another user on Linux only; do not run this as root")
        return list(command)
    numbers = (-1, -1) if user is None else (user.user_id, user.group_id)
    arguments = (str(number) for number in (os.getpid(), *numbers))
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, *arguments, *command]


def _new_file(folder: Path, stem: str) -> Path:
    """Makes a file that no run has written to: name.log, name.2.log, ..."""
    for number in itertools.count(1):
        path = folder / (f"{stem}.log" if number == 1 else f"{stem}.{number}.log")
        if not path.exists():
            path.touch()
            return path
    raise AssertionError("unreachable: counting does not end")


def _as_object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
