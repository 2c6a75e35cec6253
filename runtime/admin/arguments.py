"""What commands take that is more than text: seconds, and kinds that the cluster has to know."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

import click

from runtime.admin.session import Session
from runtime.operate.dead_letters import NotFound
from runtime.store.port import OperatorStore
from runtime.store.records import ClusterView

__all__ = ["SECONDS", "as_json_option", "as_one_object", "check_known", "limit_option"]


class _Seconds(click.FloatRange):
    """Seconds from 0 on. NaN is refused: no comparison with it is true, so nothing would ever fit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


SECONDS = _Seconds(min=0)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
limit_option = click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Rows at most."
)
as_one_object = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def check_known(session: Session, kind: str, what: str, known: Callable[[ClusterView], Collection[str]]) -> None:
    """Called for an empty listing. Exits with 4 if the cluster has never heard of the kind, which may be misspelt."""

    async def look(store: OperatorStore) -> None:
        names = sorted(known(await store.cluster()))
        if kind not in names and kind not in await store.keep_kind_names({}):
            there = f"; there are {', '.join(names)}" if names else ", nor of any other; start its nodes first"
            raise NotFound(f"this store has never heard of {what} {kind!r}{there}")

    if kind:
        session.run(look)
