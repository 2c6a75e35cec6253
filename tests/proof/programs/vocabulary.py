"""The message types of each kind of participant, and the state of each slot for a saga; every program uses them.

Accounts can run out and counters cannot. Otherwise they are the same. See tests/proof/programs/programs.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message

from runtime.envelope import Envelope
from tests.proof.programs import programs_pb2 as pb

__all__ = [
    "ORIGIN",
    "PARTICIPANTS",
    "RELAY",
    "RELAY_PROCESS",
    "SLOTS",
    "STARTING",
    "Slot",
    "Words",
    "beside",
    "deed_of",
    "words_of",
]

ORIGIN = "origin"
RELAY = "relay"
STARTING: tuple[type[pb.Begun] | type[pb.Resumed], ...] = (pb.Begun, pb.Resumed)


@dataclass(frozen=True, slots=True)
class Words:
    """The messages of one kind of participant."""

    kind: str
    is_account: bool
    change: Any  # A message class, like all that follow. No type checker knows that all kinds have the same fields.
    changed: Any
    refused: Any
    restore: Any
    restored: Any
    noted: Any
    busy: Any


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot for a saga: its kind, and its state, which no other saga has."""

    kind: str
    process: int  # The number of the process in its starting events.
    state: type[Message]


PARTICIPANTS = (
    Words(
        "alpha",
        True,
        pb.ChangeAlpha,
        pb.AlphaChanged,
        pb.AlphaRefused,
        pb.RestoreAlpha,
        pb.AlphaRestored,
        pb.AlphaNoted,
        pb.AlphaBusy,
    ),
    Words(
        "beta",
        True,
        pb.ChangeBeta,
        pb.BetaChanged,
        pb.BetaRefused,
        pb.RestoreBeta,
        pb.BetaRestored,
        pb.BetaNoted,
        pb.BetaBusy,
    ),
    Words(
        "gamma",
        False,
        pb.ChangeGamma,
        pb.GammaChanged,
        pb.GammaRefused,
        pb.RestoreGamma,
        pb.GammaRestored,
        pb.GammaNoted,
        pb.GammaBusy,
    ),
    Words(
        "delta",
        False,
        pb.ChangeDelta,
        pb.DeltaChanged,
        pb.DeltaRefused,
        pb.RestoreDelta,
        pb.DeltaRestored,
        pb.DeltaNoted,
        pb.DeltaBusy,
    ),
)
SLOTS = (Slot("first", 1, pb.FirstState), Slot("second", 2, pb.SecondState), Slot("third", 3, pb.ThirdState))
RELAY_PROCESS = 4


def words_of(kind: str) -> Words:
    return next(words for words in PARTICIPANTS if words.kind == kind)


def deed_of(envelope: Envelope) -> tuple[str, bool] | None:
    """The deed of a message, and whether the message undoes it. It is a command, or an event that a relay reacts to.

    None for any other message, and for bytes that cannot be read.
    """
    try:
        for words in PARTICIPANTS:
            found = _deed_in(words, envelope)
            if found is not None:
                return found
        if envelope.process == RELAY and envelope.type == _name(pb.Begun):
            return f"{pb.Begun.FromString(envelope.body).run}#s0", False
    except DecodeError:
        pass
    return None


def _deed_in(words: Words, envelope: Envelope) -> tuple[str, bool] | None:
    type, body = envelope.type, envelope.body
    if type == _name(words.change):
        return words.change.FromString(body).deed, False
    if type == _name(words.restore):
        return words.restore.FromString(body).deed, True
    if envelope.process == RELAY and type == _name(words.changed):
        return beside(words.changed.FromString(body).deed, 1), False
    if envelope.process == RELAY and type in (_name(words.refused), _name(words.restored)):
        return beside(words.refused.FromString(body).deed, -1), True
    return None


def beside(deed: str, step: int) -> str:
    """The name of the deed that is so many steps further in the same run."""
    run, _, number = deed.rpartition("#s")
    return f"{run}#s{int(number) + step}"


def _name(message_type: Any) -> str:
    name: str = message_type.DESCRIPTOR.full_name
    return name
