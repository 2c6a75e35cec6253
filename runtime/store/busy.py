"""What nodes are busy with, as text. Nodes tell it of handlers that run for long; nothing is decided by it."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from runtime.store.records import Busy, BusyHandler

__all__ = ["BUSY_KEPT_S", "busy_from_text", "busy_to_text", "says_something"]

BUSY_KEPT_S = 86_400.0


def says_something(busy: Busy) -> bool:
    """Whether a node tells anything that is worth a row: handlers, pauses, or that it refuses new commands."""
    return bool(busy.handlers or busy.pauses or busy.refuses_since_s)


def busy_to_text(busy: Busy) -> str:
    handlers = [{**asdict(one), "id": one.id.hex()} for one in busy.handlers]
    return json.dumps({**asdict(busy), "handlers": handlers})


def busy_from_text(text: str) -> Busy:
    found = {"pauses": (), **json.loads(text)}
    handlers = [_known(BusyHandler, one) for one in found["handlers"]]
    handlers = [{**one, "id": bytes.fromhex(one["id"])} for one in handlers]
    told = {"handlers": tuple(BusyHandler(**one) for one in handlers), "pauses": tuple(map(tuple, found["pauses"]))}
    return Busy(**{**_known(Busy, found), **told})


def _known(record: type[Busy | BusyHandler], found: dict[str, Any]) -> dict[str, Any]:
    """The fields that this version knows, of what a newer one may have written."""
    return {field.name: found[field.name] for field in fields(record)}
