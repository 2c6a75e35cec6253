"""A node has a way to its collector only if it is told of one, and says what it lacks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from actors.catalogue import catalogue
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.durable.traces.tracing import Hop
from runtime.errors import InvalidSettings
from runtime.observe.tracing.on_node import NodeTracing
from tests.tidy.source import ROOT

_TOLD = """
import sys
import runtime.host
print(*sorted(one for one in sys.modules if one.startswith(("opentelemetry", "runtime.observe.tracing.coll"))))
"""


def test_a_node_that_traces_nothing_imports_nothing_for_it_and_has_no_part_of_it() -> None:
    told = subprocess.run([sys.executable, "-c", _TOLD], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
    ports = system_ports()
    nothing = NodeTracing(Settings(), "node@1", "1", ports)
    assert [nothing.of(one) for one in catalogue().behaviours] == [None] * len(catalogue().behaviours)
    assert ports.handling.trace_of("a message") == ""


def test_a_node_that_lacks_the_extra_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "runtime.observe.tracing.collector", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(InvalidSettings, match=r"trace_endpoint needs opentelemetry.* pip install 'amends\[otel\]'"):
        NodeTracing(Settings(trace_endpoint="http://127.0.0.1:4317"), "node@1", "1", system_ports())


async def test_a_tracing_that_never_began_is_closed_at_once() -> None:
    await NodeTracing(Settings(trace_endpoint="http://127.0.0.1:4317"), "node@1", "1", system_ports()).close(5.0)


def test_the_setting_names_every_hop_that_can_begin_a_trace() -> None:
    assert Settings().trace_apart == tuple(hop.value for hop in Hop)
