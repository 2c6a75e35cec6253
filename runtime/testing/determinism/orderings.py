"""Which functions depend on the order of their argument's members, and which do not.

Reading ──a call of this name, in full──▶ BLIND, PASSES_ON, IN_ORDER
"""

from __future__ import annotations

__all__ = ["BLIND", "IN_ORDER", "IN_ORDER_METHODS", "PASSES_ON", "WRITES"]


def _builtins(*names: str) -> tuple[str, ...]:
    return tuple(f"builtins.{name}" for name in names)


BLIND = _builtins("sorted", "min", "max", "sum", "any", "all", "len", "set", "frozenset", "bool")
"""Their result is the same, whatever the order."""

PASSES_ON = _builtins("list", "tuple", "iter", "map", "filter")
"""They depend on the order if whatever takes their result does."""

IN_ORDER = (
    *PASSES_ON,
    *_builtins("enumerate", "zip", "reversed", "str", "repr", "print", "dict"),
    "builtins.dict.fromkeys",
    "collections.deque",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.OrderedDict.fromkeys",
    "itertools.chain",
    "itertools.chain.from_iterable",
    "itertools.cycle",
    "itertools.islice",
)
IN_ORDER_METHODS = ("join", "extend", "extendleft", "format", "writelines")
WRITES = ("setdefault", "update")
