"""The user as whom a program runs that refuses to be run by root, such as PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InvalidSettings

__all__ = ["SystemUser", "folder_for", "user_but_root"]

_NAME = "nobody"
_OTHER_PLACES = (Path("/tmp"), Path("/var/tmp"))
_CAN_RUN = 'test -x "$0"'


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A user of the system and its group, by their numbers."""

    user_id: int
    group_id: int

    def can_run(self, program: Path) -> bool:
        """Says whether this user may run a program, or enter a folder: the kernel is asked."""
        asked = subprocess.run(
            ["/bin/sh", "-c", _CAN_RUN, str(program)],
            cwd="/",
            user=self.user_id,
            group=self.group_id,
            extra_groups=[],
            check=False,
        )
        return asked.returncode == 0


def user_but_root() -> SystemUser | None:
    """None for whoever is not root: programs run as the user that starts them. For root it is the user nobody.

    Raises InvalidSettings if there is no such user.
    """
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(_NAME)
    except KeyError as error:
        text = f"PostgreSQL refuses to run as root, and there is no user {_NAME}: run this as another user"
        raise InvalidSettings(text) from error
    return SystemUser(found.pw_uid, found.pw_gid)


def folder_for(user: SystemUser | None, prefix: str) -> Path:
    """A new folder that nobody else may enter, at a place that this user can reach. Raises InvalidSettings."""
    if user is None:
        return Path(tempfile.mkdtemp(prefix=prefix))
    places = (Path(tempfile.gettempdir()), *_OTHER_PLACES)
    place = next((one for one in places if user.can_run(one)), None)
    if place is None:
        text = f"the user {_NAME} can enter none of {', '.join(map(str, places))}: set TMPDIR to a folder that it can"
        raise InvalidSettings(text)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    shutil.chown(folder, user.user_id, user.group_id)
    return folder
