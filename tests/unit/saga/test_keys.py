"""The actor of a key: who waits for an event, what came before anybody waited, and what came too late."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest
from google.protobuf.message import Message

from protos.warehouse_pb2 import ShippingLabelCreated
from runtime.durable.behaviour import CancelTimer, Decision, Delivery, SetTimer
from runtime.envelope import Envelope
from runtime.errors import FinalError, InvalidDefinition
from runtime.protos.durable_pb2 import TimerFired
from runtime.protos.saga_pb2 import (
    AwaitedEvent,
    AwaitEvent,
    EventCame,
    EventCounted,
    EventDiscarded,
    EventKept,
    EventLate,
    HoldKey,
    KeyHeld,
    KeyRecord,
    KeyTaken,
    ReleaseKey,
    StoppedWaiting,
    StopWaiting,
)
from runtime.saga.catalogue import Catalogue
from runtime.saga.keys import KeysBehaviour
from runtime.saga.saga import Saga
from runtime.store.records import Outcome, Subscription
from tests.unit.saga.test_awaits import LABEL, OTHER, wait, waiting
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES
from tests.unit.saga.test_nodes import bill, saga

EVENT = "shop.ShippingLabelCreated"
FORGET = f"forget {EVENT}"


class OneKey:
    """One key of the process, as its actor's turns leave it."""

    def __init__(self, process: type[Saga[Any]] | None = None, *, bytes_max: int = 0) -> None:
        self.bytes_max = bytes_max
        self.behaviour = KeysBehaviour((process or waiting()).definition)
        self.record = KeyRecord()
        self.count = 0

    def take(self, message: Message, sender: str = "", *, timer: str = "", asks: bool = False) -> Decision:
        self.count += 1
        envelope = Envelope(
            id=self.count.to_bytes(16, "big"),
            kind=self.behaviour.kind,
            key="CH-1",
            type=message.DESCRIPTOR.full_name,
            body=message.SerializeToString(),
            conversation=b"",
            sender=sender,
            sent_at_s=100.0,
            reply_to=sender if asks else "",
            timer=timer,
        )
        delivery = Delivery(envelope, message, 100.0, 0, 0, lambda *_: bytes(16), body_bytes_max=self.bytes_max)
        return self.behaviour.decide(self.record, delivery)

    def asked(self, by: str = "process/ORD-1", task: str = "label") -> Decision:
        return self.take(AwaitEvent(key="CH-1", event_type=EVENT, task=task), by, asks=True)

    def stopped(self, by: str = "process/ORD-1", task: str = "label") -> Decision:
        return self.take(StopWaiting(key="CH-1", event_type=EVENT, task=task), by, asks=True)

    def held(self, by: str = "process/ORD-1", name: str = "label") -> Decision:
        return self.take(HoldKey(key="CH-1", name=name, event_types=[EVENT]), by, asks=True)

    def released(self, by: str = "process/ORD-1", name: str = "label") -> Decision:
        return self.take(ReleaseKey(key="CH-1", name=name), by)

    def came(self, event: Message = LABEL, sender: str = "warehouse/HAT") -> Decision:
        return self.take(event, sender)

    @property
    def entry(self) -> AwaitedEvent:
        (entry,) = self.record.events
        return entry


def told(decision: Decision) -> list[type[Message]]:
    return [type(one.message) for one in decision.outgoing]


def two_waits() -> type[Saga[Any]]:
    first, last = wait(keep=2), wait(keep=2)
    step = bill()
    return saga(bill=step, first=first, last=last, flow=step >> first >> last)


@pytest.mark.broken_by("event-counts-twice")
def test_s98_an_event_is_handed_to_who_waits_with_who_said_it_and_its_sender_is_told() -> None:
    key = OneKey()
    assert key.asked().outgoing == ()
    decision = key.came()
    came, counted = decision.outgoing
    assert (came.kind, came.key) == ("process", "ORD-1")
    assert isinstance(came.message, EventCame)
    assert came.message.command_id == key.entry.command_id
    assert (came.message.sender, came.message.sent_at_s) == ("warehouse/HAT", 100.0)
    assert counted.message == EventCounted(saga="process/ORD-1")
    assert key.came(sender="").outcome is Outcome.IGNORED


def test_s99_what_comes_early_is_kept_for_its_time_and_handed_over_once() -> None:
    key = OneKey()
    kept = key.came()
    assert told(kept) == [EventKept]
    assert kept.timers == (SetTimer(FORGET, 100.0 + 7 * 86_400, after_mail=True),)
    asked = key.asked()
    assert told(asked) == [EventCame]
    assert asked.timers == (CancelTimer(FORGET),)
    again = key.came()
    assert told(again) == [EventCounted]
    assert "handed to process/ORD-1 before" in again.note


@pytest.mark.broken_by("late-event-kept")
def test_s20_who_says_an_event_that_finds_no_instance_is_told_what_became_of_it() -> None:
    key, discards = OneKey(), OneKey(waiting(early="discard"))
    assert [told(key.came()), told(discards.came())] == [[EventKept], [EventDiscarded]]
    key.stopped()
    key.asked()
    key.stopped()
    assert told(key.came(OTHER)) == [EventLate]


def test_s99_what_nobody_waits_for_in_its_time_is_forgotten_aloud() -> None:
    key = OneKey()
    key.came()
    decision = key.take(TimerFired(name=FORGET), timer=FORGET)
    assert "said by warehouse/HAT, is forgotten: no instance of process has waited" in decision.alarm
    assert not key.entry.early
    assert told(key.came(OTHER)) == [EventKept]
    key.asked()
    assert "nothing of it is kept" in key.take(TimerFired(name=FORGET), timer=FORGET).note


def test_s99_more_than_is_kept_becomes_a_dead_letter() -> None:
    key = OneKey()
    key.came()
    with pytest.raises(FinalError, match=r"as many are kept as may be: 1, by keep= of its step label"):
        key.came(OTHER)


@pytest.mark.broken_by("early-event-never-faults")
def test_s19_what_comes_before_anybody_waits_is_discarded_or_a_dead_letter_if_that_is_declared() -> None:
    key = OneKey(waiting(early="discard"))
    discarded = key.came()
    assert (discarded.outcome, told(discarded)) == (Outcome.IGNORED, [EventDiscarded])
    assert discarded.note == "discarded: no instance of process waits for it"
    key.asked()
    assert EventCame in told(key.came())
    with pytest.raises(FinalError, match=r"with key 'CH-1': no instance of process waits for it"):
        OneKey(waiting(early="fault")).came()


def test_s100_another_event_after_the_one_that_counted_or_after_the_wait_is_late() -> None:
    key = OneKey()
    key.asked()
    key.came()
    assert told(key.came(OTHER)) == [EventLate]
    key.stopped()
    late = key.came()
    assert (late.outcome, told(late)) == (Outcome.IGNORED, [EventLate])
    assert late.note == "it came late: process/ORD-1 waits for it no more"


@pytest.mark.broken_by("key-taken-over")
def test_s127_a_second_instance_is_refused_and_knows_the_holder_until_the_first_has_stopped() -> None:
    key = OneKey()
    key.asked()
    (refused,) = key.asked("process/ORD-2").outgoing
    assert refused.message == KeyTaken(key="CH-1", event_type=EVENT, holder="process/ORD-1", task="label")
    assert told(key.stopped("process/ORD-2")) == [StoppedWaiting]
    assert key.entry.status == AwaitedEvent.WAITING
    key.stopped()
    assert key.asked("process/ORD-2").outgoing == ()
    assert key.entry.holder == "process/ORD-2"


def test_an_instance_that_asks_again_waits_once_and_one_that_has_stopped_does_not_wait_by_an_older_command() -> None:
    key = OneKey()
    key.asked()
    key.asked()
    assert told(key.came()) == [EventCame, EventCounted]
    assert "waits no more" in key.asked().note
    key.stopped()
    assert "waits no more" in key.asked().note


def test_only_an_instance_can_wait() -> None:
    with pytest.raises(FinalError, match=r"only an instance of a saga can wait for an event"):
        OneKey().take(AwaitEvent(key="CH-1", event_type=EVENT, task="label"))


def test_two_waits_of_one_instance_for_one_event_take_one_each() -> None:
    key = OneKey(two_waits())
    key.came()
    key.came()
    assert told(key.asked(task="first")) == [EventCame]
    assert told(key.asked(task="last")) == [EventCame]
    assert told(key.came()) == [EventKept]


def orders() -> Iterator[tuple[str, ...]]:
    """Every order of two events, a wait and its end; the instance stops after it has begun to wait."""
    for one in permutations(("came", "again", "asked", "stopped")):
        if one.index("asked") < one.index("stopped"):
            yield one


@pytest.mark.parametrize("order", list(orders()), ids=" ".join)
def test_in_every_order_the_event_is_handed_over_at_most_once_and_never_lost_unsaid(order: tuple[str, ...]) -> None:
    key, handed, said = OneKey(), 0, list[type[Message]]()
    for act in order:
        decision = getattr(key, "came" if act == "again" else act)()
        handed += told(decision).count(EventCame)
        said += [one for one in told(decision) if one in (EventCounted, EventKept, EventLate)]
    first_event = min(order.index("came"), order.index("again"))
    assert handed == (first_event < order.index("stopped"))
    assert len(said) == 2
    assert said[0] is not EventLate or handed == 0


# --- in a catalogue ---


def catalogue(**changed: Any) -> Catalogue:
    services = {**SERVICES, "orchestration": [waiting(**changed)]}
    return Catalogue(contracts=CONTRACTS, services=services)


def test_whoever_hosts_the_saga_hosts_its_keys_which_hear_the_event_of_every_conversation() -> None:
    hosted = {one.kind: one for one in catalogue().behaviours_of(["orchestration"])}
    assert hosted["process-keys"].subscriptions == (Subscription(EVENT, "process-keys", "label_id"),)
    assert "process-keys" not in {one.kind for one in catalogue().behaviours_of(["warehouse"])}


def test_an_event_that_nobody_says_is_refused_unless_it_is_said_to_come_from_outside() -> None:
    services = {name: hosted for name, hosted in SERVICES.items() if name != "warehouse"}
    services["orchestration"] = [waiting()]
    with pytest.raises(
        InvalidDefinition, match=r"Process.label: no service or saga ever says shop.ShippingLabelCreated"
    ):
        Catalogue(contracts=CONTRACTS, services=services)
    services["orchestration"] = [waiting(outside=True)]
    Catalogue(contracts=CONTRACTS, services=services)


def test_an_event_outside_the_contracts_is_refused() -> None:
    contracts = [one for one in CONTRACTS if ShippingLabelCreated.DESCRIPTOR.file.name not in one.DESCRIPTOR.name]
    services = {name: hosted for name, hosted in SERVICES.items() if name != "warehouse"}
    services["orchestration"] = [waiting(outside=True)]
    with pytest.raises(InvalidDefinition, match=r"Process.label: shop.ShippingLabelCreated is in none of the"):
        Catalogue(contracts=contracts, services=services)


# --- a key that an instance holds, whether or not it waits ---


@pytest.mark.broken_by("held-key-finds-nobody")
def test_s125_what_comes_for_a_held_key_is_kept_for_its_holder_whatever_becomes_of_what_finds_none() -> None:
    for early in ("keep", "discard", "fault"):
        key = OneKey(waiting(early=early))
        assert told(key.held()) == [KeyHeld]
        assert told(key.came()) == [EventKept]
        assert told(key.asked()) == [EventCame]


def test_s126_what_is_kept_for_a_holder_that_gives_its_key_up_is_forgotten_aloud_and_no_other_ones() -> None:
    key = OneKey()
    key.held()
    key.came()
    released = key.released()
    assert released.timers == (CancelTimer(FORGET),)
    assert (
        "shop.ShippingLabelCreated with key 'CH-1' is forgotten: process/ORD-1 has given the key up" in released.alarm
    )
    assert told(key.came()) == [EventLate]
    assert told(key.held("process/ORD-2")) == [KeyHeld]
    assert told(key.asked("process/ORD-2")) == []
    assert told(key.came(OTHER)) == [EventCame, EventCounted]


@pytest.mark.broken_by("key-of-another-taken")
def test_s127_a_key_is_held_by_one_instance_alone_and_nobody_else_waits_by_it() -> None:
    key = OneKey()
    key.held()
    for refused in (key.held("process/ORD-2"), key.asked("process/ORD-2")):
        (taken,) = refused.outgoing
        assert taken.message == KeyTaken(key="CH-1", event_type=EVENT, holder="process/ORD-1")
    assert told(key.held()) == [KeyHeld]


def test_s127_a_key_is_not_held_by_one_while_another_waits_by_it() -> None:
    key = OneKey()
    key.asked()
    (taken,) = key.held("process/ORD-2").outgoing
    assert taken.message == KeyTaken(key="CH-1", event_type=EVENT, holder="process/ORD-1", task="label")
    key.stopped()
    assert told(key.held("process/ORD-2")) == [KeyHeld]


def test_only_its_holder_gives_a_key_up_and_under_its_name() -> None:
    key = OneKey()
    key.held()
    key.released("process/ORD-2")
    key.released(name="another")
    assert key.entry.held_by == "process/ORD-1"
    key.released()
    assert not key.entry.held_by


def test_a_held_key_whose_event_has_come_takes_no_second_one() -> None:
    key = OneKey()
    key.held()
    key.asked()
    key.came()
    assert told(key.came()) == [EventCounted]
    assert told(key.came(OTHER)) == [EventLate]
    key.released()
    assert told(key.came(OTHER)) == [EventLate]


def test_an_event_too_large_to_be_handed_on_is_refused_itself_and_not_the_saga_that_waits_for_it() -> None:
    key = OneKey(bytes_max=1_000)
    with pytest.raises(FinalError, match=r"Created has 9\d\d bytes; for a saga that waits for it, it may"):
        key.came(ShippingLabelCreated(order_id="x" * 980))
    key.came(ShippingLabelCreated(order_id="x" * 700))
    (came,) = key.asked().outgoing
    assert len(came.message.SerializeToString()) <= 1_000
