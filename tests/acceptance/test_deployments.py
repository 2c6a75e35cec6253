"""What the files of deploy/ start serves orders, answers their probes, and drains in the time that they give."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos.sales_pb2 import CANCELLED, CHOREOGRAPHY, READY_TO_SHIP
from runtime.testing.processes.harness import Harness, NodeProcess
from runtime.testing.processes.port import reserved_port
from tests.acceptance.deployments import DEPLOY, ROOT, Launch, compose, kubernetes, lay_out, systemd
from tests.acceptance.paths import BACK_ORDERED
from tests.acceptance.shop import NODE, SERVICES, NodeShop
from tests.acceptance.test_held_nodes import COMMAND, Repairer, mail, put

pytestmark = pytest.mark.timeout(240)

HEALTH = DEPLOY / "health.py"
# Only what is installed, and what the image copies, is found: not this checkout.
INSTALLED = {"PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])), "PYTHONPATH": ""}
SERVING = health_pb2.HealthCheckResponse.SERVING


def begin(harness: Harness, launch: Launch) -> NodeProcess:
    """Start a node as its file says."""
    node = NodeProcess(launch.name, launch.command, harness.directory, {**launch.env, **INSTALLED})
    node.launch()
    node.address = launch.env["AMENDS_LISTEN"]
    harness.nodes[launch.name] = node
    return node


async def is_probed(launch: Launch) -> bool:
    """Whether all gRPC probes succeed. The kubelet asks for the empty service unless a probe names one."""
    async with grpc.aio.insecure_channel(launch.env["AMENDS_LISTEN"]) as channel:
        for probe in launch.probes:
            request = health_pb2.HealthCheckRequest(service=probe["grpc"].get("service", ""))
            try:
                answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=probe["timeoutSeconds"])
            except grpc.aio.AioRpcError:
                return False
            if answer.status != SERVING:
                return False
    return True


async def serves(harness: Harness, launch: Launch) -> None:
    """Wait until the node is healthy, asked as its file says."""
    health = launch.health or ("python", str(HEALTH))

    async def asked() -> bool:
        if launch.probes:
            return await is_probed(launch)
        return (await harness.run(health, env={**launch.env, **INSTALLED})).code == 0

    await harness.eventually(asked, timeout_s=60, what=f"{launch.name} is healthy", every_s=0.1)


async def serve_orders_and_drain(folder: Path, launches: Sequence[Launch], store_url: str) -> None:
    """All nodes of a deployment start, do what orders need, and end with 0 within their time on SIGTERM."""
    lay_out(folder)
    ports = [reserved_port() for _ in launches]
    local = [one.on_loopback(port.getsockname()[1], store_url) for one, port in zip(launches, ports, strict=True)]
    async with Harness(command=NODE, directory=folder, store_url=store_url) as harness:
        shop = NodeShop(harness)
        nodes = [begin(harness, launch) for launch in local]
        for launch in local:
            await serves(harness, launch)
        await shop.restock()
        assert (await shop.place("ORD-1", wait=True)).status == READY_TO_SHIP
        assert (await shop.place("ORD-2", sku=BACK_ORDERED, flow=CHOREOGRAPHY, wait=True)).status == CANCELLED
        await shop.close()
        codes = await asyncio.gather(*(node.stop(launch.grace_s) for node, launch in zip(nodes, local, strict=True)))
        assert codes == [0] * len(nodes)
        assert [node.log_records()[-1]["event"] for node in nodes] == ["node stopped"] * len(nodes)
    for port in ports:
        port.close()


async def test_the_deployments_of_kubernetes_serve_orders_and_drain(tmp_path: Path, postgres_url: str) -> None:
    launches = [kubernetes(service, {"url": postgres_url}, f"{service}-5d9f8-x2v4t") for service in SERVICES]
    await serve_orders_and_drain(tmp_path, launches, postgres_url)


async def test_the_containers_of_compose_serve_orders_and_drain(tmp_path: Path, postgres_url: str) -> None:
    launches = [compose(service, {"DATABASE_PASSWORD": "0123456789abcdef"}) for service in SERVICES]
    assert {one.env["AMENDS_STORE"] for one in launches} == {"postgresql://amends:0123456789abcdef@database/orders"}
    await serve_orders_and_drain(tmp_path, launches, postgres_url)


async def test_a_node_of_the_systemd_unit_reads_its_password_from_a_file_serves_and_drains(
    tmp_path: Path, postgres_url: str
) -> None:
    user, _, rest = postgres_url.removeprefix("postgresql://").partition(":")
    password, _, place = rest.partition("@")
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:{user}:{password}\n", encoding="utf-8")
    passfile.chmod(0o600)
    told = systemd("billing", "machine")
    assert "passfile=/etc/amends/pgpass" in told.env["AMENDS_STORE"] and told.name == "machine-billing"
    lay_out(tmp_path)
    with reserved_port() as port:
        launch = told.on_loopback(port.getsockname()[1], f"postgresql://{user}@{place}?passfile={passfile}")
        async with Harness(command=NODE, directory=tmp_path, store_url=postgres_url) as harness:
            node = begin(harness, launch)
            await serves(harness, launch)
            assert password not in Path(f"/proc/{node.pid}/cmdline").read_text() + node.output()
            assert await node.stop(launch.grace_s) == 0


async def test_services_called_amends_are_told_and_change_nothing_where_links_are_on(tmp_path: Path) -> None:
    """As a pod without enableServiceLinks: false gets them, from Services amends, amends-store and amends-listen."""
    linked: dict[str, str] = {}
    for service in ("AMENDS", "AMENDS_STORE", "AMENDS_LISTEN"):
        linked |= {
            f"{service}_SERVICE_HOST": "10.0.0.1",
            f"{service}_SERVICE_PORT": "7650",
            f"{service}_SERVICE_PORT_GRPC": "7650",
            f"{service}_PORT": "tcp://10.0.0.1:7650",
            f"{service}_PORT_7650_TCP": "tcp://10.0.0.1:7650",
            f"{service}_PORT_7650_TCP_PROTO": "tcp",
            f"{service}_PORT_7650_TCP_PORT": "7650",
            f"{service}_PORT_7650_TCP_ADDR": "10.0.0.1",
        }
    async with Harness(command=NODE, directory=tmp_path, env=linked) as harness:
        node = await harness.start("all")
        (warned,) = [one for one in node.log_records() if "no settings" in one["event"]]
        assert warned["variables"] == sorted(linked)
        assert await node.stop() == 0


async def test_a_wrong_setting_ends_with_the_code_that_is_not_started_again(tmp_path: Path) -> None:
    async with Harness(command=NODE, directory=tmp_path) as harness:
        ended = await harness.run_node("billing", settings={"drain_s": "long"})
    assert ended.code == 64
    assert "drain_s='long' (environment) is wrong" in ended.output


async def said_of(harness: Harness, address: str) -> str:
    """What the health command says of a node that does not serve."""
    asked = await harness.run((sys.executable, str(HEALTH), address, "--within", "1"), env={"PYTHONPATH": str(ROOT)})
    assert asked.code == 1, asked.output
    return asked.output


async def test_the_health_command_tells_a_blocked_loop_from_a_frozen_process_and_a_dead_one(tmp_path: Path) -> None:
    async with Harness(command=COMMAND, directory=tmp_path) as harness:
        node = await harness.start("one")
        healthy = await harness.run((sys.executable, str(HEALTH), node.address))
        assert (healthy.code, healthy.output) == (0, "SERVING\n")
        await put(harness, mail(1, "BLOCKS", "block"))

        async def is_blocked() -> bool:
            asked = await harness.run((sys.executable, str(HEALTH), node.address, "--within", "1"))
            return asked.code == 1 and "its event loop is blocked, or it is frozen" in asked.output

        await harness.eventually(is_blocked, timeout_s=60, what="a blocked loop answers nobody", every_s=0.05)
        Path(tmp_path, "go-on").touch()

        async def answers_again() -> bool:
            return (await harness.run((sys.executable, str(HEALTH), node.address))).code == 0

        await harness.eventually(answers_again, timeout_s=60, what="it serves again", every_s=0.05)
        node.freeze()
        assert "its event loop is blocked, or it is frozen" in await said_of(harness, node.address)
        node.kill()
        assert "nobody listens" in await said_of(harness, node.address)


async def test_the_health_command_tells_a_node_that_drains(tmp_path: Path) -> None:
    async with Harness(command=COMMAND, directory=tmp_path, settings={"drain_s": 30}) as harness:
        node = await harness.start("one")
        await put(harness, mail(1, "WAITS", "wait"))
        await Repairer(harness).until("WAITS", "has been running on node one for ")
        os.kill(node.pid, signal.SIGTERM)
        await harness.eventually(
            lambda: any(one["event"] == "node was told to stop" for one in node.log_records()),
            timeout_s=30,
            what="it was told to stop",
        )
        assert "NOT_SERVING: it starts, or it drains" in await said_of(harness, node.address)
        node.kill()
