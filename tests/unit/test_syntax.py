"""Source is read as a tree, even while garbage is collected that reads source itself."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.syntax import syntax_tree


class ReadsSourceAtItsEnd:
    def __init__(self) -> None:
        self.itself = self  # a circle, so that only the collector finds it

    def __del__(self) -> None:
        self._deeper(16)

    def _deeper(self, frames: int) -> None:
        if frames:
            self._deeper(frames - 1)
        else:
            ast.parse("a + b")  # what the interpreter does by itself when it logs a stack


@pytest.fixture
def busy_collector() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(50)
    yield
    gc.set_threshold(*before)


def test_garbage_that_reads_source_disturbs_no_reading(busy_collector: None) -> None:
    text = Path(__file__).read_text("utf-8")
    for _ in range(20):
        ReadsSourceAtItsEnd()
        assert len(syntax_tree(text).body) > 5


@pytest.mark.parametrize("collects", [True, False])
def test_the_collector_is_left_as_it_was_found(collects: bool) -> None:
    was_on = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        syntax_tree("a = 1")
        with pytest.raises(SyntaxError):
            syntax_tree("a = ")
        assert gc.isenabled() is collects
    finally:
        (gc.enable if was_on else gc.disable)()


def test_an_error_names_the_file() -> None:
    with pytest.raises(SyntaxError) as raised:
        syntax_tree("a = = 1", file="orders.py")
    assert raised.value.filename == "orders.py"


def test_one_expression_is_read_by_itself() -> None:
    assert isinstance(syntax_tree("a | b", mode="eval").body, ast.BinOp)
