"""Classes that are declarations: services and sagas. What Python would drop of one without a word is refused.

    class Billing(Service, kind="billing", state=BillState):
        async def bill(self, command: BillOrder) -> OrderBilled: ...
        async def bill(self, command: RefundOrder) -> OrderRefunded: ...     # refused: the first would be gone

A subclass may inherit from abstract classes and protocols as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from runtime.errors import InvalidDefinition

if TYPE_CHECKING:
    from abc import ABCMeta as _OfProtocols
else:
    _OfProtocols = type(Protocol)  # below it are those of abstract classes and of protocols, so that all can be mixed

__all__ = ["Declared", "take_options"]


class _Body(dict[str, Any]):
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
    def __prepare__(cls, name: str, bases: tuple[type, ...], /, **_: Any) -> _Body:
        return _Body(name, cls.declares)


def take_options(take: Callable[..., None], rest: Mapping[str, Any], where: str, known: str) -> None:
    """Hand options that are not ours to the next class in line. Raises InvalidDefinition when nobody knows them."""
    try:
        take(**rest)
    except TypeError as error:
        if not rest:
            raise
        names = ", ".join(map(repr, rest))
        raise InvalidDefinition(f"{where}: there is no option {names} ({error}); there are {known}") from error
