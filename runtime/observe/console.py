"""How a command of ours meets its console: arguments that are no text, letters it cannot show, output nobody takes.

python -m … ──▶ run ──arguments are UTF-8, streams escape what they cannot show──▶ click's command
                   ◀──what could not be written: a line on stderr, exit code 7──┘
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Final, NoReturn

import click

__all__ = ["UNWRITTEN", "prepare", "run", "unwritten"]

UNWRITTEN: Final = 7
"""The exit code of a command that did its work and could not show it."""

_OUTPUT = frozenset((errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT))


def run(command: click.Command, prog_name: str) -> NoReturn:
    """Run a command line and exit. Whatever becomes of the output, there is an exit code and no traceback."""
    prepare(usage_exit=2)
    if sys.stdout is None:
        _end("the standard output is closed, so nothing was done; send it somewhere, to /dev/null if need be")
    before = sys.stdout
    try:
        command.main(prog_name=prog_name)
    except OSError as error:
        if not unwritten(error):
            raise
        _end(_told(error))
    except SystemExit as ended:
        if ended.code == 1 and (sys.stdout is not before or unwritten(ended.__context__)):
            _end(_told(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))))  # click, or rich, met a broken pipe
        _flushed()
        raise
    raise SystemExit(0)


def prepare(*, usage_exit: int) -> None:
    """Have the streams escape what they cannot show, and refuse arguments that are no UTF-8. May exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for argument in sys.argv[1:]:
        if not _is_text(argument):
            _say(f"the argument {argument!a} is no UTF-8 text")
            raise SystemExit(usage_exit)


def unwritten(error: BaseException | None) -> bool:
    """Whether this says that the output could not be written: a full disk, a closed pipe."""
    return isinstance(error, OSError) and error.errno in _OUTPUT and error.filename is None


def _is_text(argument: str) -> bool:
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _told(error: OSError) -> str:
    return f"the output could not be written: {error.strerror}; what the command was to do is done, ask again to see it"


def _flushed() -> None:
    """What is still buffered is written now: at the interpreter's end nobody could say that it failed."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _end(_told(error))


def _end(what: str) -> NoReturn:
    _say(what)
    with suppress(OSError):  # what is left in the buffer goes nowhere, instead of failing once more at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    raise SystemExit(UNWRITTEN)


def _say(what: str) -> None:
    with suppress(OSError, AttributeError):
        sys.stderr.write(f"Error: {what}\n")
        sys.stderr.flush()
