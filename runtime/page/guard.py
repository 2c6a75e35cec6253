"""What holds for every answer: headers that keep a browser to this page alone, and a refusal of what is foreign.

A name that some page of the internet has made lead to this machine would let that page read what is here (DNS
rebinding). So only names of the loopback are answered, and those that were declared when the page was started. A form
of such a page would act in the name of whoever looks at it. So a form is only taken from this page itself, as the
browser says by `Origin` and `Sec-Fetch-Site`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CONTENT_POLICY", "Guard"]

CONTENT_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_READING = ("GET", "HEAD")
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # without any, a browser would not say where a form comes from
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Around an application. It answers requests for foreign names itself, with 421, and foreign forms with 403."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        """`hosts`: further names by which people reach the page, as through a proxy; in small letters."""
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        declared = _name_of(host) in self._hosts
        own = [f"{scheme}://{host}" for scheme in ("http", "https")] if declared else [f"{scope['scheme']}://{host}"]
        if not declared and not _is_own(host):
            text = (
                f"{host!r} is no name of this machine's loopback; ask for localhost or 127.0.0.1, or have the page "
                "started with --host\n"
            )
            await PlainTextResponse(text, 421)(scope, receive, guarded)
        elif scope["method"] not in _READING and not _is_from_here(headers, own):
            text = "only forms of this page are taken, sent by a browser that says where they come from\n"
            await PlainTextResponse(text, 403)(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)


def _is_from_here(headers: Headers, own: Sequence[str]) -> bool:
    """What it says must be right. Browsers say at least one of both with each form. A proxy may speak TLS for us."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    return (site or origin) is not None and site in (None, "same-origin") and (origin is None or origin in own)


def _name_of(host: str) -> str:
    """Without its port, in small letters."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    return name.lower()


def _is_own(host: str) -> bool:
    name = _name_of(host)
    if name == "localhost":
        return True
    try:
        return ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
