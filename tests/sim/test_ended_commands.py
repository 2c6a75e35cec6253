"""Long commands of the test kit that a signal ends: what they have found is said, and nothing of them is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_BAR = {"explore": "moves deep", "simulate": "seeds,", "failpoints": "crashes,", "powercuts": "power cuts,"}
_ENDLESS = {
    "explore": ["actors.orchestration:OrderProcess", "--faults", "4", "--duplicates", "4", "--states", "9000000"],
    "simulate": ["--seeds", "1000000"],
    "failpoints": [],
    "powercuts": ["1000000"],
}
_COUNTED = {"explore": "states", "simulate": "seeds", "failpoints": "runs", "powercuts": "cuts"}


def _begin(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    with (tmp_path / "shown").open("w") as shown:
        command = [sys.executable, "-m", "tests.proof", *arguments]
        environment = {**os.environ, "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "COLUMNS": "150"}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=shown, text=True, env=environment, start_new_session=True
        )


def _until_shown(tmp_path: Path, text: str) -> None:
    while text not in (tmp_path / "shown").read_text(errors="replace"):
        time.sleep(0.05)


def _alive_in(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("command", list(_ENDLESS))
def test_a_command_that_a_signal_ends_says_what_it_has_found(
    command: str, number: signal.Signals, tmp_path: Path
) -> None:
    if number is not signal.SIGTERM and command not in ("explore", "simulate"):
        pytest.skip("one way for all")
    running = _begin(tmp_path, command, *_ENDLESS[command], "--json")
    _until_shown(tmp_path, _BAR[command])
    running.send_signal(number)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 128 + number, (tmp_path / "shown").read_text()
    figures = json.loads(out.splitlines()[-1])
    assert figures[_COUNTED[command]] > 0
    shown = (tmp_path / "shown").read_text()
    assert number.name in (figures.get("stopped_by", "") or shown)
    assert "Traceback" not in shown


@pytest.mark.parametrize("whole_group", [False, True])
@pytest.mark.parametrize("arguments", [("simulate", "--seeds", "100000"), ("mutants", "--only", "no-tombstone")])
def test_the_workers_of_a_command_end_with_it(arguments: tuple[str, ...], whole_group: bool, tmp_path: Path) -> None:
    running = _begin(tmp_path, *arguments, "--jobs", "2", "--json")
    if arguments[0] == "simulate":
        _until_shown(tmp_path, "seeds,")
    else:
        _until_shown(tmp_path, "mutants")
    (os.killpg if whole_group else os.kill)(running.pid, signal.SIGTERM)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM, (tmp_path / "shown").read_text()
    assert json.loads(out.splitlines()[-1])
    while _alive_in(running.pid):
        time.sleep(0.05)


def test_workers_end_when_the_command_is_killed(tmp_path: Path) -> None:
    running = _begin(tmp_path, "simulate", "--seeds", "100000", "--jobs", "2")
    _until_shown(tmp_path, "seeds,")
    running.kill()
    running.communicate(timeout=60)
    while _alive_in(running.pid):
        time.sleep(0.05)
