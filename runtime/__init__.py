"""The door of Amends: all that an author of services, sagas and choreographies imports.

What starts a node, or reaches one, is imported when it is first named: a contract or a test needs neither.

from runtime import Answer, Catalogue, Choreography, FinalError, Flow, Saga, Service, Step, minutes, on, seconds
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.durable.behaviour import RetryPolicy
from runtime.durable.client import ActorState, Client, CommandOutcome
from runtime.durable.look_up import Absent, looks_up
from runtime.durable.results import Answer
from runtime.durable.service import Service
from runtime.durations import days, hours, minutes, seconds
from runtime.errors import FinalError
from runtime.saga.approval import Approval
from runtime.saga.awaiting import Await
from runtime.saga.carrying import Carried, Position, renames
from runtime.saga.catalogue import Catalogue
from runtime.saga.child import Child
from runtime.saga.choreography import Choreography
from runtime.saga.each import Each
from runtime.saga.first_of import FirstOf
from runtime.saga.flow import Flow
from runtime.saga.key import Key
from runtime.saga.lock import Lock
from runtime.saga.on import on
from runtime.saga.probe import Probe
from runtime.saga.publish import Publish
from runtime.saga.remind import Remind
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.saga.wait import Wait
from runtime.saga.when import End, When

if TYPE_CHECKING:
    from runtime.gateway.remote_client import connect
    from runtime.launching import launch

__all__ = [
    "Absent",
    "ActorState",
    "Answer",
    "Approval",
    "Await",
    "Budget",
    "Carried",
    "Catalogue",
    "Child",
    "Choreography",
    "Client",
    "CommandOutcome",
    "Each",
    "End",
    "FinalError",
    "FirstOf",
    "Flow",
    "Key",
    "Lock",
    "Position",
    "Probe",
    "Publish",
    "Remind",
    "RetryPolicy",
    "Saga",
    "Service",
    "Step",
    "Wait",
    "When",
    "connect",
    "days",
    "hours",
    "launch",
    "looks_up",
    "minutes",
    "on",
    "renames",
    "seconds",
]


_FORMER = {
    "starts": "what starts a saga is on(SomeEvent, begin, where={...})",
    "when": "what starts a choreography is on(SomeEvent, where={...})",
}


if not TYPE_CHECKING:  # to whom a name that there is not would seem to be there

    def __getattr__(name: str) -> Any:
        if name in _FORMER:
            raise ImportError(f"there is no {name!r} any more: {_FORMER[name]}")
        if name == "connect":
            from runtime.gateway.remote_client import connect

            return connect
        if name == "launch":
            from runtime.launching import launch

            return launch
        raise AttributeError(f"module 'runtime' has no attribute {name!r}")
