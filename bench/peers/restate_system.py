"""Restate: its server, one process with all services, and a customer who calls the server's ingress."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

import httpx

from bench.peers.environment import pinned, python_of, restate_server
from bench.peers.system import DurableSystem

__all__ = ["LocalRestateSystem", "RestateSystem"]

_CALL_S = 60.0
_UNDER_WAY = (
    "select count(*) as n from sys_invocation where target_service_name like '%OrderProcess' and status <> 'completed'"
)


class RestateSystem(DurableSystem):
    """The server keeps its defaults: a log of its own, flushed before anything is acknowledged, in 24 partitions."""

    name = "restate"

    def __init__(self, server: str = "") -> None:
        self._program = restate_server(server)
        self._python = python_of("restate")
        super().__init__()
        self._services_file = str(self.directory / "services.db")
        self._is_registered = False

    @property
    def versions(self) -> dict[str, str]:
        told = subprocess.run([self._program, "--version"], capture_output=True, text=True, check=True).stdout
        return {"restate-sdk": pinned("restate.txt")["restate-sdk"], "restate-server": told.split()[-1]}

    async def serve(self) -> None:
        own = {
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_BIND_ADDRESS": self.address("node"),
            "RESTATE_ADVERTISED_ADDRESS": f"http://{self.address('node')}/",
            "RESTATE_INGRESS__BIND_ADDRESS": self.address("ingress"),
            "RESTATE_ADMIN__BIND_ADDRESS": self.address("admin"),
            "RESTATE_NODE_NAME": "bench",
        }
        command = [str(self._program), "--no-logo", "--base-dir", str(self.directory / "restate")]
        server = self.launch("server", command, own)
        await self.until("its ports answer", server, self._is_healthy)

    async def work(self) -> None:
        port = self.address("services").rpartition(":")[2]
        command = [str(self._python), "-m", "bench.peers.restate_services", port, self._services_file]
        services = self.launch("services", command)
        await self.until_it_says("Running on", services)
        if not self._is_registered:
            async with httpx.AsyncClient(timeout=_CALL_S) as http:
                uri = {"uri": f"http://{self.address('services')}"}
                (await http.post(f"http://{self.address('admin')}/deployments", json=uri)).raise_for_status()
            self._is_registered = True

    async def under_way(self) -> int:
        counted: list[int] = []

        async def answers() -> bool:
            """A server that has just started answers once its partitions are open."""
            async with httpx.AsyncClient(timeout=_CALL_S, headers={"accept": "application/json"}) as http:
                answer = await http.post(f"http://{self.address('admin')}/query", json={"query": _UNDER_WAY})
            if answer.is_success:
                counted.append(int(json.loads(answer.text)["rows"][0]["n"]))
            return answer.is_success

        await self.until("its invocations can be counted", self.process("server"), answers)
        return counted[0]

    def customer_command(self) -> Sequence[str]:
        return [str(self._python), "-m", "bench.peers.restate_customer", f"http://{self.address('ingress')}"]

    async def _is_healthy(self) -> bool:
        try:
            async with httpx.AsyncClient(timeout=_CALL_S) as http:
                asked = (f"http://{self.address('admin')}/health", f"http://{self.address('ingress')}/restate/health")
                return all([(await http.get(url)).status_code == httpx.codes.OK for url in asked])
        except httpx.TransportError:
            return False


class LocalRestateSystem(RestateSystem):
    """The same with each act as a side effect of the process, by services in its own program with a file of theirs."""

    name = "restate-local"

    def customer_command(self) -> Sequence[str]:
        return [*super().customer_command(), self._services_file]
