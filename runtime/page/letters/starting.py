"""A run over the dead letters that were chosen: kept in the store, and carried on by this process."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.operate import letter_runs
from runtime.page.desk import PageDesk
from runtime.page.forms import FormRefused, FormShape
from runtime.page.letters.choosing import ACTS, CHOSEN, sealed
from runtime.page.letters.listing import item_of
from runtime.page.runs.saying import SAID, check_count, is_known, run_link
from runtime.page.screen import Screen
from runtime.protos.saga_pb2 import LetterRun

__all__ = ["START_FORM", "starting"]

_SEALED = ("act", "name", "chosen_by", "items")
START_FORM = FormShape(names=frozenset((*_SEALED, *SAID, "force", "seal")), lines=frozenset(("items",)))


async def starting(desk: PageDesk, fields: Mapping[str, str]) -> Screen:
    """Raises FormRefused, InvalidMessage without who or why or with a wrong count, and StoreError."""
    acting = desk.must_act()
    settled = sealed(*(fields.get(name, "") for name in _SEALED))
    if not acting.seal.fits(fields.get("seal", ""), CHOSEN, settled):
        raise FormRefused(
            "this form was not drawn so by the process that serves the page now. Nothing was done: open the list of "
            "dead letters again, and choose there"
        )
    places = [item_of(text) for text in settled["items"].split("\n")]
    check_count(fields, len(places))
    run = LetterRun(
        act=ACTS[settled["act"]],
        who=fields.get("who", "").strip(),
        reason=fields.get("reason", "").strip(),
        forced=fields.get("force") == "yes",
        chosen_by=settled["chosen_by"],
    )
    name = settled["name"]
    async with acting.store() as store:
        if not await is_known(store, letter_runs.KIND, name):  # as after the same form was sent before
            await letter_runs.begin(store, name, run, places, now_s=acting.clock.now_s())
    acting.runs.carry(letter_runs.KIND, name)
    return Screen("letters", "Begun", elsewhere=run_link(letter_runs.KIND, name))
