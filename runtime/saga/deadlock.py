"""Finds sagas that wait for each other's locks, by a probe that follows who waits for whom.

    a saga begins to wait, or a lock gets another holder
      lock ──LockProbe──▶ holder ──▶ each lock that it waits for ──▶ its holder ──▶ ... ──▶ the saga that waits
                                 └─▶ each child that it waits for ──▶ ...                         │
                                                     the saga of the circle that began last ◀─DeadlockFound

The circle is closed by the wait that comes last, and at that instant all others of it are known to the actors that
the probe visits. So each deadlock is found. A probe that is overtaken by a release may find one that is over: then a
saga turns back that need not have, or is told too late and goes on.
This is edge chasing, as in K. M. Chandy, J. Misra and L. M. Haas, "Distributed Deadlock Detection" (1983).
"""

from __future__ import annotations

from collections.abc import Iterator

from runtime.durable.behaviour import Outgoing
from runtime.envelope import parse_address
from runtime.protos.lock_pb2 import DeadlockFound, LockClaim, LockProbe
from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.saga.inputs import LockProbed
from runtime.saga.instance import Instance
from runtime.saga.node import ChildDefinition, LockDefinition

__all__ = ["probed"]

_PATH_MAX = 100
"""Sagas in one circle. The limit of time of a wait ends a longer one."""


def probed(saga: Instance, given: LockProbed) -> None:
    """Another waits for this saga. Nothing of its record changes."""
    probe = given.probe
    waits = list(_waits(saga, probe.to))
    if probe.to == probe.path[0].saga:
        saga.note = _closed(saga, probe, waits)
    elif len(probe.path) >= _PATH_MAX or any(one.saga == probe.to for one in probe.path):
        saga.note = "a probe for deadlocks has come to a saga that it knows, or has gone too far"
    else:
        for wait in waits:
            passed_on = LockProbe(to=wait.waits_for, path=[*probe.path, wait])
            saga.outgoing.append(Outgoing(passed_on, *parse_address(wait.waits_for)))
        names = ", ".join(one.waits_for for one in waits)
        saga.note = f"a probe for deadlocks, passed on to {names}" if waits else "a probe for deadlocks: it waits not"


def _closed(saga: Instance, probe: LockProbe, waits: list[LockClaim]) -> str:
    """The probe is back where it began: the saga of the circle that began last has to turn back."""
    if probe.path[0].command_id not in [one.command_id for one in waits]:
        return "a probe for deadlocks has come back to a wait that is over"
    last = max((one for one in probe.path if one.command_id), key=lambda one: (one.started_at_s, one.saga))
    found = DeadlockFound(command_id=last.command_id, circle=_circle(probe))
    saga.outgoing.append(Outgoing(found, *parse_address(last.saga)))
    return f"a deadlock was found: {last.saga} turns back"


def _waits(saga: Instance, address: str) -> Iterator[LockClaim]:
    """What a saga of this address waits for."""
    started_at_s = saga.record.started_at_s
    for place, task in enumerate(saga.tasks):
        if task.status != TaskRecord.RUNNING or task.do.status == Exchange.UNASKED:
            continue
        node, claim = saga.node_at(place), LockClaim(saga=address, waits_for=task.address, started_at_s=started_at_s)
        if isinstance(node, LockDefinition):
            claim.task, claim.command_id = task.path, task.do.command_id
            yield claim
        elif isinstance(node, ChildDefinition):
            yield claim


def _circle(probe: LockProbe) -> str:
    after = [*probe.path[1:], probe.path[0]]
    return "; ".join(
        f"{one.saga} waits for {one.waits_for}" + (f", which {other.saga} holds" if one.command_id else "")
        for one, other in zip(probe.path, after, strict=True)
    )
