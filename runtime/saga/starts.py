"""Which events start which processes: no event starts two of them, unless the catalogue says so by their names.

Those then have a conversation each. So a conversation has one driver, whatever starts by one event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from runtime.errors import InvalidDefinition
from runtime.saga.checks import check_condition
from runtime.saga.choreography import Choreography
from runtime.saga.definition import Definition
from runtime.saga.node import full_name

__all__ = ["Several", "check_starts"]


@dataclass(frozen=True, slots=True)
class _Start:
    """A process and one condition under which it starts."""

    process: str
    title: str
    event_type: type[Message]
    field: str
    value: str


Several = Mapping[type[Message], Sequence[str]]
"""By event, the names of the processes that it starts; the first drives the conversation in which it was said."""


def check_starts(sagas: Iterable[Definition], choreographies: Iterable[type[Choreography]], several: Several) -> None:
    """Raises InvalidDefinition for two processes that one event would start unsaid, and for what is said in vain."""
    of_sagas = [start for saga in sagas for start in _starts_of_saga(saga)]
    starts = [*of_sagas, *map(_start_of_choreography, choreographies)]
    _check_apart(starts, several)
    for event, names in several.items():
        started = {one.process for one in starts if one.event_type is event}
        for name in names:
            if name not in started:
                known = ", ".join(sorted(started)) or "nothing"
                raise InvalidDefinition(f"several: {full_name(event)} starts no {name!r}; it starts {known}")


def _starts_of_saga(saga: Definition) -> list[_Start]:
    conditions = [(start, check_condition(start.event_type, dict(start.where), saga.title)) for start in saga.starts]
    return [_Start(saga.name, saga.title, start.event_type, *condition) for start, condition in conditions]


def _start_of_choreography(process: type[Choreography]) -> _Start:
    condition = check_condition(process.starts.event_type, dict(process.starts.where), process.__name__)
    return _Start(process.name, process.__name__, process.starts.event_type, *condition)


def _check_apart(starts: Sequence[_Start], several: Several) -> None:
    """No event may start two processes, whatever is in it: two would then drive one conversation."""
    for index, one in enumerate(starts):
        for other in starts[:index]:
            apart = one.field and one.field == other.field and one.value != other.value
            named = {one.process, other.process} <= set(several.get(one.event_type, ()))
            if one.event_type is other.event_type and one.process != other.process and not apart and not named:
                names = (other.process, one.process)
                raise InvalidDefinition(
                    f"{other.title} and {one.title} would both be started by one {full_name(one.event_type)}; "
                    "give each a condition on the same field, with different values, or say that it starts both, each "
                    f"in a conversation of its own: Catalogue(..., several={{{one.event_type.__name__}: {names}}})"
                )
