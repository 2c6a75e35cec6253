"""What services are given: one object of each type for a node, made by the catalogue's factories.

    class Payments(Service[PaymentState], kind="payments"):
        def __init__(self, bank: Bank) -> None: ...

    Catalogue(..., provides={Bank: open_bank}) ──▶ Provided of a node ──▶ Payments.__init__(bank=...) for each message

A node makes what its services need when it starts, and closes it when it stops, the newest first: by `aclose`, or else
by `close`, if the object has one.
"""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from runtime.durations import shown
from runtime.errors import InvalidDefinition
from runtime.failures import text_of
from runtime.ports import Fact

__all__ = ["Factories", "Need", "NotClosed", "Provided", "has_init", "needs_of"]

Factories = Mapping[type[Any], Callable[[], object]]
"""By type, a function that makes what a node's services are given."""

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Need:
    """One parameter of a service's `__init__`."""

    name: str
    type_: type[Any]
    is_optional: bool  # it has a default


@dataclass(frozen=True, slots=True)
class NotClosed(Fact):
    """What a node's services were given was not closed when the node stopped."""

    level: ClassVar[str] = "warning"
    what: str
    error: str


def needs_of(cls: type[Any], where: str, taken: Iterable[str]) -> tuple[Need, ...]:
    """What a service's `__init__` asks for. `taken` are names that a parameter cannot have.

    Raises InvalidDefinition for a parameter that the catalogue could not fill.
    """
    if not has_init(cls):
        return ()
    init: Any = cls.__init__
    if inspect.iscoroutinefunction(init):
        raise InvalidDefinition(f"{where}: its __init__ is async, and is called for each message; write a plain `def`")
    try:
        hints = typing.get_type_hints(init)
        parameters = list(inspect.signature(init).parameters.values())[1:]
    except (AttributeError, NameError, SyntaxError, TypeError, ValueError) as error:
        raise InvalidDefinition(f"{where}: the annotations of its __init__ cannot be read: {error}") from error
    return tuple(_need(one, hints, where, taken) for one in parameters)


def has_init(cls: type[Any]) -> bool:
    """Whether it has an `__init__` that somebody has written, and neither Python nor a protocol."""
    return cls.__init__ is not object.__init__ and getattr(cls.__init__, "__module__", "") != "typing"


def _need(one: inspect.Parameter, hints: Mapping[str, Any], where: str, taken: Iterable[str]) -> Need:
    if one.name in taken:
        raise InvalidDefinition(
            f"{where}: its __init__ takes {one.name!r}, and every service has something of this name; the runtime sets "
            "that before, so take what the catalogue provides, by other names"
        )
    if one.kind not in _NAMED:
        raise InvalidDefinition(
            f"{where}: its __init__ takes {one}; write each thing that it needs as a parameter with a name and a type"
        )
    annotation = hints.get(one.name)
    if annotation is None:
        raise InvalidDefinition(
            f"{where}: its __init__ takes {one.name!r} without a type, by which the catalogue would know what to hand "
            f"in; annotate it, as in {one.name}: Bank"
        )
    if not isinstance(annotation, type):
        raise InvalidDefinition(
            f"{where}: its __init__ takes {one.name!r} as {shown(annotation)}, which is no class; the catalogue "
            "provides objects by their class"
        )
    return Need(one.name, annotation, one.default is not inspect.Parameter.empty)


class Provided:
    """What the services of one node share. Each object is made once: by `make`, or when it is first asked for."""

    def __init__(self, factories: Factories) -> None:
        self._factories = factories
        self._made: dict[type[Any], object] = {}
        self._wanted: list[Need] = []

    def want(self, needs: Iterable[Need]) -> None:
        """Note what `make` has to make."""
        self._wanted += needs

    def make(self) -> None:
        """Make what is wanted. Raises InvalidDefinition when a factory does not do its work."""
        self.given_to(self._wanted)

    def given_to(self, needs: Iterable[Need]) -> dict[str, object]:
        """The arguments of a service's `__init__`. Raises InvalidDefinition when a factory does not do its work."""
        return {need.name: self._get(need.type_) for need in needs if need.type_ in self._factories}

    def _get(self, type_: type[Any]) -> object:
        if type_ not in self._made:
            self._made[type_] = self._make(type_)
        return self._made[type_]

    def _make(self, type_: type[Any]) -> object:
        where = f"catalogue, provides: the factory of {type_.__name__}"
        try:
            made = self._factories[type_]()
        except Exception as error:
            raise InvalidDefinition(f"{where} raised {text_of(error)}") from error
        if inspect.iscoroutine(made):
            made.close()
        is_running = inspect.isawaitable(made) or inspect.isgenerator(made) or inspect.isasyncgen(made)
        if is_running or (not getattr(type_, "_is_protocol", False) and not isinstance(made, type_)):
            raise InvalidDefinition(f"{where} made a {type(made).__name__}, which is no {type_.__name__}")
        return made

    async def close(self, within_s: float, report: Callable[[Fact], None]) -> None:
        """Close what was made, the newest first. What cannot be closed in time is reported, and left."""
        while self._made:
            type_, made = self._made.popitem()
            closing = getattr(made, "aclose", None) or getattr(made, "close", None)
            if not callable(closing):
                continue
            try:
                async with asyncio.timeout(within_s):
                    waits = closing()
                    if inspect.isawaitable(waits):
                        await waits
            except Exception as error:  # noqa: BLE001 -- the author's code; a node that stops goes on stopping
                report(NotClosed(type_.__name__, text_of(error)))
