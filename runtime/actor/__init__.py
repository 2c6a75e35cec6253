"""The door of actors in memory: all that an author of them imports.

    ActorSystem.spawn ──▶ ActorRef: tell, try_tell, ask, stop      from outside
                          Context: spawn, watch, set_timer, reply   from inside a handler

They live and die with their process. What has to survive it is a `Service` (see `runtime`), which this package runs.
"""

from runtime.actor.actor import Actor, BatchActor
from runtime.actor.context import Context, Handler
from runtime.actor.dead_letters import DeadLetter, DeadLetters, Reason
from runtime.actor.event_stream import EventStream, EventSubscription
from runtime.actor.ref import ActorRef, Recipient
from runtime.actor.supervision import (
    ActorFailed,
    ActorOptions,
    ActorRestarted,
    HandlerCut,
    HookFailed,
    Restart,
    RestartsExhausted,
    Strategy,
    Supervision,
    SystemFailed,
)
from runtime.actor.system import ActorSystem
from runtime.actor.watch import Terminated
from runtime.adapters import system_ports
from runtime.backoff import Backoff
from runtime.errors import ActorNameTaken, ActorStopped, AskFailed, DeadlineExceeded, Overloaded

__all__ = [
    "Actor",
    "ActorFailed",
    "ActorNameTaken",
    "ActorOptions",
    "ActorRef",
    "ActorRestarted",
    "ActorStopped",
    "ActorSystem",
    "AskFailed",
    "Backoff",
    "BatchActor",
    "Context",
    "DeadLetter",
    "DeadLetters",
    "DeadlineExceeded",
    "EventStream",
    "EventSubscription",
    "Handler",
    "HandlerCut",
    "HookFailed",
    "Overloaded",
    "Reason",
    "Recipient",
    "Restart",
    "RestartsExhausted",
    "Strategy",
    "Supervision",
    "SystemFailed",
    "Terminated",
    "system_ports",
]
