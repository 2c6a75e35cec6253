"""The page as an application of ASGI: its addresses, and errors as pages that say what is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.errors import AmendsError, InvalidMessage, MessageTooLarge, Overloaded
from runtime.gateway.operators.authenticator import Authenticator, CannotTell, NotKnown
from runtime.gateway.operators.operator import Operator
from runtime.operate.act_refused import ActRefused
from runtime.operate.dead_letters import NotFound
from runtime.operate.run import RunEnded, RunMoved
from runtime.page.desk import PageDesk
from runtime.page.drawing import Drawing
from runtime.page.forms import FormRefused
from runtime.page.guard import Guard
from runtime.page.links import read_address
from runtime.page.live import LiveReader, Look, ScreenFailed
from runtime.page.posting import take_form
from runtime.page.screen import Download, Screen
from runtime.page.screens import read_screen
from runtime.page.shared import SharedScreens
from runtime.page.sign_in import SIGN_IN, SIGN_OUT, Door, SignIn, operator_of
from runtime.page.sign_in import screen as sign_in_screen
from runtime.page.store_metrics import metrics_route
from runtime.ports import Ports

__all__ = ["STATIC", "PageApp"]

STATIC = Path(__file__).parent / "static"


class PageApp:
    """`asgi` is what a server runs; `reader` is to be closed before the server can end."""

    def __init__(
        self, desk: PageDesk, ports: Ports, *, authenticator: Authenticator | None = None, hosts: Sequence[str] = ()
    ) -> None:
        """Without an authenticator it asks nobody who he is. `hosts` are names by which others reach it."""
        self._desk = desk
        self._ports = ports
        self._sign_in = SignIn(authenticator, ports) if authenticator else None
        self._drawing = Drawing(desk.name, acts=desk.acting is not None)
        self._shared = SharedScreens(self._drawing)
        self.reader = LiveReader(self._looking, ports)
        self.asgi = Starlette(
            routes=[
                Route("/livez", _livez),
                metrics_route(desk, ports),
                Route("/live", self._live),
                Route("/part", self._part),
                Mount("/static", StaticFiles(directory=STATIC)),
                Route(SIGN_IN, self._sign, methods=["GET", "POST"]),
                Route(SIGN_OUT, self._leave, methods=["POST"]),
                Route("/do/{what}", self._form, methods=["POST"]),
                Route("/{rest:path}", self._screen),
            ],
            middleware=[
                Middleware(Guard, hosts=[one.lower() for one in hosts]),
                *([Middleware(Door, sign_in=self._sign_in)] if self._sign_in else []),
                Middleware(_AsSent),
            ],
            exception_handlers={HTTPException: self._refused, AmendsError: self._failed, Exception: self._broken},
        )

    async def close(self) -> None:
        """End what browsers are told, and what goes on here. What is left of operations can be resumed."""
        self.reader.close()
        if self._desk.acting is not None:
            await self._desk.acting.runs.close()

    async def _screen(self, request: Request) -> Response:
        here = _address(request)
        screen = await read_screen(self._desk_of(request), read_address(here))
        if screen.elsewhere:
            return RedirectResponse(screen.elsewhere, 303)
        if screen.download is not None:
            return _file(screen.download)
        return self._drawn(screen, here, operator_of(request.scope))

    def _desk_of(self, request: Request) -> PageDesk:
        """Of whoever makes the request. Raises NotKnown for nobody, who does not come so far."""
        operator = operator_of(request.scope)
        if self._sign_in is not None and operator is None:
            raise NotKnown("sign in first")
        return self._desk.of(operator)

    async def _form(self, request: Request) -> Response:
        """An act is answered by the address of what came of it, so that nothing is sent again when that is reloaded."""
        operator = operator_of(request.scope)
        screen = await take_form(self._desk_of(request), request)
        if screen.elsewhere:
            return RedirectResponse(screen.elsewhere, 303)
        return self._drawn(screen, "/", operator)

    async def _sign(self, request: Request) -> Response:
        if self._sign_in is None:
            raise NotFound("this page asks nobody who he is; begin with the overview")
        if request.method != "POST":
            return self._drawn(sign_in_screen(request.query_params.get("to", "/")), "/", is_outside=True)
        taken = await self._sign_in.take(request)
        return taken if isinstance(taken, Response) else self._drawn(taken, "/", is_outside=True)

    async def _leave(self, request: Request) -> Response:
        if self._sign_in is None:
            raise NotFound("this page asks nobody who he is; begin with the overview")
        return self._sign_in.leave(request)

    async def _live(self, request: Request) -> Response:
        address = request.query_params.get("of", "")
        pairs = (one.partition(".") for one in request.query_params.get("seen", "").split(",") if one)
        viewer = self.reader.look(address, {part: mark for part, _, mark in pairs})

        async def events() -> AsyncIterator[str]:
            try:
                async for text in viewer.events():
                    yield text
            finally:
                self.reader.leave(viewer)
                self._shared.keep_only(self.reader.addresses)

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _part(self, request: Request) -> Response:
        """What a browser fetches when it was told that a part has changed."""
        address, name = (request.query_params.get(one, "") for one in ("of", "name"))
        return HTMLResponse(await self._shared.part(self._desk_of(request), address, name))

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[Look]:
        """The store is opened once for all addresses that are looked at. Raises AmendsError."""
        async with self._desk.view() as store:
            yield partial(self._shared.look, self._desk.over(store))

    def _drawn(
        self, screen: Screen, here: str, operator: Operator | None = None, *, is_outside: bool = False
    ) -> Response:
        who = operator.name if operator else ""
        return HTMLResponse(self._drawing.page(screen, here, who=who, is_outside=is_outside), screen.status)

    def _told(self, status: int, title: str, text: str) -> Response:
        values = {"title": title, "text": text}
        return self._drawn(Screen("error", title, still=("told",), values=values, status=status), "/")

    async def _failed(self, request: Request, error: Exception) -> Response:
        if isinstance(error, NotFound):
            return self._told(404, "There is nothing here", str(error))
        if isinstance(error, MessageTooLarge):
            return self._told(413, "This is too much at once", str(error))
        if isinstance(error, InvalidMessage):
            is_form = request.method == "POST"
            return self._told(400, "Nothing was done" if is_form else "This address means nothing", str(error))
        if isinstance(error, FormRefused | NotKnown):
            return self._told(403, "Nothing was done", str(error))
        if isinstance(error, CannotTell):
            return PlainTextResponse(f"{error}\n", 503)
        if isinstance(error, ActRefused | RunEnded | RunMoved):
            return self._told(409, "Refused: nothing was done", str(error))
        if isinstance(error, Overloaded):
            return PlainTextResponse(f"{error}\n", 503)
        return self._told(503, "The store cannot be read now", str(error))

    async def _refused(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return PlainTextResponse(f"{getattr(error, 'detail', error)}\n", status)

    async def _broken(self, request: Request, error: Exception) -> Response:
        self._ports.report(ScreenFailed(_address(request), repr(error)))
        return self._told(500, "This screen cannot be made", f"It is a fault of the page: {error!r}")


class _AsSent:
    """Routes are chosen by the path as it was sent: no route fits a key with a line break in it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["raw_path"].decode("latin-1")}
        await self._app(scope, receive, send)


def _address(request: Request) -> str:
    """Path and query as the browser has sent them."""
    path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else str(path)


def _file(saved: Download) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{saved.name}"'}
    return Response(saved.data, media_type=saved.media_type, headers=headers)


async def _livez(request: Request) -> Response:
    """It answers while the event loop turns, and never looks at the store."""
    return PlainTextResponse("ok\n")
