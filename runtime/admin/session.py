"""What each command works with: the store it opens, the contracts it decodes with, and errors as exit codes."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import re
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

import click

from runtime.adapters import system_ports
from runtime.contracts import Contracts
from runtime.errors import AmendsError, InvalidMessage, InvalidSettings, StoreBusy
from runtime.observe.console import say_json
from runtime.observe.signals import Ended, ended_by_signals, until_told
from runtime.operate.act_refused import ActRefused
from runtime.operate.copying import CopyRefused
from runtime.operate.dead_letters import NotAwaited, NotFound, NotParked, StillNeeded
from runtime.operate.run import RunEnded
from runtime.ports import Ports
from runtime.store.open import open_store
from runtime.store.port import Store

__all__ = ["NEEDS_A_PERSON", "Session", "load_contracts", "say_done"]

_BAD_INPUT, _NOT_FOUND, _REFUSED = 2, 4, 5  # as the client says them
NEEDS_A_PERSON = 8  # if that is asked for (--exit-code)
_T = TypeVar("_T")


@dataclass(slots=True)
class Session:
    """What the commands work with. Tests hand one over with a store of their own."""

    url: str = ""
    contracts: tuple[str, ...] = ()
    contracts_are_said: bool = False  # and not what they are when nobody says them
    ports: Ports = field(default_factory=system_ports)
    store: Store | None = None
    told: list[signal.Signals] = field(default_factory=list)  # signals that told the command to end

    def run(self, work: Callable[[Store], Awaitable[_T]], *, writes: bool = False) -> _T:
        """Do something with the open store; an error becomes a message and an exit code. Most commands only read."""
        return self.run_alone(self._with_store(work, writes))

    def run_alone(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do something that opens the store itself, if at all; errors become messages and exit codes alike."""
        try:
            return asyncio.run(until_told(work, self.told))
        except Ended as ended:
            raise _Ended(ended) from None
        except NotFound as error:
            raise _Missing(str(error)) from error
        except (ActRefused, CopyRefused, NotAwaited, NotParked, RunEnded, StillNeeded) as error:
            raise _Refused(str(error)) from error
        except (InvalidMessage, InvalidSettings) as error:
            raise _BadInput(str(error)) from error
        except AmendsError as error:
            raise _Failed(str(error)) from error

    def do(self, work: Callable[[], _T]) -> _T:
        """Do something with the store's file; an error becomes a message and an exit code."""
        try:
            with ended_by_signals():
                return work()
        except Ended as ended:
            raise _Ended(ended) from None
        except StoreBusy as error:
            raise _Refused(str(error)) from error
        except InvalidSettings as error:
            raise _BadInput(str(error)) from error
        except AmendsError as error:
            raise _Failed(str(error)) from error

    def now_s(self) -> float:
        return self.ports.clock.now_s()

    async def _with_store(self, work: Callable[[Store], Awaitable[_T]], writes: bool) -> _T:
        store = self.store or open_store(self.url, self.ports, create=False, view=not writes)
        await store.open()
        try:
            return await work(store)
        finally:
            await store.close()


def say_done(as_json: bool, act: str, told: Mapping[str, object], text: str) -> None:
    """What an act has done, as one object or in words."""
    if as_json:
        say_json({"act": act, **told}, indent=2)
    else:
        click.echo(text)


class _Failed(click.ClickException):
    """The message goes to stderr; the exit code is 1."""


class _Ended(click.ClickException):
    """A signal has ended the command before it was done."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(f"{ended}, before it was done")
        self.exit_code = ended.exit_code  # type: ignore[misc]  # click declares it for classes, reads it from instances


class _BadInput(_Failed):
    exit_code = _BAD_INPUT


class _Missing(_Failed):
    exit_code = _NOT_FOUND


class _Refused(_Failed):
    exit_code = _REFUSED


def load_contracts(names: Iterable[str]) -> Contracts:
    """The message types of these modules; of a package, of each `*_pb2` in it. Raises InvalidSettings.

    The names come from the operator's command line and are never read from data.
    """
    modules: list[ModuleType] = []
    for name in names:
        _check_is_module(name)
        try:
            module = importlib.import_module(name)
            found = pkgutil.iter_modules(getattr(module, "__path__", ()))
            inner = sorted(one.name for one in found if one.name.endswith("_pb2"))
            modules += [importlib.import_module(f"{name}.{one}") for one in inner] or [module]
        except Exception as error:  # a module may raise anything as it is imported, and importlib for an odd name
            what = f"{type(error).__name__}: " if not isinstance(error, ImportError) else ""
            raise InvalidSettings(f"--contracts {name!r} cannot be imported: {what}{error}") from error
        if not all(hasattr(one, "DESCRIPTOR") for one in modules):
            raise InvalidSettings(f"--contracts {name}: neither a generated protobuf module nor a package of them")
    return Contracts(modules)


def _check_is_module(name: str) -> None:
    """A path is what people try first; the error says what to write instead."""
    if name.endswith(".proto"):
        raise InvalidSettings(
            f"--contracts {name!r} is a contract's source: generate Python from it (amends protos FOLDER), and name "
            "the package that has it, such as protos"
        )
    if any(char in name for char in "/\\") or name.endswith(".py"):
        inner = re.split(r"[/\\]", name.removesuffix(".py"))
        module = ".".join(part for part in inner if part not in ("", ".", ".."))
        raise InvalidSettings(
            f"--contracts {name!r} is a path: name the module as Python imports it, such as {module or 'protos'}, "
            "from the folder where that works, or with PYTHONPATH naming the folder"
        )
