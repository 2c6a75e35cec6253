"""The tutorial works as it is written: its files are written, its commands typed, and they print what it shows."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy.source import ROOT

pytestmark = pytest.mark.timeout(300)

PAGE = ROOT / "docs" / "tutorial" / "your-first-saga.md"
SECOND = PAGE.with_name("a-stuck-saga.md")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:#|//) ([\w/]+\.\w+)\n")
_SET_UP = ("mkdir stay", "python3 -m venv", "pip install")  # the test has a folder and an environment of its own
_LOOKS = ("amends client read", "amends admin")  # change nothing, and may be asked again, but for acts:
_ACTS = ("amends admin repair",)
_PORTS = ("7650", "7651")


class TutorialReader:
    """Somebody who types what the page says, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = {port: str(free_port()) for port in _PORTS}
        bin_folder = str(Path(sys.executable).parent)
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AMENDS_")},
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "AMENDS_NODE": f"127.0.0.1:{self._ports['7650']}",
            "PYTHONPATH": "",
        }
        self.jobs: list[subprocess.Popen[bytes]] = []

    def write(self, name: str, text: str) -> None:
        file = self._folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")

    async def type(self, command: str, shows: str) -> None:
        for shown, own in self._ports.items():
            command = command.replace(shown, own)
        if command.endswith(" &"):
            self._launch(command.removesuffix(" &"))
        elif command.startswith("kill "):
            self._kill(command.split()[1:])
        elif not command.startswith(_SET_UP):
            await self._run(command, shows)

    def _launch(self, command: str) -> None:
        self.jobs.append(subprocess.Popen(f"exec {command}", shell=True, cwd=self._folder, env=self._env))

    def _kill(self, words: list[str]) -> None:
        number = signal.SIGKILL if words[0] == "-9" else signal.SIGTERM
        for word in words:
            if word.startswith("%"):
                job = self.jobs[int(word[1:]) - 1]
                job.send_signal(number)
                assert job.wait(60) == (-number if number == signal.SIGKILL else 0)

    async def _run(self, command: str, shows: str) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + 60
        while True:
            done = await asyncio.to_thread(
                subprocess.run, command, shell=True, cwd=self._folder, env=self._env, capture_output=True, text=True
            )
            is_refused = shows.startswith("Error: ")
            said = plain(done.stderr if is_refused else done.stdout)
            agrees = (done.returncode != 0) is is_refused and said == plain(shows)
            # A node that was just launched answers soon, and a saga ends soon.
            looks = command.startswith(_LOOKS) and not command.startswith(_ACTS)
            if agrees or loop.time() > deadline_s:
                break
            if not (looks or "no node answers" in done.stderr or done.returncode == 3):
                break
            await asyncio.sleep(0.2)
        assert said == plain(shows), f"{command}: {done.stderr}"
        assert (done.returncode != 0) is is_refused, f"{command}: {done.stdout}{done.stderr}"

    def leave(self) -> None:
        for job in self.jobs:
            if job.poll() is None:
                job.kill()
                job.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[TutorialReader]:
    one = TutorialReader(tmp_path)
    yield one
    one.leave()


def plain(text: str) -> str:
    """Without what differs from run to run: times, names of nodes, and how wide a table is."""
    text = re.sub(r"\b(front-cards|hotels)-\d+", r"\1", text)
    text = re.sub(r"\d+(\.\d+)? (ms|s|min) ago|(?<=undo for )\d+(\.\d+)? (ms|s|min)|\d+\.\d+s", "N", text)
    lines = [" ".join(line.replace("─", " ").split()) for line in text.splitlines()]
    return "\n".join(line for line in lines if line)


def parts(page: Path = PAGE) -> list[tuple[str, str, str]]:
    """(file, text, "") or ("", command, what it shows), in the order of the page."""
    found: list[tuple[str, str, str]] = []
    for language, text in _BLOCK.findall(page.read_text("utf-8")):
        if language == "console":
            found += [("", *part.partition("\n")[::2]) for part in f"\n{text}".split("\n$ ")[1:]]
        else:
            named = _FILE.match(text)
            assert named, f"a block of {language} names no file: {text[:60]}"
            found.append((named[1], text[named.end() :], ""))
    return found


async def test_the_tutorial_does_what_it_says(reader: TutorialReader) -> None:
    for file, text, shows in parts():
        if file:
            reader.write(file, text)
        else:
            await reader.type(text, shows)
    assert len(reader.jobs) == 3


async def test_the_second_chapter_does_what_it_says_in_the_folder_of_the_first(reader: TutorialReader) -> None:
    for file, text, _ in parts():
        if file:
            reader.write(file, text)
    await reader.type("amends protos protos", "written protos/stay_pb2.py\nwritten protos/stay_pb2.pyi")
    for file, text, shows in parts(SECOND):
        if file:
            reader.write(file, text)
        else:
            await reader.type(text, shows)
    assert len(reader.jobs) == 2


def test_the_tutorial_has_files_and_commands() -> None:
    for page, files, least in ((PAGE, 6, 20), (SECOND, 2, 16)):
        found = parts(page)
        assert len([file for file, _, _ in found if file]) == files and len(found) > least
