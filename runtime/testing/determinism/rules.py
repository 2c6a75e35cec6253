"""The names that no decision may use, each with its cure.

Names are spelt in full, as the imports of a module resolve them: `from time import monotonic as now` makes `now` a
use of `time.monotonic`. A function is fine if it gives the same answer for the same arguments: `uuid.uuid5`, a seeded
`random.Random(7)`, `datetime.fromisoformat`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IN_FUNCTIONS_ONLY", "ORDER", "THREAD_METHODS", "UNSEEDED", "ReplayRule", "rule_of"]


@dataclass(frozen=True, slots=True)
class ReplayRule:
    """A rule: its name in reports, what is wrong, and what to do instead."""

    name: str
    what: str
    cure: str


ORDER = ReplayRule(
    "set-order",
    "the order of a set differs from process to process",
    "use sorted(...), or a dict where a set is kept; or say why it cannot matter: # replay: ...",
)
_RANDOM = ReplayRule(
    "global-random",
    "draws from the process's own randomness",
    "draw from the message id (hashlib over self.message_id), or let the client choose and send it in the command",
)
_CLOCK = ReplayRule(
    "clock", "reads or waits for the machine's clock", "use self.now_s in a service, and timers or timeouts to wait"
)
_IDENTITY = ReplayRule(
    "new-identity", "makes another id in each run", "derive it: uuid.uuid5(...) or hashlib over self.message_id"
)
_ADDRESS = ReplayRule(
    "address", "differs from process to process", "use a name, a key or a number for identity, and hashlib for hashes"
)
_TASKS = ReplayRule(
    "task-results",
    "what ends first is not the same in every run",
    "await one after another; to do things at the same time, send several commands",
)
_THREADS = ReplayRule(
    "thread",
    "what another thread or process does comes at its own time",
    "do it in a service of its own outside, and send it a command",
)
_ENVIRONMENT = ReplayRule(
    "environment",
    "is not the same on every node",
    "read it once when the process starts, at the top of a module, or carry it in the message",
)

IN_FUNCTIONS_ONLY = (_ENVIRONMENT,)
"""The top level of a module may use these, since it runs once in a process."""

THREAD_METHODS = {"run_in_executor": _THREADS}
"""Methods that the rules know by name alone."""

UNSEEDED = {"random.Random": _RANDOM}
"""Calls that are fine only with an argument."""

_NAMES = {
    "builtins.id": _ADDRESS,
    "builtins.hash": _ADDRESS,
    "asyncio.wait": _TASKS,
    "asyncio.gather": _TASKS,
    "asyncio.as_completed": _TASKS,
    "asyncio.to_thread": _THREADS,
    "asyncio.run_coroutine_threadsafe": _THREADS,
    "datetime.datetime.now": _CLOCK,
    "datetime.datetime.utcnow": _CLOCK,
    "datetime.datetime.today": _CLOCK,
    "datetime.date.today": _CLOCK,
    "os.environ": _ENVIRONMENT,
    "os.environb": _ENVIRONMENT,
    "os.getenv": _ENVIRONMENT,
    "os.getpid": _ENVIRONMENT,
    "socket.gethostname": _ENVIRONMENT,
    "platform.node": _ENVIRONMENT,
    "os.urandom": _RANDOM,
    "os.getrandom": _RANDOM,
    "uuid.uuid1": _IDENTITY,
    "uuid.uuid4": _IDENTITY,
    "uuid.getnode": _IDENTITY,
}
_PACKAGES = {  # All names in a package break its rule, except those named here.
    "time": (_CLOCK, ("struct_time", "strptime", "mktime")),
    "random": (_RANDOM, ("Random",)),
    "secrets": (_RANDOM, ("compare_digest",)),
    "threading": (_THREADS, ()),
    "concurrent.futures": (_THREADS, ()),
    "multiprocessing": (_THREADS, ()),
    "subprocess": (_THREADS, ()),
}


def rule_of(name: str) -> ReplayRule | None:
    """The rule that a name in full breaks."""
    if name in _NAMES:
        return _NAMES[name]
    package, _, last = name.rpartition(".")
    rule, pure = _PACKAGES.get(package, (None, ()))
    return None if last in pure else rule
