"""A node that is told to end at an exact place of its start: INTERRUPTED says where, and by which signal.

INTERRUPTED=FRONT_STARTED:SIGTERM     as soon as it has reached that failpoint
INTERRUPTED=load_settings:SIGINT      as soon as the launcher calls that function of its module
INTERRUPTED=MIGRATION                 a step of its schema never ends, and the signal comes from outside
INTERRUPTED=BINDING                   its port is never bound, as when a name server does not answer
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from actors.catalogue import catalogue
from actors.gateway import register
from runtime import launching
from runtime.adapters import system_ports
from runtime.failpoints import Failpoint
from runtime.gateway.server import GrpcServer
from runtime.ports import Ports, Report
from runtime.store.sqlite import store
from runtime.store.sqlite.queries import schema_steps

ENDLESS = """
insert into meta values ('half', 'done');
with recursive numbers(n) as (select 1 union all select n + 1 from numbers)
insert into meta select 'number', count(*) from numbers;
"""

PHASE, _, SIGNAL = os.environ["INTERRUPTED"].partition(":")


def interrupted_ports(report: Report, made: Ports) -> Ports:
    def failpoint(point: Failpoint) -> None:
        if point.name == PHASE:
            os.kill(os.getpid(), signal.Signals[SIGNAL])

    return replace(made, report=report, failpoint=failpoint)


def interrupted(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        os.kill(os.getpid(), signal.Signals[SIGNAL])
        return function(*arguments, **named)

    return call


async def bind_never(*_: object) -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    patch = pytest.MonkeyPatch()
    patch.setattr(launching, "system_ports", lambda report: interrupted_ports(report, system_ports(report)))
    if hasattr(launching, PHASE):
        patch.setattr(launching, PHASE, interrupted(getattr(launching, PHASE)))
    if PHASE == "MIGRATION":
        steps = [*schema_steps(), ENDLESS]
        patch.setattr(store, "schema_steps", lambda: steps)
    if PHASE == "BINDING":
        patch.setattr(GrpcServer, "start", bind_never)
    launching.launch(catalogue(), register=[register])
