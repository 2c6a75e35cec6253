"""What the doctor has found out about a store: `amends admin doctor` shows it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MAIL_OLD_S", "StoreFinding"]

MAIL_OLD_S = 60.0
"""Mail that is due waits for milliseconds. From this age on, something keeps it from being handled."""


@dataclass(frozen=True, slots=True)
class StoreFinding:
    """One check. Where all is well there is nothing to cure."""

    check: str
    found: str
    cure: str = ""
