"""What the system's own packages bring and the wheel does not: a server with TLS, and PgBouncer."""

from __future__ import annotations

import shutil
from pathlib import Path

from runtime.testing.processes.postgresql.programs import Programs

__all__ = ["pgbouncer", "system_programs"]


def system_programs() -> Programs | None:
    """The newest PostgreSQL that Debian's packages have installed here; None if there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return Programs(folders[-1]) if folders else None


def pgbouncer() -> str | None:
    """The path of PgBouncer; None if it is not installed."""
    return shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
