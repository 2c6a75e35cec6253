"""The relay of one program: a choreography. Each kind passes the work on to the next, and back when one refuses.

Begun ──▶ first: Change ──Changed──▶ second: Change ──Changed──▶ third
                 Restore ◀──Refused or Restored── Restore ◀──Refused──┘
"""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.message import Message

from runtime.saga.choreography import Choreography
from runtime.saga.on import On, on
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.program import Deed, Program, RelayPlan
from tests.proof.programs.vocabulary import RELAY, Words, beside, words_of

__all__ = ["relay_class"]


def relay_class(program: Program, plan: RelayPlan) -> type[Choreography]:
    deeds = {deed.name: deed for run in program.runs if run.process == RELAY for deed in run.deeds}
    chain = [words_of(kind) for kind in plan.kinds]

    def body(namespace: dict[str, Any]) -> None:
        namespace["starts"] = on(pb.Begun, where={"process": plan.process})
        namespace["reactions"] = tuple(_reactions(chain, deeds))
        namespace["ends"] = _ends(chain)

    made: type[Choreography] = types.new_class("Relay", (Choreography,), {"name": RELAY}, body)
    return made


def _reactions(chain: list[Words], deeds: Mapping[str, Deed]) -> Iterator[On]:
    yield _first(chain[0], deeds)
    for words, later in itertools.pairwise(chain):
        yield _onward(words.changed, later, deeds)
        yield _back(later.refused, words, deeds)
        yield _back(later.restored, words, deeds)


def _ends(chain: list[Words]) -> tuple[Any, ...]:
    """The ends: the last kind has changed, the first has refused, or the first was restored; and all notes."""
    first = chain[0]
    restored = (first.restored,) if len(chain) > 1 else ()
    return (
        chain[-1].changed,
        first.refused,
        *restored,
        *(words.noted for words in chain),
        *(words.busy for words in chain),
    )


def _first(words: Words, deeds: Mapping[str, Deed]) -> On:
    def change(event: pb.Begun) -> Message:
        return _change(words, deeds[f"{event.run}#s0"])

    change.__annotations__ = {"event": pb.Begun, "return": words.change}
    return on(pb.Begun, change, key="next_key")


def _onward(event_type: Any, words: Words, deeds: Mapping[str, Deed]) -> On:
    def change(event: Any) -> Message:
        return _change(words, deeds[beside(event.deed, 1)])

    return on(event_type, _annotated(change, event_type, words.change), key="next_key")


def _back(event_type: Any, words: Words, deeds: Mapping[str, Deed]) -> On:
    def restore(event: Any) -> Message:
        deed = deeds[beside(event.deed, -1)]
        made: Message = words.restore(key=deed.key, deed=deed.name)
        return made

    return on(event_type, _annotated(restore, event_type, words.restore), key="back_key")


def _annotated(function: Callable[[Any], Message], event: Any, command: Any) -> Callable[[Any], Message]:
    function.__annotations__ = {"event": event, "return": command}
    return function


def _change(words: Words, deed: Deed) -> Message:
    ballast = bytes(deed.do.ballast_bytes)
    made: Message = words.change(key=deed.key, deed=deed.name, amount=deed.amount, ballast=ballast)
    return made
