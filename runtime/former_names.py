"""Parameters that had another name in 0.1: whoever writes the old name is told the new one."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from runtime.errors import InvalidDefinition

__all__ = ["formerly"]

T = TypeVar("T", bound=Callable[..., Any])


def formerly(**renamed: str) -> Callable[[T], T]:
    """Decorates a class, or a function: `@formerly(old="new")` has a call with `old=` raise InvalidDefinition."""

    def decorate(target: T) -> T:
        if not isinstance(target, type):
            return cast(T, checked(target, target.__name__))
        setattr(target, "__init__", checked(vars(target)["__init__"], target.__name__))  # noqa: B010 # mypy: a method
        return target

    def checked(function: Callable[..., Any], title: str) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **given: Any) -> Any:
            for old in given:
                if old in renamed:
                    raise InvalidDefinition(f"{title} has no parameter {old!r} any more; it is called {renamed[old]!r}")
            return function(*args, **given)

        return call

    return decorate
