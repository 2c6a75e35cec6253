"""From a form that has come to what is done, and to the screen that answers it."""

from __future__ import annotations

from starlette.requests import Request

from runtime.operate.dead_letters import NotFound
from runtime.page.acts.doing import doing
from runtime.page.acts.drafted import ACT_FORM
from runtime.page.desk import PageDesk
from runtime.page.forms import read_form
from runtime.page.screen import Screen

__all__ = ["take_form"]


async def take_form(desk: PageDesk, request: Request) -> Screen:
    """Raises FormRefused, InvalidMessage, NotFound, ActRefused and StoreError, each with the text for people."""
    desk.must_act()
    match request.path_params["what"]:
        case "act":
            return await doing(desk, await read_form(request, ACT_FORM))
        case _:
            raise NotFound("the page takes no such form; begin with the overview")
