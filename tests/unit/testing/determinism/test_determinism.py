"""The linter for what breaks replay: each thing it finds, each it lets pass, and where it looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.testing.determinism.sources import lint_paths


def found(folder: Path, *sources: str) -> list[tuple[int, str]]:
    """Line and rule of each finding in modules a, b, c ... of one run."""
    for name, source in zip("abc", sources, strict=False):
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return [(one.line, one.name) for one in lint_paths(folder).findings]


IN_ORDER = [
    "for x in s: use(x)",
    "use([x for x in s])",
    "use({x: 1 for x in s})",
    "use(x for x in s)",
    "use(list(s))",
    "use(tuple(s))",
    "use(next(iter(s)))",
    "use(dict.fromkeys(s))",
    "use(', '.join(s))",
    "use(', '.join(str(x) for x in s))",
    "use(*s)",
    "use([1, *s])",
    "first, second = s",
    "first, *more = s",
    "use(s.pop())",
    "use(enumerate(s))",
    "use(zip(s, numbers))",
    "use(list(map(str, s)))",
    "numbers.extend(s)",
    "use(f'not {s}')",
    "use(str(s))",
    "use('not %s' % s)",
    "use('not {}'.format(s))",
    "use(sorted(s, key=len))",
    "use(max(s, key=len))",
    "use(s if flag else [])\nfor x in s or (): use(x)",
    "for x in s - {1}: use(x)",
    "for x in s.union(numbers): use(x)",
    "for x in s.copy(): use(x)",
    "for x in (t := s): use(x)\nfor x in t: use(x)",
]


@pytest.mark.parametrize("statement", IN_ORDER)
def test_going_through_a_set_in_its_own_order_is_found(tmp_path: Path, statement: str) -> None:
    names = {name for _, name in found(tmp_path, f"s = {{1, 2}}\n{statement}\n")}
    assert names == {"set-order"}


@pytest.mark.parametrize(
    "statement",
    [
        "for x in sorted(s): use(x)",
        "use(len(s), 1 in s, min(s), max(s), sum(s), any(s), all(s), bool(s))",
        "use(any(x > 1 for x in s), sum(x for x in s), sorted(x + 1 for x in s), min(x + 1 for x in s))",
        "use(sorted(list(s)), sorted(map(str, s)), frozenset(s), set(filter(None, s)), max(*s))",
        "use({x + 1 for x in s}, {*s, 3}, s | {3}, s - {1}, s & s, s <= {1, 2})",
        "s.add(3); s.discard(1); s.update(x for x in s); use(s.issuperset(x for x in s))",
        "use(1 in [x for x in s])",
        "use(s)",
        "s = sorted(s)\nfor x in s: use(x)",
        "for x in {'a': 1, 'b': 2}: use(x)",
        "for x in numbers: use(x)",
        "use(numbers.pop(), f'{len(s)}')",
    ],
)
def test_what_does_not_see_the_order_of_a_set_is_fine(tmp_path: Path, statement: str) -> None:
    assert found(tmp_path, f"s = {{1, 2}}\n{statement}\n") == []


SETS = [
    "def f(s: set[int]) -> None:\n  for x in s: use(x)",
    "def f(s: 'frozenset[int] | None') -> None:\n  for x in s or (): use(x)",
    "from collections.abc import Set as AbstractSet\ndef f(s: AbstractSet[int]) -> None:\n  for x in s: use(x)",
    "from typing import AbstractSet\ndef f(*, s: AbstractSet) -> None:\n  for x in s: use(x)",
    "def f(*several: set[int]) -> None:\n  for s in several: use(list(s))",
    "def f() -> None:\n  s = frozenset((1, 2))\n  for x in s: use(x)",
    "def f() -> None:\n  s: set[int] = made()\n  for x in s: use(x)",
    "Ids = frozenset[int]\ndef f(s: Ids) -> None:\n  for x in s: use(x)",
    "def made() -> set[int]: ...\nfor x in made(): use(x)",
    "async def made() -> set[int]: ...\nasync def f() -> None:\n  for x in await made(): use(x)",
    "class A:\n  s: set[int]\n  def f(self) -> None:\n    for x in self.s: use(x)",
    "class A:\n  def __init__(self) -> None:\n    self.s = set()\n  def f(self) -> None:\n    for x in self.s: use(x)",
    "class A:\n  def __init__(self, s: set[int]) -> None:\n    self.t = s\n  def f(self): use(list(self.t))",
    "class A:\n  @property\n  def s(self) -> set[int]: ...\n  def f(self) -> None:\n    for x in self.s: use(x)",
    "class A:\n  def made(self) -> set[int]: ...\n  def f(self) -> None:\n    for x in self.made(): use(x)",
    "class A:\n  s: set[int]\ndef f(a: A) -> None:\n  for x in a.s: use(x)",
    "def f(d: dict[str, set[int]]) -> None:\n  for x in d['a']: use(x)",
    "def f(d: dict[str, set[int]]) -> None:\n  for x in d.get('a', ()): use(x)",
    "def f(d: dict[str, set[int]]) -> None:\n  for s in d.values(): use(list(s))",
    "def f(d: dict[str, set[int]]) -> None:\n  for key, s in d.items(): use(list(s))",
    "def f(many: list[set[int]]) -> None:\n  for number, s in enumerate(many): use(list(s))",
    "from collections import defaultdict\nd = defaultdict(set)\nfor x in d['a']: use(x)",
    "many = [set() for _ in range(3)]\nfor x in many[0]: use(x)",
    "def f(a: dict, b: dict) -> None:\n  for x in a.keys() - b.keys(): use(x)",
    "import asyncio\nfor task in asyncio.all_tasks(): use(task)",
    "if flag:\n  s = {1}\nelse:\n  s = [1]\nfor x in s: use(x)",
    "for _ in numbers:\n  use(list(s))\n  s = {1}",
    "def f() -> None:\n  s = {1}\n  def g() -> None:\n    for x in s: use(x)\n  g()",
]


@pytest.mark.parametrize("source", SETS)
def test_a_set_is_known_by_how_it_is_made_annotated_or_given_back(tmp_path: Path, source: str) -> None:
    assert [name for _, name in found(tmp_path, source)] == ["set-order"]


@pytest.mark.parametrize(
    "source",
    [
        "def f(s) -> None:\n  for x in s: use(x)",
        "s = {1}\ndef f(s: list[int]) -> None:\n  for x in s: use(x)",
        "class A:\n  s: set[int]\nclass B:\n  s: list[int]\ndef f(some) -> None:\n  for x in some.s: use(x)",
        "def f(d: dict[str, set[int]]) -> None:\n  for key, s in d.items(): use(key.join(numbers), sorted(s))",
    ],
)
def test_what_is_not_known_to_be_a_set_is_let_pass(tmp_path: Path, source: str) -> None:
    assert found(tmp_path, source) == []


def test_sets_of_other_modules_are_known(tmp_path: Path) -> None:
    a = "OPEN = frozenset((1, 2))\ndef made() -> set[int]: ...\nclass A:\n  shards: set[int]\n"
    b = "from a import OPEN, made\nimport a as other\nuse(list(OPEN))\nuse(list(made()))\nuse(list(other.OPEN))\n"
    c = "def f(some) -> None:\n  use(list(some.shards))\n"
    assert found(tmp_path, a, b, c) == [(3, "set-order"), (4, "set-order"), (5, "set-order"), (2, "set-order")]


NAMES = [
    ("import random", "random.random()", "global-random"),
    ("from random import choice as pick", "pick(numbers)", "global-random"),
    ("import random", "random.Random()", "global-random"),
    ("import secrets", "secrets.token_hex()", "global-random"),
    ("import os", "os.urandom(8)", "global-random"),
    ("import time", "time.time()", "clock"),
    ("from time import monotonic as now", "now()", "clock"),
    ("import time", "field(default_factory=time.time)", "clock"),
    ("import time", "time.sleep(1)", "clock"),
    ("import datetime", "datetime.datetime.now()", "clock"),
    ("from datetime import datetime", "datetime.utcnow()", "clock"),
    ("from datetime import date", "date.today()", "clock"),
    ("import uuid", "uuid.uuid4()", "new-identity"),
    ("from uuid import uuid1", "uuid1()", "new-identity"),
    ("", "id(state)", "address"),
    ("", "hash(state)", "address"),
    ("", "sorted(numbers, key=id)", "address"),
    ("", "{id(one): one for one in numbers}", "address"),
    ("import asyncio", "asyncio.wait(numbers)", "task-results"),
    ("import asyncio", "asyncio.gather(*numbers)", "task-results"),
    ("from asyncio import as_completed", "as_completed(numbers)", "task-results"),
    ("import threading", "threading.Thread(target=use)", "thread"),
    ("import asyncio", "asyncio.to_thread(use)", "thread"),
    ("from concurrent.futures import ThreadPoolExecutor", "ThreadPoolExecutor()", "thread"),
    ("import subprocess", "subprocess.run(numbers)", "thread"),
    ("", "loop.run_in_executor(None, use)", "thread"),
    ("import os", "os.environ['HOME']", "environment"),
    ("import os", "os.environ.get('HOME')", "environment"),
    ("from os import getenv", "getenv('HOME')", "environment"),
    ("import socket", "socket.gethostname()", "environment"),
]


@pytest.mark.parametrize(("imported", "expression", "name"), NAMES)
def test_a_source_of_chance_is_found_under_any_name(tmp_path: Path, imported: str, expression: str, name: str) -> None:
    assert found(tmp_path, f"{imported}\ndef f(state, loop, numbers):\n  return {expression}\n") == [(3, name)]


@pytest.mark.parametrize(
    ("imported", "expression"),
    [
        ("import random", "random.Random(7)"),
        ("import uuid", "uuid.uuid5(uuid.NAMESPACE_OID, 'a')"),
        ("from datetime import datetime", "datetime.fromtimestamp(7, tz=utc)"),
        ("import time", "f(lambda time: time.time())"),
        ("", "f(lambda random: random.random())"),
        ("", "f(lambda id: id(1))"),
        ("", "state.id + state.hash()"),
        ("import threading", "cast('threading.Lock', state)"),
        ("import asyncio", "asyncio.timeout(1)"),
    ],
)
def test_what_gives_the_same_again_is_fine(tmp_path: Path, imported: str, expression: str) -> None:
    assert found(tmp_path, f"{imported}\ndef f(state):\n  return {expression}\n") == []


@pytest.mark.parametrize(
    "source",
    [
        "import os\nHOME = os.environ.get('HOME')\n",
        "import os\ndef f():\n  os.environ['A'] = 'b'\n  os.environ.setdefault('A', 'b')\n",
        "import threading\ndef f(lock: threading.Lock) -> threading.Lock:\n  mine: threading.Lock = lock\n",
        "class A:\n  def __hash__(self):\n    return hash(self.key)\n",
        "class A:\n  id: int\n  def f(self, id):\n    return id(self)\n",
    ],
)
def test_reading_at_import_writing_annotating_and_hashing_are_fine(tmp_path: Path, source: str) -> None:
    assert found(tmp_path, source) == []


def test_a_reason_on_the_line_excuses_it(tmp_path: Path) -> None:
    assert found(tmp_path, "s = {1}\nfor x in s:  # replay: each is only counted\n  use(x)\n") == []
    assert found(tmp_path, "s = {1}\nuse(\n  list(  # replay: sorted by whoever takes it\n    s,\n  )\n)\n") == []
    assert found(tmp_path, "s = {1}\nuse([  # replay: sorted by whoever takes it\n  x for x in s])\n") == []


def test_a_reason_excuses_no_other_line(tmp_path: Path) -> None:
    source = "s = {1}\nfor x in s:\n  use(x)  # replay: each is only counted\n"
    assert found(tmp_path, source) == [(2, "set-order"), (3, "remark-without-need")]


@pytest.mark.parametrize("remark", ["# replay:", "# replay", "# replay: ok", "#replay:   "])
def test_a_remark_without_a_reason_is_refused(tmp_path: Path, remark: str) -> None:
    names = sorted(name for _, name in found(tmp_path, f"s = {{1}}\nuse(list(s))  {remark}\n"))
    assert names == ["remark-without-reason", "set-order"]


def test_a_remark_that_excuses_nothing_is_reported(tmp_path: Path) -> None:
    assert found(tmp_path, "use(1)  # replay: left from before\n") == [(1, "remark-without-need")]


def test_a_text_that_looks_like_a_remark_is_none(tmp_path: Path) -> None:
    assert found(tmp_path, "s = {1}\nuse(list(s), '# replay: each is only counted')\n") == [(2, "set-order")]
