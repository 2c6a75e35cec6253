"""Classes that are declarations: services and sagas. They refuse what Python would drop without a word.

    class Payments(Service[PaymentState], kind="payments"):
        async def pay(self, command: Pay) -> Paid: ...
        async def pay(self, command: PayBack) -> PaidBack: ...     # refused: the first would be gone

A subclass may inherit from abstract classes and protocols as well.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from google.protobuf.message import Message

from runtime.contracts import is_message_type
from runtime.durations import shown
from runtime.errors import InvalidDefinition

if TYPE_CHECKING:
    from abc import ABCMeta as _OfProtocols
else:
    _OfProtocols = type(Protocol)  # below it are those of abstract classes and of protocols, so that all can be mixed

__all__ = ["Declared", "state_type_of", "take_options"]


class _OnceOnly(dict[str, Any]):
    """The body of a class while it is being read."""

    def __init__(self, title: str, declares: Callable[[str, object], bool]) -> None:
        super().__init__()
        self._title = title
        self._declares = declares

    def __setitem__(self, name: str, value: Any) -> None:
        old = self.get(name)
        if old is not None and self._declares(name, old) and old not in (value, getattr(value, "__wrapped__", None)):
            raise InvalidDefinition(
                f"{self._title}.{name} is there twice, so that the first would be lost; give one of them another name"
            )
        super().__setitem__(name, value)


class Declared(_OfProtocols):
    """The type of such classes. `declares` says what in a body is a part of the declaration."""

    @staticmethod
    def declares(name: str, value: object) -> bool:
        """Whether this may be given once only."""
        raise NotImplementedError

    @classmethod
    def __prepare__(cls, name: str, bases: tuple[type, ...], /, **_: Any) -> _OnceOnly:
        return _OnceOnly(name, cls.declares)


def state_type_of(cls: type[Any], base: type[Any], where: str) -> type[Message]:
    """The state's type, as written in `class X(Service[XState])`, or else that of the class it is derived from.

    Raises InvalidDefinition when there is none, or one that is no message type.
    """
    cure = f"class {cls.__name__}({base.__name__}[SomeState], kind='x')"
    for written in vars(cls).get("__orig_bases__", ()):
        origin = typing.get_origin(written)
        if isinstance(origin, type) and issubclass(origin, base):
            (state_type,) = typing.get_args(written)
            if not is_message_type(state_type):
                raise InvalidDefinition(
                    f"{where} needs a protobuf message as its state, not {shown(state_type)}: {cure}"
                )
            return typing.cast(type[Message], state_type)
    inherited: type[Message] | None = getattr(cls, "state_type", None)
    if inherited is None:
        raise InvalidDefinition(f"{where} needs the type of its state, a protobuf message: {cure}")
    return inherited


def take_options(take: Callable[..., None], rest: Mapping[str, Any], where: str, known: str) -> None:
    """Hand options that are not ours to the next class in line. Raises InvalidDefinition when nobody knows them."""
    if "state" in rest:
        raise InvalidDefinition(
            f"{where}: write the type of the state once, in brackets behind the base: Service[SomeState] or "
            "Saga[SomeState]; take `state=` out"
        )
    try:
        take(**rest)
    except TypeError as error:
        if not rest:
            raise
        names = ", ".join(map(repr, rest))
        raise InvalidDefinition(f"{where}: there is no option {names} ({error}); there are {known}") from error
