"""One word, one thing: what a newcomer would have to tell apart by its place is refused."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.tidy.source import modules, name, tree

TREE = ("runtime", "actors", "tests", "examples", "bench")


def test_no_class_name_means_two_things() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in [one for one in modules(*TREE) if "_pb2" not in one.name]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(name(path))
    twice = {one: places for one, places in sorted(homes.items()) if len(places) > 1}
    assert not twice, "\n".join(f"{one}: {', '.join(places)}" for one, places in twice.items())
    assert len(homes) > 500, "hardly anything was read"
