"""A node of the order system that tells where its CPU time goes: `bench.where` starts these instead of `node.py`.

    python -m bench.sampled_node [arguments of node.py]

A signal comes after each two milliseconds of CPU time. It is handled in the main thread, which runs the loop of the
node, and finds in which frame that thread is. A sample counts for as much CPU as this thread has had since the one
before it, since the time of other threads brings signals, too. What the other threads have had is read from the system.

SIGUSR1 asks for what was found so far. The answer is one more line of JSON in the file that SAMPLES_FILE names.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import psutil

from bench.parts import LIBRARIES, part_of_file, part_of_thread

__all__ = ["SAMPLES_FILE", "CpuSamples"]

SAMPLES_FILE = "BENCH_SAMPLES_FILE"
"""The variable of the environment that names the file of answers."""

_HERE = Path(__file__).parents[1]
_EVERY_S = 0.002


class CpuSamples:
    """Seconds of CPU of this process by part, as `bench.parts` names them."""

    def __init__(self, root: Path, answers: Path) -> None:
        self._root = f"{root}{os.sep}"
        self._answers = answers
        self._loop: defaultdict[str, float] = defaultdict(float)
        self._parts: dict[str, str | None] = {}  # by the name of a file that a frame is of
        self._last_s = time.thread_time()

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handles a sample's signal."""
        now_s = time.thread_time()
        self._loop[self._part(frame)] += now_s - self._last_s
        self._last_s = now_s

    def answer(self, number: int, frame: FrameType | None) -> None:
        """Handles the signal that asks: a line at once, so that whoever reads it finds all of it or nothing."""
        spent = defaultdict(float, self._other_threads())
        for part, seconds in self._loop.items():
            spent[part] += seconds
        with self._answers.open("a") as answers:
            answers.write(json.dumps(spent) + "\n")

    def _part(self, frame: FrameType | None) -> str:
        """That of the innermost frame within the project: what a library does is done for it."""
        while frame is not None:
            name = frame.f_code.co_filename
            if name not in self._parts:
                inside = name.startswith(self._root) and "site-packages" not in name
                self._parts[name] = part_of_file(name.removeprefix(self._root)) if inside else None
            if (part := self._parts[name]) is not None:
                return part
            frame = frame.f_back
        return LIBRARIES

    def _other_threads(self) -> Mapping[str, float]:
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        spent: defaultdict[str, float] = defaultdict(float)
        for each in psutil.Process().threads():
            if each.id != threading.main_thread().native_id:
                spent[part_of_thread(names.get(each.id, ""))] += each.user_time + each.system_time
        return spent


def main() -> None:
    samples = CpuSamples(_HERE, Path(os.environ[SAMPLES_FILE]))
    signal.signal(signal.SIGUSR1, samples.answer)
    signal.signal(signal.SIGPROF, samples.take)
    signal.siginterrupt(signal.SIGPROF, False)
    signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)
    runpy.run_path(str(_HERE / "node.py"), run_name="__main__")


if __name__ == "__main__":
    main()
