"""The front of a simulated node: peers reach it over the simulated network, and there is no gRPC server."""

from __future__ import annotations

from runtime.durable.client import Client
from runtime.errors import AmendsError
from runtime.ports import Accept, Ports, Transport
from runtime.testing.virtual.wires import SimListener, SimNetwork

__all__ = ["NodeDown", "SimFront"]


class NodeDown(AmendsError):
    """The called node is not there, or died before it answered. Nobody knows whether it carried out the call."""


class SimFront:
    """Where peers and clients reach a simulated node. Peers come over the network, and clients by `SimNode.call`."""

    def __init__(self, network: SimNetwork, address: str, ports: Ports) -> None:
        self._network = network
        self._ports = ports
        self._listener: SimListener | None = None
        self.address = address
        self.transport: Transport = network.transport(address)
        self.serves = False

    async def start(self, accept: Accept, client: Client) -> None:
        self._listener = self._network.listen(self.address, accept, self._ports.tasks)

    async def serving(self, yes: bool) -> None:
        self.serves = yes

    async def close(self, grace_s: float) -> None:
        if self._listener is not None:
            await self._listener.close(grace_s)
