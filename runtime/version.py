"""Which version of Amends this is."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

__all__ = ["amends_version"]


@cache
def amends_version() -> str:
    """The installed version; `0` when the code runs without being installed."""
    try:
        return version("amends")
    except PackageNotFoundError:
        return "0"
