"""Cancels a run, so that nobody carries it on, or has this process carry it on."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.errors import InvalidMessage
from runtime.operate.run import RunEnded
from runtime.operate.runs import cancel, run_view
from runtime.page.desk import PageDesk
from runtime.page.forms import FormRefused, FormShape
from runtime.page.runs.listing import RUN
from runtime.page.runs.saying import run_link
from runtime.page.screen import Screen
from runtime.protos.saga_pb2 import RunCancelled

__all__ = ["STEER_FORM", "steering"]

STEER_FORM = FormShape(names=frozenset(("kind", "name", "do", "who", "reason", "seal")))


async def steering(desk: PageDesk, fields: Mapping[str, str]) -> Screen:
    """Raises FormRefused, InvalidMessage without who and why, RunEnded, NotFound, Overloaded, and StoreError."""
    acting = desk.must_act()
    kind, name = fields.get("kind", ""), fields.get("name", "")
    if not acting.seal.fits(fields.get("seal", ""), RUN, {"kind": kind, "name": name}):
        raise FormRefused(
            "this form was not drawn so by the process that serves the page now. Nothing was done: open the operation "
            "again, and act from there"
        )
    match fields.get("do", ""):
        case "cancel":
            said = RunCancelled(
                who=fields.get("who", "").strip(), reason=fields.get("reason", "").strip(), at_s=acting.clock.now_s()
            )
            async with acting.store() as store:
                await cancel(store, kind, name, said)
        case "resume":
            async with desk.view() as view:
                run = await run_view(view, kind, name)
            if run.cancelled or not run.left:
                raise RunEnded(f"the run {name!r} has ended: {run.cancelled or 'nothing of it is left'}")
            acting.runs.carry(kind, name)
        case _:
            raise InvalidMessage("say whether the operation is cancelled or resumed")
    return Screen("operations", "Done", elsewhere=run_link(kind, name))
