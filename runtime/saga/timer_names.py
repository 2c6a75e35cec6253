"""How the timers of a saga are named. That of a step has the name of the step, and that of an item its path.

No step has any of these names, for they are no identifiers.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CLOSING", "DEADLINE", "REMIND"]

DEADLINE: Final = "saga deadline"
"""The timer of the whole saga's deadline."""

CLOSING: Final = "closing "
"""Before the name of a closing step that has the name of another part, which may have that timer."""

REMIND: Final = "remind "
"""Before the name of a reminder."""
