"""Finds sagas that wait for each other's locks, by a search that follows who waits for whom.

    a saga begins to wait, or a lock gets another holder
      lock ──DeadlockSearch──▶ holder ──▶ each lock that it waits for ──▶ its holder ──▶ ... ──▶ the saga that waits
                                      └─▶ each child that it waits for ──▶ ...                         │
                                                          the saga of the circle that began last ◀─DeadlockFound

The circle is closed by the wait that comes last, and at that instant all others of it are known to the actors that
the search visits. So each deadlock is found. A search that is overtaken by a release may find one that is over: then a
saga turns back that need not have, or is told too late and goes on.
This is edge chasing, as in K. M. Chandy, J. Misra and L. M. Haas, "Distributed Deadlock Detection" (1983).
"""

from __future__ import annotations

from collections.abc import Iterator

from runtime.durable.behaviour import Outgoing
from runtime.envelope import parse_address
from runtime.protos.lock_pb2 import DeadlockFound, DeadlockSearch, LockClaim
from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.saga.inputs import DeadlockSearched
from runtime.saga.instance import Instance
from runtime.saga.node import ChildDefinition, LockDefinition

__all__ = ["searched"]

_PATH_MAX = 100
"""Sagas in one circle. The limit of time of a wait ends a longer one."""


def searched(saga: Instance, given: DeadlockSearched) -> None:
    """Another waits for this saga. Nothing of its record changes."""
    search = given.search
    waits = list(_waits(saga, search.to))
    if search.to == search.path[0].saga:
        saga.note = _closed(saga, search, waits)
    elif len(search.path) >= _PATH_MAX or any(one.saga == search.to for one in search.path):
        saga.note = "a search for deadlocks has come to a saga that it knows, or has gone too far"
    else:
        for wait in waits:
            passed_on = DeadlockSearch(to=wait.waits_for, path=[*search.path, wait])
            saga.outgoing.append(Outgoing(passed_on, *parse_address(wait.waits_for)))
        names = ", ".join(one.waits_for for one in waits)
        saga.note = f"a search for deadlocks, passed on to {names}" if waits else "a search for deadlocks: it waits not"


def _closed(saga: Instance, search: DeadlockSearch, waits: list[LockClaim]) -> str:
    """The search is back where it began: the saga of the circle that began last has to turn back."""
    if search.path[0].command_id not in [one.command_id for one in waits]:
        return "a search for deadlocks has come back to a wait that is over"
    last = max((one for one in search.path if one.command_id), key=lambda one: (one.started_at_s, one.saga))
    found = DeadlockFound(command_id=last.command_id, circle=_circle(search))
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


def _circle(search: DeadlockSearch) -> str:
    after = [*search.path[1:], search.path[0]]
    return "; ".join(
        f"{one.saga} waits for {one.waits_for}" + (f", which {other.saga} holds" if one.command_id else "")
        for one, other in zip(search.path, after, strict=True)
    )
