"""Where the page is reached: an HTTP server on the loopback, or anywhere if it knows its operators."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.errors import InvalidSettings
from runtime.gateway.http_server import HttpServer
from runtime.gateway.operators.authenticator import Authenticator
from runtime.page.app import PageApp
from runtime.page.desk import PageDesk
from runtime.ports import Ports
from runtime.text_rules import is_own

__all__ = ["PageServer"]


class PageServer:
    """`start` it once, `close` it once."""

    def __init__(
        self,
        desk: PageDesk,
        listen: str,
        ports: Ports,
        *,
        authenticator: Authenticator | None = None,
        hosts: Sequence[str] = (),
    ) -> None:
        """Raises InvalidSettings for what is no address, and for one beyond this machine if the page asks nobody."""
        try:
            is_reached_here_alone = is_own(listen)
        except ValueError as error:
            raise InvalidSettings(f"the page cannot listen on {listen!r}: {error}") from error
        if not is_reached_here_alone and (authenticator is None or not hosts):
            raise InvalidSettings(
                f"the page cannot listen on {listen!r}: it asks nobody who he is, so it is offered on the loopback "
                "alone, such as 127.0.0.1:7680. Reach it from elsewhere by a tunnel: ssh -L 7680:127.0.0.1:7680 HOST. "
                "Or name those who may come in, and the names by which they reach it: --operators FILE --host NAME"
            )
        self._app = PageApp(desk, ports, authenticator=authenticator, hosts=hosts)
        self._server = HttpServer(self._app.asgi, listen, ports.tasks)

    @property
    def url(self) -> str:
        """Once it was started."""
        return f"http://{self._server.address}/"

    async def start(self) -> None:
        """Listen. Raises AddressInUse, InvalidSettings."""
        await self._server.start()

    async def close(self, grace_s: float) -> None:
        """End what browsers are told, and take no more requests; those that run have `grace_s` seconds to end.

        What is left of operations that go on here can be resumed.
        """
        await self._app.close()
        await self._server.close(grace_s)
