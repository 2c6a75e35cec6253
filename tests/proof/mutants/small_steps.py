"""Steps of small sagas, of the kinds of random programs: each can be refused and undone."""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.saga.step import Budget, Step
from tests.proof.programs import programs_pb2 as pb

__all__ = ["BUDGET", "KEY", "PATIENCE_S", "alpha", "begin", "beta", "gamma"]

KEY = "one"
"""Every participant has this key, so that two steps of one kind go to the same actor."""

PATIENCE_S = 30.0
BUDGET = Budget(asks_max=3)


def begin(event: pb.Begun) -> pb.FirstState:
    return pb.FirstState(key=event.key)


def alpha(*, refused: bool = False) -> Step:
    no = (pb.AlphaRefused,) if refused else ()
    return _undoable(pb.ChangeAlpha, pb.AlphaChanged, pb.RestoreAlpha, pb.AlphaRestored, no)


def beta(*, refused: bool = False) -> Step:
    no = (pb.BetaRefused,) if refused else ()
    return _undoable(pb.ChangeBeta, pb.BetaChanged, pb.RestoreBeta, pb.BetaRestored, no)


def gamma() -> Step:
    return _undoable(pb.ChangeGamma, pb.GammaChanged, pb.RestoreGamma, pb.GammaRestored, ())


def _undoable(
    change: type[Message],
    changed: type[Message],
    restore: type[Message],
    restored: type[Message],
    refused: tuple[type[Message], ...],
) -> Step:
    def do(state: pb.FirstState) -> Message:
        return change(key=KEY)

    def undo(state: pb.FirstState) -> Message:
        return restore(key=KEY)

    do.__annotations__["return"], undo.__annotations__["return"] = change, restore
    return Step(do=do, done=changed, refused=refused, undo=undo, undone=restored, timeout=PATIENCE_S, budget=BUDGET)
