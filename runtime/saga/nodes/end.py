"""An early end: whatever has not begun never will, and the saga is done once what is under way is settled."""

from __future__ import annotations

from runtime.protos.saga_pb2 import TaskRecord
from runtime.saga.instance import Instance
from runtime.saga.verdict import DONE, TaskVerdict

__all__ = ["begin"]


def begin(saga: Instance, task: TaskRecord) -> TaskVerdict:
    saga.set_status(task, TaskRecord.DONE)
    for node in saga.definition.flow_nodes:
        if saga.tasks[node.index].status == TaskRecord.WAITING:
            saga.set_status(saga.tasks[node.index], TaskRecord.PASSED)
    return DONE
