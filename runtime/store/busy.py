"""What nodes are busy with: what they have told of handlers that run for long, beside the rows that decide anything."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from runtime.store.records import Busy, BusyHandler

__all__ = ["BUSY_KEPT_S", "BusyNotes", "busy_from_text", "busy_to_text"]

BUSY_KEPT_S = 86_400.0


class BusyNotes:
    """What nodes told, in memory: that part of the store which is the specification of it (see `Store.tell_busy`)."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], Busy] = {}  # by name and incarnation
        self._left: frozenset[tuple[str, str]] = frozenset()

    def tell_busy(self, busy: Busy) -> None:
        node = (busy.node, busy.incarnation)
        if node in self._left:
            return
        before_s = busy.told_at_s - BUSY_KEPT_S
        told = {one: busy for one, busy in self._told.items() if busy.until_s >= before_s and one != node}
        self._told = {**told, node: busy} if busy.handlers else told

    async def busy(self) -> list[Busy]:
        return [busy for _, busy in sorted(self._told.items())]


def busy_to_text(busy: Busy) -> str:
    handlers = [{**asdict(one), "id": one.id.hex()} for one in busy.handlers]
    return json.dumps({**asdict(busy), "handlers": handlers})


def busy_from_text(text: str) -> Busy:
    found = json.loads(text)
    handlers = [_known(BusyHandler, one) for one in found["handlers"]]
    handlers = [{**one, "id": bytes.fromhex(one["id"])} for one in handlers]
    return Busy(**{**_known(Busy, found), "handlers": tuple(BusyHandler(**one) for one in handlers)})


def _known(record: type[Busy | BusyHandler], found: dict[str, Any]) -> dict[str, Any]:
    """Without what a newer version says beside it."""
    return {field.name: found[field.name] for field in fields(record)}
