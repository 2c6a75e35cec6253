"""A node offers the desk only where it is told to, and imports it only then."""

from __future__ import annotations

import subprocess
import sys

from actors.catalogue import catalogue
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.gateway.desk.on_node import NodeDesk
from runtime.ports import Fact
from runtime.store.memory import MemoryStore

_TOLD = """
import sys
import runtime.host
print(*sorted(one for one in sys.modules if one.startswith(("runtime.gateway.desk.", "runtime.protos.admin"))))
"""


def test_a_node_that_offers_no_desk_imports_none_of_it() -> None:
    told = subprocess.run([sys.executable, "-c", _TOLD], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["runtime.gateway.desk.on_node"]


async def test_a_node_that_is_told_an_address_serves_the_desk_there() -> None:
    facts: list[Fact] = []
    ports = system_ports(report=facts.append)
    settings = Settings(admin_listen="127.0.0.1:0")
    desk = NodeDesk(settings, MemoryStore(ports), catalogue(), ports)
    await desk.start()
    try:
        (served,) = facts
        assert "127.0.0.1:" in str(served)
    finally:
        await desk.close(0.0)
