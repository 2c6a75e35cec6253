"""What a form asks for that acts on many at once: who, why, and how many, once they are more than people count."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.errors import InvalidMessage
from runtime.operate.run import COUNTED_FROM
from runtime.page.links import link
from runtime.store.port import OperatorStore

__all__ = ["SAID", "check_count", "is_known", "run_link"]

SAID = ("who", "reason", "count")


def check_count(fields: Mapping[str, str], items: int) -> None:
    """Raises InvalidMessage if the number of very many is not typed as it is."""
    typed = fields.get("count", "").strip().replace(",", "")
    if items > COUNTED_FROM and typed != str(items):
        raise InvalidMessage(
            f"{items:,} items are chosen, and {typed[:20] or 'nothing'!r} was typed: type their number"
        )


def run_link(kind: str, name: str) -> str:
    return link("/operations", {"kind": kind, "name": name})


async def is_known(store: OperatorStore, kind: str, name: str) -> bool:
    return (await store.load([(kind, name)]))[0] is not None
