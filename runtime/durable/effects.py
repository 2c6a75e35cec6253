"""What the handlers of a service may touch beside the state of their actor, as its class says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from runtime.durable.provided import Need
from runtime.errors import InvalidDefinition

__all__ = ["Effects", "RunsInChains", "check_effects"]

Effects: TypeAlias = Literal["any", "none"]
"""`any`: what is outside, too, such as a bank. `none`: nothing but the state, so that a run can be taken back."""


def check_effects(said: object, where: str, needs: Sequence[Need]) -> Effects:
    """What a class says of its effects. Raises InvalidDefinition."""
    if said not in ("any", "none"):
        raise InvalidDefinition(f"{where}: effects are 'any' or 'none', not {said!r}")
    if said == "none" and needs:
        names = ", ".join(one.name for one in needs)
        raise InvalidDefinition(
            f"{where} says that it has no effects outside, and its __init__ takes {names} from there; "
            "take effects='none' out, or do without what comes from outside"
        )
    return "none" if said == "none" else "any"


@runtime_checkable
class RunsInChains(Protocol):
    """A kind whose handlers touch nothing outside: a turn over what is not committed yet can be taken back."""

    @property
    def runs_in_chains(self) -> bool: ...
