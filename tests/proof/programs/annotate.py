"""Gives a function of a drawn program the annotations that its author would have written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["annotate"]


def annotate(function: Callable[..., Any], *, result: Any, **parameters: Any) -> Callable[..., Any]:
    function.__annotations__ = {**parameters, "return": result}
    return function
