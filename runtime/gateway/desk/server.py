"""Where the desk is reached: a gRPC server of its own, on the loopback unless somebody has said otherwise.

Without an authenticator it asks nobody who he is, so whoever reaches the address may do what it offers. So acts are
offered beyond this machine only with one.
"""

from __future__ import annotations

import grpc_health.v1.health_pb2_grpc as health_grpc
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse

from runtime.errors import InvalidSettings
from runtime.gateway.desk.known import RepairDesk
from runtime.gateway.desk.rights import Callers, RightsInterceptor
from runtime.gateway.desk.service import DeskService
from runtime.gateway.interceptors import EdgeInterceptor
from runtime.gateway.operators.authenticator import Authenticator
from runtime.gateway.server import GrpcServer
from runtime.ports import Ports
from runtime.protos import admin_pb2_grpc
from runtime.text_rules import check_reach, is_own

__all__ = ["DeskServer"]


class DeskServer:
    """`start` it once, `close` it once. It reads only, unless acts are allowed."""

    def __init__(
        self,
        desk: RepairDesk,
        listen: str,
        ports: Ports,
        *,
        allow_acts: bool = False,
        anywhere: bool = False,
        authenticator: Authenticator | None = None,
    ) -> None:
        """Raises InvalidSettings for an address beyond this machine, unless `anywhere` says that this is meant."""
        try:
            check_reach(listen, anywhere=anywhere)
        except ValueError as error:
            raise InvalidSettings(f"the admin service cannot listen on {listen!r}: {error}") from error
        if allow_acts and authenticator is None and not is_own(listen):
            raise InvalidSettings(
                f"the admin service offers no acts on {listen!r} to callers whom it does not know: name a file of "
                "operators (--operators FILE, or admin_operators of a node), or have it listen on the loopback"
            )
        self._callers = Callers(allow_acts=allow_acts, authenticator=authenticator)
        interceptors = [EdgeInterceptor(ports), RightsInterceptor(self._callers)]
        self._server = GrpcServer(listen, ports, interceptors=interceptors)
        self._health = health.HealthServicer()
        self._service = DeskService(desk, self._callers)

    @property
    def address(self) -> str:
        """host:port, once it was started."""
        return self._server.address

    async def start(self) -> None:
        """Listen. Raises AddressInUse, InvalidSettings."""
        health_grpc.add_HealthServicer_to_server(self._health, self._server.grpc)
        admin_pb2_grpc.add_AdminServiceServicer_to_server(self._service, self._server.grpc)
        await self._health.set("", HealthCheckResponse.SERVING)
        await self._server.start()

    async def close(self, grace_s: float) -> None:
        """Take no more calls; those that run have `grace_s` seconds to end by themselves."""
        await self._health.set("", HealthCheckResponse.NOT_SERVING)
        self._service.end_streams()
        await self._server.close(grace_s)
