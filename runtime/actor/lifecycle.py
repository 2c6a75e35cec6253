"""From birth to end, and what supervisors do in between: the acts behind the rules in `supervision`.

                  ┌──────────── Begin ◀─────────────┐
                  ▼                                 │
    spawn ──▶ RUNNING ──fails, exits──▶ FAILED ──▶ ENDING ──▶ HALTED        Order(restart=True)
                  └───────────────────────┴───────▶ ENDING ──▶ ended        Order(restart=False)

ENDING stops the children, the last one first, then lets the instance say goodbye. A restart keeps the mailbox, the
reference and who watches; it drops the instance, its children, timers and watches. Everything here runs in the actor's
own turn, from its system lane, so a supervisor that is busy in a handler decides after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self, cast

from runtime.actor.actor import Actor
from runtime.actor.context import Context
from runtime.actor.mailbox import BLOCKED, HELD, SCHEDULED, SIGNALLED, STARTING, STOPPED, SUSPENDED, Mailbox, Shared
from runtime.actor.ref import ActorRef
from runtime.actor.supervision import (
    ActorFailed,
    ActorOptions,
    HookFailed,
    Restart,
    RestartsExhausted,
    Supervision,
    affected,
    delay_s,
    is_restarted,
    recent,
)
from runtime.actor.watch import Terminated, Watches
from runtime.errors import ActorNameTaken, ActorStopped
from runtime.ports import Cancellable

__all__ = ["Lifecycle"]


class Phase(Enum):
    RUNNING = "running"
    FAILED = "waits for its supervisor's decision"
    ENDING = "stops its children, then itself"
    HALTED = "without an instance, waits to be started again"


@dataclass(frozen=True, slots=True)
class Order:
    """From the parent, or for a stop from anyone."""

    restart: bool


@dataclass(frozen=True, slots=True)
class Begin:
    """From the parent, to a halted child."""


@dataclass(frozen=True, slots=True)
class Exited:
    """From the actor to itself: end normally."""


@dataclass(frozen=True, slots=True)
class ChildFailed:
    child: Lifecycle
    error: BaseException | None  # None: it ended normally


@dataclass(frozen=True, slots=True)
class ChildHalted:
    child: Lifecycle


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """Told only to a parent that waits for it."""


@dataclass(frozen=True, slots=True)
class Regroup:
    """Children that are restarted together, in the order they were spawned, once all of them have halted."""

    wait_s: float
    members: dict[Lifecycle, None] = field(default_factory=dict)
    awaited: dict[Lifecycle, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resume:
    """The backoff of a group is over."""

    group: Regroup


Signal = Order | Begin | Exited | ChildFailed | ChildHalted | ChildEnded | Resume


class Family:
    """What most actors never need, made when they do."""

    __slots__ = (
        "awaited_child",
        "began_at_s",
        "children",
        "cut",
        "error",
        "grace",
        "phase",
        "regroups",
        "restart",
        "restarts_s",
        "streak",
        "task",
        "watches",
    )

    def __init__(self) -> None:
        self.children: dict[str, Any] = {}
        self.watches: Watches | None = None
        self.phase = Phase.RUNNING
        self.restart = False  # how ENDING ends
        self.error: BaseException | None = None
        self.awaited_child: Lifecycle | None = None
        self.restarts_s: list[float] = []  # of children, within the window
        self.regroups: dict[Lifecycle, Regroup] = {}
        self.streak = 0  # own restarts, one soon after the other
        self.began_at_s = 0.0
        self.task: asyncio.Task[Any] | None = None  # where a suspended handler goes on
        self.grace: Cancellable | None = None
        self.cut = False  # that task was cancelled by `shutdown_s`


class Lifecycle(Mailbox):
    """A mailbox with an instance behind it, and a place in the tree."""

    __slots__ = ("actor", "factory", "family", "name", "parent")

    def __init__(
        self, shared: Shared, parent: Lifecycle | None, factory: Callable[[], Actor], name: str, options: ActorOptions
    ) -> None:
        super().__init__(shared, options)
        self.parent = parent
        self.name = name
        self.factory = factory
        self.family: Family | None = None
        self.actor: Actor | None = factory()
        if type(self.actor).started is not Actor.started:
            self.flags = STARTING

    @property
    def path(self) -> str:
        names = [self.name]
        above = self.parent
        while above is not None:
            names.append(above.name)
            above = above.parent
        return "/".join(reversed(names))

    # --- for the actor and its neighbours ---

    def spawn(self, factory: Callable[[], Actor], name: str, *, options: ActorOptions = ActorOptions()) -> Self:  # noqa: B008
        children = self.kin.children
        if self.flags & (BLOCKED | STOPPED):
            raise ActorStopped(f"{self.path} is ending, and can have no child {name!r}")
        if name in children:
            raise ActorNameTaken(f"{self.path} has a child {name!r} already, or one that is still stopping")
        child = type(self)(self.shared, self, factory, name, options)
        children[name] = child
        if child.flags & STARTING:
            child._schedule()
        return child

    def stop(self, ref: ActorRef | None = None) -> None:
        if ref is None:
            self.order(restart=False)
        else:
            ref.stop()

    def exit(self) -> None:
        self.signal(Exited())

    def watch(self, ref: ActorRef) -> None:
        other = cast(Lifecycle, ref)
        if other.is_stopped:
            self.push(Terminated(ref))
        else:
            self.watches.add(other.watches)

    def unwatch(self, ref: ActorRef) -> None:
        self.watches.remove(cast(Lifecycle, ref).watches)

    @property
    def kin(self) -> Family:
        if self.family is None:
            self.family = Family()
        return self.family

    @property
    def watches(self) -> Watches:
        kin = self.kin
        if kin.watches is None:
            kin.watches = Watches(self)
        return kin.watches

    @property
    def phase(self) -> Phase:
        return Phase.RUNNING if self.family is None else self.family.phase

    def order(self, *, restart: bool) -> None:
        """Restart, or stop for good. A stop of an actor that rests and has nothing to say happens at once."""
        if not restart and not self.flags & (SCHEDULED | BLOCKED) and self._ends_in_silence():
            self._end()
            return
        self.signal(Order(restart))
        if self.flags & SUSPENDED:
            self._give_grace()

    # --- the system lane ---

    async def obey(self) -> None:
        if self.flags & STARTING:
            self.flags &= ~STARTING
            await self._start()
        while self.signals:
            await self._obey_one(self.signals.popleft())
        self.signals = None
        self.flags &= ~SIGNALLED

    async def _obey_one(self, signal: Signal) -> None:
        match signal:
            case ChildFailed(child, error):
                self._supervise(child, error)
            case ChildHalted(child):
                self._halted(child)
            case Resume(group):
                self._resume(group)
            case ChildEnded():
                if self.phase is Phase.ENDING:
                    await self._go_on_ending()
            case Order(restart):
                await self._obey_order(restart)
            case Exited():
                if self.phase is Phase.RUNNING:
                    self._fall(None)
            case Begin():
                await self._begin()

    async def _start(self) -> None:
        actor = self.actor
        assert actor is not None
        error = await self._let(actor.started(cast(Context, self)))
        if error is not None:
            self.fail(error)

    async def _begin(self) -> None:
        if self.phase is not Phase.HALTED:
            return
        kin = self.kin
        kin.phase = Phase.RUNNING
        kin.began_at_s = self.shared.ports.clock.monotonic_s()
        self.flags &= ~(BLOCKED | HELD)
        try:
            self.actor = self.factory()
        except Exception as error:  # noqa: BLE001 - a factory's failure is supervised like a handler's
            self.fail(error)
            return
        await self._start()

    # --- failing, as a child ---

    def fail(self, error: BaseException) -> None:
        self.shared.note(ActorFailed(path=self.path, error=error))
        self._fall(error)

    def _fall(self, error: BaseException | None) -> None:
        """Take nothing more until the supervisor has decided."""
        if self.flags & (BLOCKED | STOPPED):
            return
        self.flags |= BLOCKED
        self.kin.phase = Phase.FAILED
        self.kin.error = error
        if self.parent is not None:
            self.parent.signal(ChildFailed(self, error))
        else:
            self.shared.failed(error or ActorStopped(f"{self.path} has ended"))
            self.order(restart=False)

    # --- deciding, as a supervisor ---

    def _supervise(self, child: Lifecycle, error: BaseException | None) -> None:
        kin = self.kin
        if kin.phase is not Phase.RUNNING or child.phase is not Phase.FAILED or child in kin.regroups:
            return
        if not is_restarted(child.options.restart, failed=error is not None):
            child.order(restart=False)
            return
        rules = self.options.supervision
        now_s = self.shared.ports.clock.monotonic_s()
        kin.restarts_s = [*recent(kin.restarts_s, now_s=now_s, window_s=rules.window_s), now_s]
        if len(kin.restarts_s) > rules.restarts_max:
            limit = f"{rules.restarts_max} restarts in {rules.window_s} s"
            exhausted = RestartsExhausted(f"{child.path} failed once more after {limit}")
            exhausted.__cause__ = error
            self.fail(exhausted)
            return
        self._regroup(child, child._backoff_s(rules, now_s))

    def _regroup(self, failed: Lifecycle, wait_s: float) -> None:
        kin = self.kin
        group = Regroup(wait_s)
        for name in affected(self.options.supervision.strategy, tuple(kin.children), failed.name):
            sibling = kin.children[name]
            if sibling is not failed and sibling.options.restart is Restart.TEMPORARY:
                sibling.order(restart=False)
                continue
            earlier = kin.regroups.get(sibling)
            if earlier is not None:  # it is being restarted already: it joins the wider group
                del earlier.members[sibling]
                earlier.awaited.pop(sibling, None)
            kin.regroups[sibling] = group
            group.members[sibling] = None
            if sibling.phase is not Phase.HALTED:
                group.awaited[sibling] = None
        for member in reversed(tuple(group.awaited)):
            member.order(restart=True)
        self._resume_when_halted(group)

    def _halted(self, child: Lifecycle) -> None:
        group = self.kin.regroups.get(child)
        if group is not None:
            group.awaited.pop(child, None)
            self._resume_when_halted(group)

    def _resume_when_halted(self, group: Regroup) -> None:
        if group.awaited or not group.members:
            return
        if group.wait_s > 0:
            self.shared.ports.clock.call_later(group.wait_s, self.signal, Resume(group))
        else:
            self._resume(group)

    def _resume(self, group: Regroup) -> None:
        members = tuple(group.members)
        group.members.clear()  # so that nothing that still points to this group can start them twice
        for member in members:
            self.kin.regroups.pop(member, None)
            member.signal(Begin())

    def _backoff_s(self, rules: Supervision, now_s: float) -> float:
        """How long the next restart of this child waits; failures in a row lengthen it."""
        kin = self.kin
        kin.streak = kin.streak + 1 if now_s - kin.began_at_s <= rules.window_s else 1
        return delay_s(rules.backoff, attempt=kin.streak, fraction=self.shared.ports.randomness.fraction())

    # --- ending ---

    async def _obey_order(self, restart: bool) -> None:
        kin = self.kin
        if kin.phase is Phase.HALTED:
            if not restart:
                self._end()
            return
        if kin.phase is Phase.ENDING:
            kin.restart = kin.restart and restart
            return
        kin.phase, kin.restart = Phase.ENDING, restart
        self.flags |= BLOCKED
        self.tidy_up()
        await self._go_on_ending()

    async def _go_on_ending(self) -> None:
        kin = self.kin
        while kin.children:
            last = kin.children[next(reversed(kin.children))]
            last.order(restart=False)
            if not last.is_stopped:
                kin.awaited_child = last
                return
        actor, self.actor = self.actor, None
        if actor is not None:
            error = await self._let(actor.stopped(cast(Context, self)))
            if error is not None:
                self.shared.note(HookFailed(path=self.path, error=error))
        if not kin.restart:
            self._end()
            return
        kin.phase = Phase.HALTED
        if self.parent is not None:
            self.parent.signal(ChildHalted(self))

    def tidy_up(self) -> None:
        """Drop what belongs to the instance that goes, before its children end."""
        if self.family is not None and self.family.watches is not None:
            self.family.watches.let_go()

    def _ends_in_silence(self) -> bool:
        if self.family is not None and self.family.children:
            return False
        return self.actor is None or type(self.actor).stopped is Actor.stopped

    def _end(self) -> None:
        self.tidy_up()
        self.flags = self.flags & SCHEDULED | STOPPED
        kin, self.family, self.actor = self.family, None, None
        if kin is not None and kin.watches is not None:
            kin.watches.tell_end(Terminated(cast(ActorRef, self), kin.error))
        self.clear()
        if self.parent is not None:
            self.parent._forget(self)

    def _forget(self, child: Lifecycle) -> None:
        kin = self.kin
        del kin.children[child.name]
        group = kin.regroups.pop(child, None)
        if group is not None:
            group.members.pop(child, None)
            group.awaited.pop(child, None)
            self._resume_when_halted(group)
        if kin.awaited_child is child:
            kin.awaited_child = None
            self.signal(ChildEnded())

    # --- handlers that suspend ---

    def left_behind(self, task: asyncio.Task[Any]) -> None:
        self.flags |= SUSPENDED
        self.kin.task = task
        if self.phase is Phase.ENDING or any(isinstance(signal, Order) for signal in self.signals or ()):
            self._give_grace()

    def catch_up(self) -> None:
        """The suspended handler has ended."""
        self.flags &= ~SUSPENDED
        kin = self.family
        if kin is None:
            return
        if kin.cut and kin.task is not None:
            kin.task.uncancel()
        if kin.grace is not None:
            kin.grace.cancel()
        kin.task, kin.grace, kin.cut = None, None, False

    def is_cut(self) -> bool:
        """Whether a CancelledError that came out of a handler is the doing of `shutdown_s`.

        Raises the cancellation again when it was meant for the whole task, as when the loop is closed.
        """
        if self.family is not None and self.family.cut:
            return True
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        return False

    def _give_grace(self) -> None:
        kin = self.kin
        if kin.grace is None:
            kin.grace = self.shared.ports.clock.call_later(self.options.shutdown_s, self._cut)

    def _cut(self) -> None:
        kin = self.family
        if kin is not None and kin.task is not None:
            kin.cut = True
            kin.task.cancel()

    async def _let(self, hook: Coroutine[Any, Any, None]) -> BaseException | None:
        """Run a hook; gives what it raised."""
        try:
            await hook
        except Exception as error:  # noqa: BLE001 - what a hook raises is supervised, or reported
            return error
        except asyncio.CancelledError as error:
            self.is_cut()
            return error
        return None
