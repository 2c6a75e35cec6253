"""Services whose handlers sometimes raise, before or after they have decided, and succeed when they run again.

the catalogue as a node gets it ──▶ FaultyCatalogue ──▶ FaultyBehaviour ──▶ the service's own behaviour

The failure stands for a bug, or for a dependency that fails for a while. It ends before the message is parked, unless a
workload poisons the message. Sagas never fail so, since their interpreter cannot fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from google.protobuf.message import Message

from runtime.durable.behaviour import Behaviour, Decision, Delivery, LooksUp, RetryPolicy, Versioned
from runtime.durable.effects import RunsInChains
from runtime.durable.provided import Provided
from runtime.saga.catalogue import Catalogue
from runtime.saga.pauses import Pauses
from runtime.store.records import Subscription
from runtime.testing.virtual.dice import Dice

__all__ = ["FailurePlan", "FaultyCatalogue", "PlannedFailure"]

IsPoisoned = Callable[[str, str, str], bool]
"""Says yes or no to a kind, a key and the type of a message."""

_RUNS_KEPT = 4  # The last so many runs of a message never fail by plan.


class PlannedFailure(Exception):
    """Raised in place of a handler's result."""


@dataclass(frozen=True, slots=True)
class FailurePlan:
    """When handlers fail. `chance` gives the probability, which may change during the run; `happened` hears of each.

    A handler fails each time that it gets a message to which `is_poisoned` says yes.
    """

    dice: Dice
    chance: Callable[[], float]
    happened: Callable[[str], object]
    is_poisoned: IsPoisoned


class FaultyCatalogue(Catalogue):
    """The same catalogue with handlers that fail by a plan."""

    def __init__(self, inner: Catalogue, plan: FailurePlan) -> None:
        self.names = inner.names
        self.contracts = inner.contracts
        self.kinds = inner.kinds
        self.choreographies = inner.choreographies
        self.several = inner.several
        self.beside = inner.beside
        self.provides = inner.provides
        self._behaviours = inner._behaviours  # as its nodes look at them before they run
        self._inner = inner
        self._plan = plan

    @property
    def service_names(self) -> tuple[str, ...]:
        return self._inner.service_names

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        return self._inner.subscriptions

    def behaviours_of(
        self, service_names: Iterable[str], provided: Provided | None = None, pauses: Pauses | None = None
    ) -> tuple[Behaviour, ...]:
        return tuple(_faulty(one, self._plan) for one in self._inner.behaviours_of(service_names, provided, pauses))


class _FaultyBehaviour:
    def __init__(self, inner: Behaviour, plan: FailurePlan) -> None:
        self.kind = inner.kind
        self.state_type = inner.state_type
        self.process = inner.process
        self.retries: RetryPolicy = inner.retries
        self.subscriptions = inner.subscriptions
        self.accepts = inner.accepts
        self.runs_in_chains = isinstance(inner, RunsInChains) and inner.runs_in_chains
        self._inner = inner
        self._plan = plan

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        envelope, plan = delivery.envelope, self._plan
        if plan.is_poisoned(envelope.kind, envelope.key, envelope.type):
            plan.happened("handler poisoned")
            raise PlannedFailure("a planned failure, until it is mended")
        spare = self.retries.runs_max - _RUNS_KEPT
        fails = delivery.attempts < spare and plan.dice.chance(plan.chance())
        if fails and plan.dice.chance(0.5):
            self._fail("before it decides")
        decision = await self._inner.handle(state, delivery)
        if fails:
            self._fail("after it has decided")
        return decision

    def looks_up(self, command: type[Message]) -> bool:
        return isinstance(self._inner, LooksUp) and self._inner.looks_up(command)

    async def look_up(self, state: Message, delivery: Delivery) -> Decision | None:
        assert isinstance(self._inner, LooksUp)
        plan = self._plan
        fails = delivery.attempts < self.retries.runs_max - _RUNS_KEPT and plan.dice.chance(plan.chance())
        decision = await self._inner.look_up(state, delivery)
        if fails:
            self._fail("after it has looked up")
        return decision

    def _fail(self, when: str) -> None:
        self._plan.happened("handler fails")
        raise PlannedFailure(f"a planned failure {when}")


class _FaultyVersioned(_FaultyBehaviour):
    """A behaviour that may differ from node to node by its version; `versioned` is the same object as `inner`."""

    def __init__(self, inner: Behaviour, versioned: Versioned, plan: FailurePlan) -> None:
        super().__init__(inner, plan)
        self.carries = versioned.carries
        self.described = versioned.described
        self.lacks = versioned.lacks


def _faulty(inner: Behaviour, plan: FailurePlan) -> Behaviour:
    # To ask this reads all that a versioned kind has, and its description is made anew each time: so ask only once.
    return _FaultyVersioned(inner, inner, plan) if isinstance(inner, Versioned) else _FaultyBehaviour(inner, plan)
