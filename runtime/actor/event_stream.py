"""What happens in an actor system, for whoever wants to know: dead letters, failures, and what users publish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from runtime.actor.supervision import HookFailed
from runtime.errors import Overloaded
from runtime.failures import was_ordered
from runtime.ports import Report

__all__ = ["EventStream", "EventSubscription"]

T = TypeVar("T")


class EventSubscription:
    """One subscriber's hold on the stream."""

    __slots__ = ("_event_type", "_stream", "subscriber")

    def __init__(self, stream: EventStream, event_type: type, subscriber: Callable[[Any], object]) -> None:
        self._stream = stream
        self._event_type = event_type
        self.subscriber = subscriber

    def cancel(self) -> None:
        """Idempotent."""
        self._stream.remove(self)

    def wants(self, event: object) -> bool:
        return isinstance(event, self._event_type)


class EventStream:
    """Calls each subscriber of an event's type, or of a base of it, in the order they subscribed, at once.

    To have events in an actor's mailbox, subscribe `ref.try_tell`: a full mailbox then refuses like any other.
    """

    __slots__ = ("_report", "_subscribers_max", "_subscriptions")

    def __init__(self, report: Report, *, subscribers_max: int = 1000) -> None:
        self._report = report
        self._subscribers_max = subscribers_max
        self._subscriptions: dict[EventSubscription, None] = {}

    def subscribe(self, event_type: type[T], subscriber: Callable[[T], object]) -> EventSubscription:
        """Raises Overloaded at `subscribers_max`."""
        if len(self._subscriptions) >= self._subscribers_max:
            raise Overloaded(f"the event stream has {self._subscribers_max} subscribers already")
        subscription = EventSubscription(self, event_type, subscriber)
        self._subscriptions[subscription] = None
        return subscription

    def remove(self, subscription: EventSubscription) -> None:
        self._subscriptions.pop(subscription, None)

    def publish(self, event: object) -> None:
        for subscription in tuple(self._subscriptions):
            if subscription.wants(event):
                self._call(subscription.subscriber, event)

    def _call(self, subscriber: Callable[[Any], object], event: object) -> None:
        try:
            subscriber(event)
        except BaseException as error:
            if was_ordered(error):
                raise
            self._report(HookFailed(path=f"event stream, {type(event).__name__}", error=error))
