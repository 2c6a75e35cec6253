"""Whatever participants do, in whatever order: a saga keeps its promises. Every schedule is drawn, none is scripted.

The world here is a model of participants: each do either happened or not, whatever its answer looks like on the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.durable.behaviour import Outgoing
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.saga import Saga
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import (
    BACK_ORDERED,
    BILLED,
    CANCELLED,
    DECLINED,
    LABELLED,
    PLACED,
    READY,
    REFUNDED,
    VOIDED,
    FirmOrderProcess,
    ShopProcess,
)

DONE: dict[str, Message] = {
    "BillOrder": BILLED,
    "CreateShippingLabel": LABELLED,
    "MarkReadyToShip": READY,
    "CancelOrder": CANCELLED,
}
REFUSED: dict[str, Message] = {"BillOrder": DECLINED, "CreateShippingLabel": BACK_ORDERED}
UNDONE: dict[str, tuple[str, Message]] = {
    "RefundOrder": ("BillOrder", REFUNDED),
    "VoidShippingLabel": ("CreateShippingLabel", VOIDED),
}
ACTS = ("do", "refuse", "fault", "repeat", "silence", "cancel")


@dataclass
class StoryWorld:
    """What participants have done, and the commands that wait for them."""

    story: SagaTranscript
    in_force: set[str] = field(default_factory=set)  # dos that happened and are not undone
    tombstones: set[bytes] = field(default_factory=set)  # dos that an undo came before
    done: set[bytes] = field(default_factory=set)  # ids of dos that happened
    answered: list[tuple[Outgoing, Message]] = field(default_factory=list)
    waiting: list[Outgoing] = field(default_factory=list)
    seen: int = 0

    def look(self) -> None:
        new = [one for one in self.story.sent[self.seen :] if one.wants_reply]
        self.seen = len(self.story.sent)
        self.waiting.extend(new)

    def act(self, act: str, choice: int) -> None:
        if act == "silence" and self.story.timers:
            names = sorted(self.story.timers)
            self.story.given_silence(names[choice % len(names)])
        elif act == "cancel":
            self.story.given_cancellation("drawn")
        elif act == "repeat" and self.answered:
            command, answer = self.answered[choice % len(self.answered)]
            self.story.given(answer, to=command)
        elif self.waiting and act in ("do", "refuse", "fault"):
            self.handle(self.waiting.pop(choice % len(self.waiting)), act)
        self.look()

    def handle(self, command: Outgoing, act: str) -> None:
        name = command.message.DESCRIPTOR.name
        if act == "fault":
            self.story.given_fault("drawn", to=command)
        elif name in UNDONE:
            do, answer = UNDONE[name]
            self.in_force.discard(do)
            self.tombstones.add(command.undo_of)
            self.answer(command, answer)
        elif command.id not in self.tombstones:
            refused = act == "refuse" and name in REFUSED and name not in self.in_force
            if not refused:
                self.in_force.add(name)
                self.done.add(command.id)
            self.answer(command, REFUSED[name] if refused else DONE[name])

    def answer(self, command: Outgoing, answer: Message) -> None:
        self.answered.append((command, answer))
        self.story.given(answer, to=command)


def check(world: StoryWorld, before: SagaRecord) -> None:
    record = world.story.record
    sent = [one.message.DESCRIPTOR.name for one in world.story.decision.outgoing if one.wants_reply]
    statuses = {task.path: task.status for task in record.tasks}
    if before.pivot_passed:
        assert record.pivot_passed
        assert not set(sent) & {*UNDONE, "CancelOrder"}, "there is no way back after the pivot"
    if before.status in (SagaRecord.COMPENSATING, SagaRecord.COMPENSATED, SagaRecord.COMPLETED):
        assert not set(sent) & {"BillOrder", "CreateShippingLabel", "MarkReadyToShip"}, "only undo from here on"
    if "RefundOrder" in sent:
        assert statuses["ship"] != TaskRecord.OWED, "the later step is undone first"
    if record.status == SagaRecord.COMPENSATED:
        assert not world.in_force & {"BillOrder", "CreateShippingLabel"}, "an effect outlived a compensated saga"
    if record.status == SagaRecord.COMPLETED:
        assert {"BillOrder", "CreateShippingLabel", "MarkReadyToShip"} <= world.in_force
    assert (record.ended_at_s > 0) == (record.status in (SagaRecord.COMPLETED, SagaRecord.COMPENSATED))
    assert (record.status == SagaRecord.STUCK) == bool(record.stuck_reason)
    assert all(task.do.attempts <= 10 and task.undo.attempts <= 10 for task in record.tasks)


def settled(world: StoryWorld) -> bool:
    return world.story.status in ("completed", "compensated", "stuck")


@pytest.mark.parametrize("saga", [ShopProcess, FirmOrderProcess])
@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 7)), max_size=30))
def test_no_schedule_breaks_a_promise_and_every_one_can_be_brought_to_an_end(
    saga: type[Saga[Any]], drawn: list[tuple[str, int]]
) -> None:
    world = StoryWorld(SagaTranscript(saga).given(PLACED))
    world.look()
    for act, choice in drawn:
        before = world.story.record
        world.act(act, choice)
        check(world, before)
    for _ in range(60):  # the storm is over: whoever waits is served, then timers fire
        if settled(world):
            break
        before = world.story.record
        world.act("do" if world.waiting else "silence", 0)
        check(world, before)
    assert settled(world), f"it does not end: {world.story.status}"
