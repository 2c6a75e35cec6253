"""Sagas: business processes that one actor drives, written as steps with their undos.

    class BookTrip(Saga[BookTripState], kind="book-trip"):
        started_by = on(TripStarted, begin)
        seat  = Step(do=reserve_seat, done=SeatReserved, refused=SoldOut,
                     undo=release_seat, undone=SeatReleased, timeout=seconds(30))
        room  = Step(do=reserve_room, done=RoomReserved, refused=HotelFull,
                     undo=release_room, undone=RoomReleased, timeout=seconds(30))
        money = Step(do=pay, done=Paid, refused=CardDeclined, timeout=minutes(1), pivot=True)
        final = Step(do=confirm, done=TripConfirmed, timeout=seconds(30))
        flow  = (seat | room) >> money >> final
        closing = Step(cancel, done=TripCancelled)

The class is a definition and has no instances: what runs is its record.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Generic, Self, TypeVar

from google.protobuf.message import Message

from runtime.durable.declared import Declared, state_type_of, take_options
from runtime.durations import Span, check_span, in_seconds, shown
from runtime.errors import InvalidDefinition
from runtime.kind_names import names_of_kind
from runtime.saga.attributes import check_names, closing_of, flow_of, keys_of, parts_of, reminders_of, starts_of
from runtime.saga.carrying import Carried, Position
from runtime.saga.checks import check
from runtime.saga.definition import Definition
from runtime.saga.flow import Flow, Part
from runtime.saga.key import Key
from runtime.saga.on import On
from runtime.saga.read_carries import read_carries
from runtime.saga.reading import Declaration, read
from runtime.saga.remind import Remind
from runtime.saga.step import Step
from runtime.saga.variation import varied

__all__ = ["Saga"]

_UNDO = _STRICT, _INDEPENDENT = "strict", "independent"
_HISTORY = _FULL, _BRIEF = "full", "brief"

StateT = TypeVar("StateT", bound=Message)


class _SagaType(Declared):
    """Refuses what Python itself would take for its own before `__init_subclass__` is asked: `__slots__`, say."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any], **options: Any) -> Any:
        for attribute, value in body.items():
            if isinstance(value, Part) and attribute.startswith("__") and attribute.endswith("__"):
                raise InvalidDefinition(f"{name}.{attribute}: the name is Python's own; give the step another one")
        return super().__new__(cls, name, bases, body, **options)

    @staticmethod
    def declares(name: str, value: object) -> bool:
        """See Declared."""
        return isinstance(value, Part | Key | Remind)


class Saga(Generic[StateT], metaclass=_SagaType):
    """Base of sagas. A definition that makes no sense is refused when the class is made.

    started_by  the event (or events) that start an instance: on(SomeEvent, begin)
    flow        its steps, joined by `>>` (one after another) and `|` (side by side), with waits, choices and ends
    closing     a step, or several, by which a saga that has turned back ends, once every owed undo is confirmed: asked
                one after another, each until it is done. Their timeout is 30 seconds if they have none
    result      (state) -> message: what whoever started the saga, and waits for its end, is told once it has completed
    """

    kind: ClassVar[str] = ""
    kind_names: ClassVar[tuple[str, ...]] = ()  # all that the kind has had; the store knows it by the first
    state_type: ClassVar[type[Message]]
    definition: ClassVar[Definition]

    started_by: ClassVar[On | tuple[On, ...]] = ()
    flow: ClassVar[Flow | Part]
    closing: ClassVar[Step | tuple[Step, ...]] = ()
    result: ClassVar[Callable[[Any], Message] | None] = None
    carries: ClassVar[Mapping[Any, Callable[[Any, Position], Message | Carried]]] = types.MappingProxyType({})

    def __init_subclass__(
        cls,
        *,
        kind: str = "",
        formerly: tuple[str, ...] = (),
        deadline: Span = 0.0,
        undo: str = _STRICT,
        history: str = _FULL,
        **rest: Any,
    ) -> None:
        """`formerly`: names that the kind had, the first one first; never take one out again.

        `deadline`: how long from the start to the pivot; past it the saga turns back; 0 for none.

        `undo`: what an undo that is stuck holds up. "strict": every undo of what was done before it. "independent":
        nothing, so that a refund that cannot be made does not keep stock reserved.

        `history`: "full" keeps what the messages to an instance said, so that `amends admin history` can tell its state
        after each of them. "brief" keeps their types alone, and saves their bytes.
        """
        where = f"saga {cls.__name__}"
        take_options(super().__init_subclass__, rest, where, "kind, formerly, deadline, undo and history")
        if undo not in _UNDO:
            raise InvalidDefinition(f"{where}: undo is {' or '.join(map(repr, _UNDO))}, not {shown(undo)}")
        if history not in _HISTORY:
            raise InvalidDefinition(f"{where}: history is {' or '.join(map(repr, _HISTORY))}, not {shown(history)}")
        check_names(cls, Saga)
        cls.kind_names = names_of_kind(where, kind, formerly, "class X(Saga[XState], kind='x')")
        state_type = state_type_of(cls, Saga, where)
        check_span(deadline, "a deadline is finite and above 0", where, or_none=True)
        cls.kind, cls.state_type = kind, state_type
        cls.definition = read(
            Declaration(
                name=cls.kind_names[0],
                title=cls.__name__,
                state_type=state_type,
                parts=parts_of(cls),
                flow=flow_of(cls),
                closing=closing_of(cls),
                starts=starts_of(cls),
                keys=keys_of(cls),
                reminders=reminders_of(cls),
                deadline_s=in_seconds(deadline),
                undoes_past_stuck=undo == _INDEPENDENT,
                keeps_inputs=history == _FULL,
                result=cls.result,
            )
        )
        check(cls.definition)
        carries, between = read_carries(cls.__name__, cls.definition, cls.carries)
        cls.definition = replace(cls.definition, carries=carries, between=between)

    @classmethod
    def _undo(cls) -> str:
        return _INDEPENDENT if cls.definition.undoes_past_stuck else _STRICT

    @classmethod
    def with_steps(cls, **changed: Mapping[str, Any]) -> type[Self]:
        """This saga with some fields of some steps changed: BookTrip.with_steps(money={"timeout": minutes(2)}).

        The class it gives has the same kind and name. `closing` may be among the steps. Raises InvalidDefinition for a
        step or a field that there is not.
        """
        body = varied(cls, changed)
        history = _FULL if cls.definition.keeps_inputs else _BRIEF
        options = {"kind": cls.kind, "formerly": cls.kind_names, "deadline": cls.definition.deadline_s}
        options |= {"undo": cls._undo(), "history": history}
        made: type[Self] = types.new_class(cls.__name__, (cls,), options, lambda space: space.update(body))
        return made
