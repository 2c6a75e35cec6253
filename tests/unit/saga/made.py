"""Classes of services, sagas and choreographies, made by a call as `class` would make them."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

__all__ = ["made", "of_state"]


def made(name: str, base: Any, body: Mapping[str, Any], /, **options: Any) -> type[Any]:
    """`base` may have a type argument: Saga[State]."""
    return types.new_class(name, (base,), options, lambda space: space.update(body))


def of_state(base: Any, state: Any) -> Any:
    """`base[state]`, where the state is known only when the test runs."""
    return base[state]
