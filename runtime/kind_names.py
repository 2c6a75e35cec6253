"""What kinds of actors are called. A kind that has another name now keeps, in everything that is stored, the first one.

    class Invoicing(Service[BillState], kind="invoicing", formerly=("billing",))

    "invoicing", "billing" ──stored──▶ "billing"     in rows, ids, envelopes and records

So a build with the new name and one with the old name are at home in one store, and a business key has one actor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from runtime.durations import shown
from runtime.envelope import wrong_kind
from runtime.errors import InvalidDefinition

__all__ = ["AS_CALLED", "KindNames", "conflicts", "names_of_kind", "never_heard_of"]


class KindNames:
    """The names of kinds that one deployment knows. `kinds` has all names of each kind, the first one first."""

    def __init__(self, kinds: Iterable[tuple[str, ...]] = ()) -> None:
        self.by_name: Mapping[str, str] = {name: names[0] for names in kinds for name in names}

    def stored(self, name: str) -> str:
        """The name by which a store knows the kind of this name; a name that is not known here stands for itself."""
        return self.by_name.get(name, name)

    @property
    def renamed(self) -> frozenset[str]:
        """Names that are not the first of their kind."""
        return frozenset(name for name, stored in self.by_name.items() if name != stored)


AS_CALLED = KindNames()
"""No kind was renamed."""


def names_of_kind(where: str, kind: object, formerly: object, example: str) -> tuple[str, ...]:
    """All names of a kind, the first one first; its present name may be one that it had before.

    `where` names the class, and `example` shows how one is written. Raises InvalidDefinition.
    """
    if wrong := wrong_kind(kind):
        raise InvalidDefinition(f"{where} needs {wrong}: {example}")
    assert isinstance(kind, str)
    if not isinstance(formerly, tuple):
        raise InvalidDefinition(
            f"{where}: formerly is a tuple of the names that the kind had, the first one first, as ('billing',); "
            f"it is {shown(formerly)}"
        )
    for name in formerly:
        if wrong := wrong_kind(name):
            raise InvalidDefinition(f"{where}: each name in formerly is {wrong}")
    if len(set(formerly)) < len(formerly):
        raise InvalidDefinition(f"{where}: formerly has a name twice; take one out")
    return tuple(dict.fromkeys((*formerly, kind)))


def conflicts(names: Mapping[str, str], kept: Mapping[str, str]) -> list[str]:
    """Why a build with these names must not work on a store that keeps those; empty if it may.

    Both say by name of a kind which name the store has for it. Each text names the cause and the cure.
    """
    return [_conflict(name, stored, kept[name]) for name, stored in names.items() if kept.get(name, stored) != stored]


def _conflict(name: str, stored: str, kept: str) -> str:
    if kept == name:
        return (
            f"this build says that {name!r} was formerly {stored!r}, and in this store {name!r} is a kind of its own: "
            "one key could have an actor of each; give the kind a name that the store does not know, or take "
            "formerly out if the two are different kinds"
        )
    return (
        f"in this store {name!r} is another name of the kind {kept!r}, and this build says that it is {stored!r}: "
        f"one key could have two actors; let formerly of {name!r} begin with {kept!r}, or give a kind that is "
        "another one a name of its own"
    )


def never_heard_of(names: KindNames, kept: Mapping[str, str]) -> list[str]:
    """Of kinds that were renamed, those whose first name a store does not know, though it knows others: a mistake?

    A kind that was renamed before it ever came to this store is none.
    """
    found = []
    for stored in sorted({names.stored(name) for name in names.renamed}):
        if kept and stored not in kept:
            called = ", ".join(repr(name) for name in sorted(names.renamed) if names.stored(name) == stored)
            nearest = get_close_matches(stored, sorted(set(kept) - set(names.by_name)), n=1)
            hint = f"; the nearest that it knows is {nearest[0]!r}" if nearest else ""
            found.append(f"{called} was formerly {stored!r}, of which this store has never heard{hint}")
    return found
