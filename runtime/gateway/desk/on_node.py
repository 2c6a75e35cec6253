"""The desk of a node: served at `admin_listen`, and nowhere when that is empty."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.config import Settings
from runtime.ports import Fact, Ports
from runtime.saga.catalogue import Catalogue
from runtime.store.port import OperatorStore

if TYPE_CHECKING:
    from runtime.gateway.desk.server import DeskServer

__all__ = ["AdminServed", "NodeDesk"]


@dataclass(frozen=True, slots=True)
class AdminServed(Fact):
    """Operators' programs can call AdminService here."""

    address: str
    acts: str  # "allow" or "deny"


class NodeDesk:
    """`start` it once, and `close` it whether or not it has started."""

    def __init__(self, settings: Settings, store: OperatorStore, catalogue: Catalogue, ports: Ports) -> None:
        self._settings, self._ports = settings, ports
        self._server: DeskServer | None = None
        if settings.admin_listen:
            self._server = _server(settings, store, catalogue, ports)

    async def start(self) -> None:
        """Listen, if it is told where. Raises AddressInUse, InvalidSettings."""
        if self._server is not None:
            await self._server.start()
            self._ports.report(AdminServed(self._server.address, self._settings.admin_acts))

    async def close(self, grace_s: float) -> None:
        if self._server is not None:
            await self._server.close(grace_s)


def _server(settings: Settings, store: OperatorStore, catalogue: Catalogue, ports: Ports) -> DeskServer:
    """Raises InvalidSettings.

    Imports what it needs: a node that offers no desk starts without all that operators read and do.
    """
    from runtime.gateway.desk.known import RepairDesk
    from runtime.gateway.desk.server import DeskServer
    from runtime.gateway.operators.authenticator import Authenticator

    operators, header = settings.admin_operators, settings.admin_proxy_header
    return DeskServer(
        RepairDesk.of(store, catalogue, ports.clock),
        settings.admin_listen,
        ports,
        allow_acts=settings.admin_acts == "allow",
        anywhere=settings.admin_reach == "any",
        authenticator=Authenticator(Path(operators), ports, proxy_header=header) if operators else None,
    )
