"""Where an order's CPU time goes: what belongs to which part, how samples are weighed, and how it is drawn."""

from __future__ import annotations

import json
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench.drawn import Bar, bars
from bench.parts import GRPC, LIBRARIES, PARTS, part_of_file, part_of_thread
from bench.sampled_node import CpuSamples
from bench.where import Spent

_ROOT = Path(__file__).parents[3]
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("actors/gateway.py", "calls of clients"),
        ("actors/sales.py", "handlers of the example"),
        ("runtime/saga/nodes/step.py", "sagas decide"),
        ("runtime/durable/waiting/calls.py", "calls of clients"),
        ("runtime/durable/turn/turn.py", "turns and chains"),
        ("runtime/durable/region/router.py", "between actors and nodes"),
        ("runtime/config.py", "the rest of the runtime"),
        ("node.py", "the rest of the runtime"),
    ],
)
def test_a_file_belongs_to_the_part_of_its_nearest_folder(path: str, part: str) -> None:
    assert part_of_file(path) == part


def test_each_file_of_the_project_belongs_to_a_part_that_is_told() -> None:
    files = [
        path.relative_to(_ROOT) for room in ("runtime", "actors", "protos") for path in (_ROOT / room).rglob("*.py")
    ]
    assert len(files) > 300
    assert {part_of_file(str(file)) for file in files} <= set(PARTS)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("", GRPC),
        ("Thread-1 (_poll_wrapper)", GRPC),
        ("amends.db writer", "threads of the store"),
        ("watchdog", "the rest of the runtime"),
    ],
)
def test_a_thread_belongs_to_whoever_has_started_it(name: str, part: str) -> None:
    assert part_of_thread(name) == part


def test_a_sample_counts_for_the_time_that_the_thread_has_had_since_the_one_before(tmp_path: Path) -> None:
    samples = CpuSamples(_ROOT, tmp_path / "answers")
    until_s = time.thread_time() + 0.05
    while time.thread_time() < until_s:
        pass
    samples.take(0, sys._getframe())
    samples.take(0, sys._getframe())
    samples.answer(0, None)
    samples.answer(0, None)
    first, second = ((json.loads(line)) for line in (tmp_path / "answers").read_text().splitlines())
    assert 0.05 <= first["the rest of the runtime"] < 10  # this file is in none of the folders
    assert second["the rest of the runtime"] >= first["the rest of the runtime"]


def test_what_a_library_does_counts_for_the_file_that_asks_for_it(tmp_path: Path) -> None:
    samples = CpuSamples(_ROOT / "runtime", tmp_path / "answers")
    samples.take(0, None)
    samples.take(0, sys._getframe())  # no frame above this one is within the folder
    samples.answer(0, None)
    assert LIBRARIES in json.loads((tmp_path / "answers").read_text())


def test_parts_are_told_by_what_the_yardstick_takes_in_one_order() -> None:
    ratios = Spent(0.001, {"sagas decide": 0.0005, "the client": 0.0001}).by_yardstick()
    assert list(ratios) == list(PARTS)
    assert ratios["sagas decide"] == pytest.approx(0.5)
    assert ratios["threads of the store"] == 0


def test_bars_are_as_long_as_their_parts_and_name_them() -> None:
    text = bars([Bar("one", {"a": 1.0, "b": 3.0}), Bar("two", {"a": 2.0, "b": 0.0})], "how <long>", mark=2.0)
    drawn = ElementTree.fromstring(text)
    sizes = {
        rect.findtext(f"{_SVG}title"): float(rect.attrib["width"])
        for rect in drawn.iter(f"{_SVG}rect")
        if rect.find(f"{_SVG}title") is not None
    }
    assert sizes["b: 3.00"] == pytest.approx(3 * sizes["a: 1.00"], abs=0.2)
    assert sizes["a: 2.00"] == pytest.approx(2 * sizes["a: 1.00"], abs=0.2)
    texts = [one.text for one in drawn.iter(f"{_SVG}text")]
    assert {"how <long>", "one", "two", "4.00", "2.00", "a", "b"} <= set(texts)


def test_the_same_figures_give_the_same_picture_and_nothing_in_it_runs() -> None:
    bar = Bar("one", dict.fromkeys(PARTS, 1.0))
    assert bars([bar], "t") == bars([bar], "t")
    assert "script" not in bars([bar], "t") and "href" not in bars([bar], "t")


def test_without_anything_to_draw_the_error_says_what_to_give() -> None:
    with pytest.raises(ValueError, match="give at least one bar with a part that is not 0"):
        bars([Bar("one", {"a": 0.0})], "t")
    with pytest.raises(ValueError, match="13 parts, and colours for 12"):
        bars([Bar("one", {str(number): 1.0 for number in range(13)})], "t")
