"""Who looks at the page, where it knows its operators: by a token, by a proxy, or by having signed in with a token.

    request ──▶ Door ──a token, or a name from a proxy──▶ Authenticator ──▶ Operator ──▶ the screens
                  └──the cookie of a session──▶ its token's digest ──▶ "
                  └──nobody──▶ the screen to sign in

A session keeps no right of its own: each request looks the operator up again. So a token that is taken back ends what
was signed in by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.gateway.operators.authenticator import Authenticator, CannotTell, NotKnown
from runtime.gateway.operators.operator import Operator, digest_of
from runtime.page.forms import FormShape, read_form
from runtime.page.links import link
from runtime.page.screen import Screen
from runtime.ports import Ports

__all__ = ["SIGN_IN", "SIGN_OUT", "Door", "SignIn", "operator_of"]

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
_COOKIE = "amends-session"
_SESSIONS_MAX = 1000
_SESSION_S = 12 * 3600.0
_FORM = FormShape(names=frozenset(("token", "to")))
_FOR_ALL = ("/livez", SIGN_IN)
_STATIC = "/static/"
_OPERATOR = "amends.operator"  # in the scope of a request


@dataclass(slots=True)
class _Sessions:
    """Digests of tokens by session; the oldest sessions make room for new ones."""

    ports: Ports
    kept: dict[str, tuple[str, float]] = field(default_factory=dict)

    def begin(self, digest: str) -> str:
        session = (self.ports.ids.new_id() + self.ports.ids.new_id()).hex()
        while len(self.kept) >= _SESSIONS_MAX:
            del self.kept[next(iter(self.kept))]
        self.kept[session] = (digest, self.ports.clock.monotonic_s() + _SESSION_S)
        return session

    def digest(self, session: str) -> str:
        """Empty of a session that is over, or that never was."""
        digest, until_s = self.kept.get(session, ("", 0.0))
        return digest if self.ports.clock.monotonic_s() < until_s else ""

    def end(self, session: str) -> None:
        self.kept.pop(session, None)


class SignIn:
    """Knows operators by what their requests say, and by sessions."""

    def __init__(self, authenticator: Authenticator, ports: Ports) -> None:
        self._authenticator = authenticator
        self._sessions = _Sessions(ports)

    def who(self, headers: Mapping[str, str], cookies: Mapping[str, str], *, from_loopback: bool) -> Operator:
        """Raises NotKnown, and CannotTell while the file of operators cannot be used."""
        if digest := self._sessions.digest(cookies.get(_COOKIE, "")):
            return self._authenticator.of_digest(digest)
        return self._authenticator.of(lambda name: headers.get(name, ""), from_loopback=from_loopback)

    async def take(self, request: Request) -> Response | Screen:
        """The form with a token: a session, or the same form again. Raises InvalidMessage, CannotTell."""
        fields = await read_form(request, _FORM)
        token, to = fields.get("token", "").strip(), _own_address(fields.get("to", ""))
        try:
            digest = digest_of(token)
            self._authenticator.of_digest(digest)
        except NotKnown as error:
            return screen(to, str(error))
        answer = RedirectResponse(to, 303)
        is_secure = request.headers.get("origin", "").startswith("https:")
        session, age_s = self._sessions.begin(digest), int(_SESSION_S)
        answer.set_cookie(_COOKIE, session, max_age=age_s, httponly=True, samesite="strict", secure=is_secure)
        return answer

    def leave(self, request: Request) -> Response:
        self._sessions.end(request.cookies.get(_COOKIE, ""))
        answer = RedirectResponse(SIGN_IN, 303)
        answer.delete_cookie(_COOKIE, httponly=True, samesite="strict")
        return answer


def screen(to: str, trouble: str = "") -> Screen:
    """Asks for a token; `to` is the address that was asked for."""
    values = {"to": _own_address(to), "trouble": trouble}
    return Screen("sign_in", "Sign in", still=("form",), values=values, status=403 if trouble else 200)


def _own_address(to: str) -> str:
    """An address of the page itself: a browser takes // and /\\ for another host."""
    return to if to.startswith("/") and to[1:2] not in ("/", "\\") and to.isprintable() else "/"


def operator_of(scope: Scope) -> Operator | None:
    """Who makes this request; None on a page that asks nobody."""
    found: Operator | None = scope.get(_OPERATOR)
    return found


class Door:
    """Around an application. Nobody but an operator gets further than to what stands outside."""

    def __init__(self, app: ASGIApp, sign_in: SignIn) -> None:
        self._app = app
        self._sign_in = sign_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_for_all(scope):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            found = self._sign_in.who(_joined(request.headers), request.cookies, from_loopback=_is_loopback(request))
        except NotKnown as error:
            await _refusal(request, str(error))(scope, receive, send)
        except CannotTell as error:
            await PlainTextResponse(f"{error}\n", 503)(scope, receive, send)
        else:
            await self._app({**scope, _OPERATOR: found}, receive, send)


def _is_for_all(scope: Scope) -> bool:
    """By the path as it was sent, by which the application chooses its route as well."""
    path = scope["raw_path"].decode("latin-1")
    return path in _FOR_ALL or path.startswith(_STATIC)


def _refusal(request: Request, why: str) -> Response:
    """A person who opens a screen is asked to sign in; a part of a screen, a form and a program are told why."""
    wants_screen = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")
    if wants_screen and "hx-request" not in request.headers:
        query = request.scope["query_string"].decode("latin-1")
        path = request.scope["raw_path"].decode("latin-1")
        return RedirectResponse(link(SIGN_IN, {"to": f"{path}?{query}" if query else path}), 303)
    return PlainTextResponse(f"{why}\n", 401, {"WWW-Authenticate": "Bearer"})


def _joined(headers: Headers) -> Mapping[str, str]:
    """One that was sent twice is joined: it names nobody then."""
    return {name: ",".join(headers.getlist(name)) for name in headers}


def _is_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
