"""Why a run over many sagas, or many dead letters, does not go on here."""

from __future__ import annotations

from runtime.errors import AmendsError
from runtime.protos.saga_pb2 import RunCancelled

__all__ = ["RunEnded", "RunMoved", "check_goes_on"]


class RunMoved(AmendsError):
    """Somebody else carries this run on, or has cancelled it."""


class RunEnded(AmendsError):
    """A run was cancelled, or nothing of it is left: it is not carried on."""


def check_goes_on(name: str, cancelled: RunCancelled | None) -> None:
    """Raises RunEnded of a run that was cancelled."""
    if cancelled is not None:
        raise RunEnded(f"the run {name!r} was cancelled by {cancelled.who}, because: {cancelled.reason}")
