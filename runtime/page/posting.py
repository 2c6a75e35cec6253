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
from runtime.page.screen import Screen

__all__ = ["take_form"]


async def take_form(desk: PageDesk, request: Request) -> Screen:
    """Raises FormRefused, InvalidMessage, NotFound, ActRefused and StoreError, each with the text for people."""
    acting = desk.must_act()

    async def fields(shape: FormShape) -> Mapping[str, str]:
        found = await read_form(request, shape)
        return {**found, "who": acts_as(acting.operator, found.get("who", ""))} if acting.operator else found

    match request.path_params["what"]:
        case "act":
            return await doing(desk, await fields(ACT_FORM))
        case _:
            raise NotFound("the page takes no such form; begin with the overview")
