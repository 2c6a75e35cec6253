"""How a command of ours meets its console: arguments that are no text, letters it cannot show, output nobody takes.

python -m … ──▶ run ──arguments are UTF-8, streams escape what they cannot show──▶ click's command
                   ◀──what could not be written: a line on stderr, exit code 7──┘
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn, Protocol, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["UNWRITTEN", "guarded", "never_wait", "prepare", "run", "say_json", "takes_utf_8", "unwritten"]

UNWRITTEN: Final = 7
"""The exit code of a command that did its work and could not show it."""

_OUTPUT = frozenset((errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT))


class Command(Protocol):
    """A command of click's, which only command lines need."""

    def main(self, *, prog_name: str) -> object: ...


def run(command: Command, prog_name: str) -> NoReturn:
    """Run a command line and exit. Whatever becomes of the output, there is an exit code and no traceback."""
    prepare(usage_exit=2)
    if sys.stdout is None:
        _end("the standard output is closed, so nothing was done; send it somewhere, to /dev/null if need be")
    guarded(lambda: command.main(prog_name=prog_name))
    raise SystemExit(0)


def guarded(show: Callable[[], object]) -> None:
    """Do what shows something; exits with UNWRITTEN if the output takes it not."""
    before = sys.stdout
    try:
        show()
    except OSError as error:
        if not unwritten(error):
            raise
        _end(_told(error))
    except SystemExit as ended:
        if ended.code == 1 and (sys.stdout is not before or unwritten(ended.__context__)):
            _end(_told(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))))  # click, or rich, met a broken pipe
        _flushed()
        raise


def prepare(*, usage_exit: int) -> None:
    """Have the streams escape what they cannot show, and refuse arguments that are no UTF-8. May exit.

    What standard error does not take is dropped: an error that nobody sees is no other error. Where the streams are
    closed nothing else gets their numbers, to which libraries write whatever lies there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stderr is None or isinstance(sys.stderr, TextIOWrapper):
        sys.stderr = _dropping(2, sys.stderr.encoding if sys.stderr else "utf-8")
    for place, argument in enumerate(sys.argv[1:], start=1):
        try:
            sys.argv[place] = os.fsencode(argument).decode() if not _is_text(argument) else argument
        except UnicodeError:
            _say(f"the argument {argument!a} is no UTF-8 text")
            raise SystemExit(usage_exit) from None


def say_json(value: Mapping[str, object] | Sequence[object], *, indent: int | None = None) -> None:
    """Print what each reader of JSON takes, whatever the alphabet of the console and whatever the numbers."""
    spelt = not takes_utf_8(sys.stdout)  # an escape of the console's would be none of JSON's
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=spelt, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), indent=indent, ensure_ascii=spelt)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def takes_utf_8(stream: object) -> bool:
    """Whether what is written there is encoded as UTF-8."""
    try:
        return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name == "utf-8"
    except LookupError:
        return False


def _finite(value: object) -> object:
    """With numbers that JSON has no word for as text, as protobuf writes them."""
    if isinstance(value, float) and value - value != 0:
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value


def never_wait() -> None:
    """Drop what is written to standard output and error while nobody reads it, instead of waiting. For a node.

    It concerns whoever writes there beside the log: gRPC's core, which writes to the descriptor itself, other
    libraries, a handler that prints. Children of the process inherit it.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if isinstance(stream, TextIOWrapper) and stream.fileno() == number and _unblocked(number):
            stream.flush()
            setattr(sys, name, _dropping(number, stream.encoding))


def _unblocked(number: int) -> bool:
    """Have writes to the descriptor fail when nobody reads; whether they do. A file on disk has no reader."""
    mode = os.fstat(number).st_mode
    if stat.S_ISSOCK(mode):  # its other end is the reader; nobody else writes to this one
        os.set_blocking(number, False)
        return True
    if not stat.S_ISFIFO(mode) and not os.isatty(number):
        return False
    try:  # opened anew, since the flag would hold for all who share it: the shell, others who write to the pipe
        opened = os.open(f"/proc/self/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # no such file system, or the terminal is another user's
        return False
    os.dup2(opened, number)
    os.close(opened)
    return True


class _Dropping(io.RawIOBase):
    """Writes what goes, and takes the rest for written; how much that was is told once something goes again."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._lost = 0  # bytes

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        size = memoryview(data).nbytes
        if self._lost and self._written(f"({self._lost} bytes were dropped here, since nobody took them)\n".encode()):
            self._lost = 0
        self._lost += size - self._written(data)
        return size

    def _written(self, data: Buffer) -> int:
        try:
            return os.write(self._number, data)
        except OSError:
            return 0


def _dropping(number: int, encoding: str) -> TextIOWrapper:
    raw = cast("BinaryIO", _Dropping(number))  # without a buffer: what is dropped must not be tried again
    return TextIOWrapper(raw, encoding, errors="backslashreplace", line_buffering=True, write_through=True)


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
