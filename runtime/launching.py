"""The command line of a node: settings in, one node run until it is told to stop, an exit code that means something.

0  drained and stopped          4  the address is taken             6  stopped, but its drain was cut short
1  a bug, or it could not go on 5  another live node has this name  64 a wrong setting or service name
3  the store cannot be used
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from runtime.adapters import SystemClock, Watchdog, check_open_files, end_within, run_to_its_end, system_ports
from runtime.config import ENV_PREFIX, SETTINGS, Settings, load_settings, strange_variables
from runtime.errors import AddressInUse, AmendsError, InvalidSettings, NodeNameTaken, StoreError
from runtime.failures import stack_of, text_of
from runtime.host import Node, Register
from runtime.observe.console import guarded, never_wait, prepare
from runtime.observe.logging import Log, open_log, route_standard_logging
from runtime.observe.repeats import Repeats
from runtime.ports import Fact
from runtime.saga.catalogue import Catalogue
from runtime.store_url import without_passwords

if TYPE_CHECKING:
    import click  # which is imported when a command line is parsed: the library alone does without

__all__ = ["CUT_SHORT", "EXIT_CODES", "Hosting", "launch", "launch_found"]

EXIT_CODES: dict[type[AmendsError], int] = {StoreError: 3, AddressInUse: 4, NodeNameTaken: 5, InvalidSettings: 64}

CUT_SHORT = 6

_USAGE = 2  # as click has it
_FAILED_STOP_S = 5.0
_LET_GO_S = 15.0  # beyond the drain: handlers are cut within 5, the store gives waits up after 10
_LOG_DRAIN_S = 1.0  # for the last lines to be read, at the end of the process
_OPEN_FILES_MIN = 64  # about 30 of its own; the rest for peers and clients


@dataclass(frozen=True, slots=True)
class Hosting:
    """What a node can host: a catalogue, and what adds gRPC services of one's own to the node's server."""

    catalogue: Catalogue
    register: Sequence[Register] = ()


@dataclass(frozen=True, slots=True)
class ExitEndsNoNode(Fact):
    """What a handler began, and did not wait for, has raised an exit, which ends no node."""

    level: ClassVar[str] = "error"
    reason: str
    stack: str


def launch(catalogue: Catalogue, *, register: Sequence[Register] = ()) -> NoReturn:
    """Parse the command line and run a node. Exits the process."""
    services = ", ".join(catalogue.service_names)
    launch_found(lambda _: Hosting(catalogue, register), about=f"the given services, or all of them: {services}")


def launch_found(
    find: Callable[[str | None], Hosting],
    *,
    about: str,
    option: click.Option | None = None,
    arguments: Sequence[str] | None = None,
    program: str | None = None,
) -> NoReturn:
    """As `launch`, for a catalogue that is found once the command line is read. Exits the process.

    `find` gets the value of `option`, and may raise an AmendsError, which ends the process with 64.
    """
    chosen: list[dict[str, Any]] = []
    try:
        command = _command(about, chosen.append)
    except ModuleNotFoundError as missing:
        sys.exit(f"error: the command line of a node needs {missing.name}: pip install 'amends[cli]'")
    if option is not None:
        command.params.append(option)
    prepare(usage_exit=EXIT_CODES[InvalidSettings])
    try:
        guarded(lambda: command.main(args=arguments, prog_name=program))
    except SystemExit as ended:
        if not chosen:  # help was shown, or what is wrong with the command line
            sys.exit(EXIT_CODES[InvalidSettings] if ended.code == _USAGE else ended.code)
    found_by = chosen[0].pop(option.name, None) if option is not None and option.name else None
    sys.exit(_run(lambda: find(found_by), chosen[0].pop("config"), chosen[0]))


def _command(about: str, choose: Callable[[dict[str, Any]], None]) -> click.Command:
    import click

    @click.command(
        context_settings={"help_option_names": ["-h", "--help"]},
        help=f"Run one node that hosts {about}.\n\n"
        "Nodes find each other through the store. SIGTERM, SIGHUP or Ctrl-C drains the node: it finishes what it has "
        "begun, hands its work over and exits with 0. Other exit codes: 1 failed, 3 store, 4 address taken, "
        "5 name taken, 6 drain cut short, 64 wrong setting.",
        epilog=_settings_without_a_flag(),
    )
    @click.argument("services", nargs=-1, metavar="[SERVICE]...")
    @click.option("--store", metavar="URL", help="Where everything is kept.  [default: sqlite:///amends.db]")
    @click.option("--listen", metavar="HOST:PORT", help="Port 0 takes any free one.  [default: 127.0.0.1:7650]")
    @click.option("--advertise", metavar="HOST:PORT", help="What others dial instead.  [default: what it listens on]")
    @click.option("--name", help="Unique in the cluster; keeps a restarted node's work its own.  [default: derived]")
    @click.option(
        "--page", "page_listen", metavar="HOST:PORT", help="Where the operator's page is.  [default: nowhere]"
    )
    @click.option("--config", metavar="FILE", help="Settings in TOML.  [default: amends.toml, if it is there]")
    @click.option("--log-format", metavar="auto|console|json", help="[default: auto: readable on a terminal]")
    @click.option("--log-level", metavar="debug|info|warning|error", help="[default: info]")
    def node(**flags: Any) -> None:
        choose(flags)

    return node


def _run(find: Callable[[], Hosting], config: str | None, flags: dict[str, Any]) -> int:
    with suppress(OSError, ValueError, AttributeError, RuntimeError):  # no standard error to say it on
        # What ends a process at once, as a library's fault, names where it was: of the thread at fault alone, since the
        # others run on while they are read, by which a bus error has become a segmentation fault in mid-line.
        faulthandler.enable(all_threads=False)
    for number in _told_by():
        signal.signal(number, _end_at_once)  # until there is a loop that heeds them
    try:
        check_open_files(_OPEN_FILES_MIN)
        settings = load_settings(flags, config=config)
        hosting = find()
        hosting.catalogue.behaviours_of(settings.services or hosting.catalogue.service_names)
    except AmendsError as error:
        said = without_passwords(str(error))  # of a store's URL that came to the wrong place, say
        print(f"error: {said}", file=sys.stderr)  # noqa: T201 # there is no log yet: its settings are what is wrong
        return EXIT_CODES[InvalidSettings]
    never_wait()
    log = open_log(clock=SystemClock(), node=settings.node_name, format=settings.log_format, level=settings.log_level)
    route_standard_logging(log, SystemClock())
    repeats = Repeats(log.report, SystemClock())
    if strange := strange_variables():
        log.warning("variables of the environment are no settings, and have no effect", variables=strange)

    def told(error: BaseException) -> None:
        """A task or callback that is none of the node's own, as one that a handler has begun, would end the process."""
        repeats.report(ExitEndsNoNode(text_of(error), stack_of(error).strip(" ()")))

    try:
        return run_to_its_end(_serve(settings, hosting, log, repeats), told, _new_loop())
    finally:
        log.drain(_LOG_DRAIN_S)


def _end_at_once(number: int, frame: object) -> None:
    """Nothing is begun yet. No exception: whatever runs just now might catch it, and the node would start."""
    os._exit(0)


def _new_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes a loop: uvloop's, if it is installed (the extra `fast`), which handles more messages a second."""
    try:
        from uvloop import new_event_loop
    except ModuleNotFoundError:
        return asyncio.new_event_loop
    return new_event_loop


async def _serve(settings: Settings, hosting: Hosting, log: Log, repeats: Repeats) -> int:
    told = _heeded(log)
    ports = system_ports(repeats.report)
    log.follow(ports.handling)
    watchdog = Watchdog(ports.handling, log.report, blocked_s=settings.lease_s / 2)
    watchdog.start()
    try:
        node = Node(settings, hosting.catalogue, ports, register=hosting.register)
        if not await _started(node, told, ports.tasks, log):
            return 0
        _settle_garbage()
    except AmendsError as error:
        log.error("node cannot start", reason=str(error), error=type(error).__name__)
        return _exit_code(error)
    failure = await _until_told(node, told, ports.tasks)
    if failure is None:
        drained = await _stopped(node, ports.tasks, log, settings.drain_s + _LET_GO_S, CUT_SHORT)
        code = 0 if drained else CUT_SHORT
    else:
        log.error("node cannot go on", reason=str(failure), error=type(failure).__name__)
        code = _exit_code(failure)
        await _stopped(node, ports.tasks, log, _FAILED_STOP_S, code)
    end_within(_FAILED_STOP_S, code)  # what handlers have begun by themselves may never end
    return code


async def _stopped(node: Node, tasks: Any, log: Log, within_s: float, code: int) -> bool:
    """Stop the node; whether it drained. Ends the process with `code` if that takes longer."""
    stopping = tasks.start(node.stop(), name="stop of the node")
    try:
        return bool(await asyncio.wait_for(asyncio.shield(stopping), within_s))
    except TimeoutError:  # what it waits for may never come: a store that is gone, a handler that heeds nothing
        log.warning("node ends without a drain", waited_s=within_s)
        log.drain(_LOG_DRAIN_S)
        os._exit(code)


def _heeded(log: Log) -> asyncio.Event:
    """Set by the first signal that tells the node to end; each is logged."""
    told = asyncio.Event()

    def hear(number: signal.Signals) -> None:
        log.info("node was told to stop", signal=number.name)
        told.set()

    for number in _told_by():
        asyncio.get_running_loop().add_signal_handler(number, hear, number)
    return told


async def _started(node: Node, told: asyncio.Event, tasks: Any, log: Log) -> bool:
    """Start the node, unless it is told to end before that. Raises what `start` does."""
    starting = tasks.start(node.start(), name="start of the node")
    hearing = tasks.start(told.wait(), name="a signal during the start")
    news, ended = asyncio.Event(), asyncio.Event()
    hearing.add_done_callback(lambda _: news.set())
    starting.add_done_callback(lambda _: news.set())
    starting.add_done_callback(lambda _: ended.set())
    await news.wait()
    hearing.cancel()
    if not starting.done():
        starting.cancel()
        try:
            await asyncio.wait_for(ended.wait(), _FAILED_STOP_S)
        except TimeoutError:  # what it waits for may never come, and it has nothing that a kill would lose
            log.warning("node ends without having started", waited_s=_FAILED_STOP_S)
            log.drain(_LOG_DRAIN_S)
            os._exit(0)
    if starting.cancelled() or (told.is_set() and starting.exception() is not None):
        log.info("node stopped before it had started")
        return False
    starting.result()
    return True


def _told_by() -> list[signal.Signals]:
    """The signals that drain. A closed terminal is one of them, unless the node was told to outlive it (nohup)."""
    outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGTERM, signal.SIGINT] if outlives else [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


def _settle_garbage() -> None:
    """Take what start-up made out of the collector's sight, and let it run rarely: a turn makes hardly any cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _until_told(node: Node, told: asyncio.Event, tasks: Any) -> BaseException | None:
    """Wait for a signal, or for the node to fail; the failure, or None."""
    failed = tasks.start(node.failed(), name="failure of the node")
    failed.add_done_callback(lambda _: told.set())
    await told.wait()
    if failed.done() and not failed.cancelled():
        failure: BaseException = failed.result()
        return failure
    failed.cancel()
    return None


def _exit_code(error: BaseException) -> int:
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)


def _settings_without_a_flag() -> str:
    flags = ("services", "store", "listen", "advertise", "name", "log_format", "log_level")
    defaults = {name: field.default for name, field in SETTINGS.items() if name not in flags}
    others = [f"{name} {','.join(one) if isinstance(one, tuple) else one}" for name, one in defaults.items()]
    return (
        f"Each option may come from the environment ({ENV_PREFIX} and its name in capitals, as in {ENV_PREFIX}STORE) "
        f"or from FILE. So may these, with their defaults: {', '.join(others)}. "
        "docs/reference/settings.md says what they mean."
    )
