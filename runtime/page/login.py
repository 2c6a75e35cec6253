"""Who acts if a form says nobody else: the name under which the process runs, as the command line takes it."""

from __future__ import annotations

import getpass
from contextlib import suppress

__all__ = ["login"]


def login() -> str:
    """Empty where the system knows no name: then each form asks for one."""
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return ""
