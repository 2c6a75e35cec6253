"""An event of the saga: it goes out with the commit of its turn. There is nothing to wait for, and nothing to undo."""

from __future__ import annotations

from runtime.durable.behaviour import Outgoing
from runtime.protos.saga_pb2 import TaskRecord
from runtime.saga import author
from runtime.saga.author import AuthorFailed
from runtime.saga.instance import Instance
from runtime.saga.node import PublishDefinition
from runtime.saga.verdict import DONE, TaskVerdict, failed

__all__ = ["begin"]


def begin(saga: Instance, node: PublishDefinition, task: TaskRecord) -> TaskVerdict:
    what = f"event of {node.name}"
    try:
        event = author.made_by(saga.definition, saga.record, what, node.event)
        body = author.published(what, event, node.event_type, saga.bounds)
    except AuthorFailed as error:
        return failed(str(error))
    if task.stuck:
        saga.unstick(task)
    saga.set_status(task, TaskRecord.DONE)
    saga.outgoing.append(Outgoing(event, body=body, is_published=True))
    return DONE
