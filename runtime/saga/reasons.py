"""Who acts and why, as operators say it with each act: it stands in the record, and in the history."""

from __future__ import annotations

__all__ = ["REASON_CHARS_MAX", "WHO_CHARS_MAX", "too_long", "unsaid"]

REASON_CHARS_MAX = 2_000
"""The record keeps the reasons of the last acts, so this bounds its size."""

WHO_CHARS_MAX = 200


def unsaid(who: str, reason: str) -> str:
    """What an act has to say and does not, or says at too great a length; empty if it says it well."""
    if not who.strip() or not reason.strip():
        return "say who does it, and why: both stand in the history"
    return too_long(who, reason)


def too_long(who: str, reason: str) -> str:
    """Which of them has too many characters, and how many there may be; empty if neither has."""
    for what, said, most in (("who", who, WHO_CHARS_MAX), ("reason", reason, REASON_CHARS_MAX)):
        if len(said) > most:
            return f"{what} has {len(said):,} characters and may have {most:,}: say it shorter"
    return ""
