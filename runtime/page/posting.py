"""From a form that has come to what is done, and to the screen that answers it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

from runtime.gateway.operators.authenticator import acts_as
from runtime.operate.dead_letters import NotFound
from runtime.page.acts.doing import doing
from runtime.page.acts.drafted import ACT_FORM
from runtime.page.desk import PageDesk
from runtime.page.forms import FormShape, read_form
from runtime.page.letters.choosing import CHOSEN_FORM, choosing
from runtime.page.letters.starting import START_FORM, starting
from runtime.page.runs.sagas import BEGIN_FORM, SELECT_FORM, begin_repairs, preview_repairs
from runtime.page.runs.steering import STEER_FORM, steering
from runtime.page.screen import Screen

__all__ = ["take_form"]


async def take_form(desk: PageDesk, request: Request) -> Screen:
    """Raises FormRefused, InvalidMessage, NotFound, ActRefused, RunEnded, StoreError, each with the text for people."""
    acting = desk.must_act()

    async def fields(shape: FormShape) -> Mapping[str, str]:
        found = await read_form(request, shape)
        return {**found, "who": acts_as(acting.operator, found.get("who", ""))} if acting.operator else found

    match request.path_params["what"]:
        case "act":
            return await doing(desk, await fields(ACT_FORM))
        case "letters":
            return await choosing(desk, await fields(CHOSEN_FORM))
        case "letters-run":
            return await starting(desk, await fields(START_FORM))
        case "sagas":
            return await preview_repairs(desk, await fields(SELECT_FORM))
        case "sagas-run":
            return await begin_repairs(desk, await fields(BEGIN_FORM))
        case "run":
            return await steering(desk, await fields(STEER_FORM))
        case _:
            raise NotFound("the page takes no such form; begin with the overview")
