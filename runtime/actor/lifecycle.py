"""From birth to end, and what supervisors do in between: the acts behind the rules in `supervision`.

                  ┌──────────── Begin ◀─────────────┐
                  ▼                                 │
    spawn ──▶ RUNNING ──fails, exits──▶ FAILED ──▶ ENDING ──▶ HALTED        EndOrder(restart=True)
                  └───────────────────────┴───────▶ ENDING ──▶ ended        EndOrder(restart=False)

ENDING stops the children, the last one first, and then calls `stopped` of the instance. A restart keeps the mailbox,
the reference and who watches. It drops the instance, its children, timers and watches. Everything here runs in the
actor's own turn, from its system lane. So a supervisor that is busy in a handler decides after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Self, assert_never, cast

from runtime.actor.actor import Actor
from runtime.actor.apart import apart
from runtime.actor.context import Context, Spawnable
from runtime.actor.family import LifePhase, Relative
from runtime.actor.mailbox import BLOCKED, HELD, SCHEDULED, SIGNALLED, STARTING, STOPPED, SUSPENDED, Shared
from runtime.actor.ref import ActorRef
from runtime.actor.restarts import ChildActor, Group, Restarts
from runtime.actor.signals import Begin, ChildEnded, ChildFailed, ChildHalted, EndOrder, Exited, ResumeGroup, Signal
from runtime.actor.supervision import (
    DEFAULT_OPTIONS,
    ActorFailed,
    ActorOptions,
    ActorRestarted,
    HandlerCut,
    HookFailed,
    RestartsExhausted,
)
from runtime.actor.suspension import Suspension, raise_if_gone, was_cut
from runtime.actor.watch import Terminated
from runtime.errors import ActorNameTaken, ActorStopped

__all__ = ["Lifecycle"]


class Lifecycle(Relative):
    """A mailbox with an instance behind it, which begins, fails, restarts and ends."""

    __slots__ = ("actor", "factory", "suspension")

    parent: Lifecycle | None

    def __init__(
        self,
        shared: Shared,
        parent: Lifecycle | None,
        factory: Callable[[], Spawnable],
        name: str,
        options: ActorOptions,
    ) -> None:
        super().__init__(shared, parent, name, options)
        self.factory = factory
        self.suspension: Suspension | None = None
        self.actor: Spawnable | None = factory()
        if type(self.actor).started is not Actor.started:
            self.flags = STARTING

    def spawn(self, factory: Callable[[], Spawnable], name: str, *, options: ActorOptions = DEFAULT_OPTIONS) -> Self:
        children = self.kin.children
        if self.flags & (BLOCKED | STOPPED):
            raise ActorStopped(f"{self.path} is ending, and can have no child {name!r}")
        if name in children:
            raise ActorNameTaken(f"{self.path} has a child {name!r} already, or one that is still stopping")
        child = type(self)(self.shared, self, factory, name, options)
        children[name] = child
        if child.flags & STARTING:
            child.schedule()
        return child

    def stop(self, ref: ActorRef | None = None) -> None:
        if ref is None:
            self.order(restart=False)
        else:
            ref.stop()

    # --- for the parent ---

    def order(self, *, restart: bool) -> None:
        """Restart, or stop for good. An actor at rest without children, whose `stopped` does nothing, stops at once."""
        if not restart and not self.flags & (SCHEDULED | BLOCKED) and self._ends_in_silence():
            self._end()
            return
        order = EndOrder(restart)
        if self.signals is None or order not in self.signals:
            self.signal(order)
        if self.suspension is not None:
            self.suspension.give_grace(self.shared.ports.clock, self.options.shutdown_s)

    def begin(self) -> None:
        self.signal(Begin())

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
            case EndOrder(restart):
                await self._obey_order(restart)
            case Begin():
                await self._begin()
            case Exited():
                self._fall(None)
            case ChildFailed(child, error):
                self._supervise(child, error)
            case ChildHalted(child):
                if self.kin.restarts is not None:
                    self.kin.restarts.halted(child)
            case ResumeGroup(group):
                if self.kin.restarts is not None:
                    self.kin.restarts.resume(group)
            case ChildEnded():
                await self._go_on_ending()
            case _:
                assert_never(signal)

    async def _start(self) -> None:
        actor = self.actor
        if actor is not None:
            error = await self._let(actor.started(cast(Context, self)))
            if error is not None:
                self.fail(error)

    async def _begin(self) -> None:
        kin = self.kin
        if kin.phase is not LifePhase.HALTED:
            return
        self.shared.note(ActorRestarted(path=self.path))
        kin.phase, kin.error = LifePhase.RUNNING, None
        self.flags &= ~(BLOCKED | HELD)
        try:
            self.actor = self.factory()
        except BaseException as error:  # noqa: BLE001 - a factory's failure is supervised like a handler's
            raise_if_gone(error)
            self.fail(error)
            return
        await self._start()

    # --- failing ---

    def fail(self, error: BaseException) -> None:
        """A handler or hook of this actor raised."""
        self.shared.note(ActorFailed(path=self.path, error=error))
        self._fall(error)

    def _fall(self, error: BaseException | None) -> None:
        """Take no message until the supervisor has decided, and restart no child meanwhile."""
        if self.flags & (BLOCKED | STOPPED):
            return
        self.flags |= BLOCKED
        kin = self.kin
        kin.phase, kin.error, kin.restarts = LifePhase.FAILED, error, None
        if self.parent is not None:
            self.parent.signal(ChildFailed(self, error))
        else:
            self.shared.failed(error or ActorStopped(f"{self.path} has ended"))
            self.order(restart=False)

    def _supervise(self, child: ChildActor, error: BaseException | None) -> None:
        kin = self.kin
        if kin.phase is not LifePhase.RUNNING or not child.is_fallen:  # The child was ordered to end meanwhile.
            return
        if kin.restarts is None:
            kin.restarts = Restarts(self.options.supervision, self.shared.ports, self._resume_later)
        try:
            kin.restarts.decide(child, error, kin.children)
        except RestartsExhausted as exhausted:
            self.fail(exhausted)

    def _resume_later(self, delay_s: float, group: Group) -> None:
        self.shared.ports.clock.call_later(delay_s, self.signal, ResumeGroup(group))

    # --- ending ---

    async def _obey_order(self, restart: bool) -> None:
        kin = self.kin
        if kin.phase is LifePhase.HALTED:
            if not restart:
                self._end()
        elif kin.phase is LifePhase.ENDING:
            kin.restart = kin.restart and restart
            if kin.awaited_child is None:  # The ending was interrupted: its task was cancelled from outside.
                await self._go_on_ending()
        else:
            kin.phase, kin.restart, kin.restarts = LifePhase.ENDING, restart, None
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
        kin.phase = LifePhase.HALTED
        if self.parent is not None:
            self.parent.signal(ChildHalted(self))

    def tidy_up(self) -> None:
        """Drop what belongs to the instance that goes, before its children end."""
        if self.family is not None and self.family.watches is not None:
            self.family.watches.let_go()

    def _ends_in_silence(self) -> bool:
        if self.family is not None and self.family.children:
            return False
        return self.actor is None or (isinstance(self.actor, Actor) and self.actor.ends_in_silence())

    def _end(self) -> None:
        self.tidy_up()
        self.flags = (self.flags & (SCHEDULED | SUSPENDED)) | STOPPED
        self.actor = None
        kin, self.family = self.family, None
        if kin is not None and kin.watches is not None:
            kin.watches.tell_end(Terminated(cast(ActorRef, self), kin.error))
        self.clear()
        if self.parent is not None:
            self.parent._forget(self)

    def _forget(self, child: Lifecycle) -> None:
        kin = self.kin
        del kin.children[child.name]
        if kin.restarts is not None:
            kin.restarts.forget(child)
        if kin.awaited_child is child:
            kin.awaited_child = None
            self.signal(ChildEnded())

    # --- handlers that suspend ---

    def renew_grace(self) -> None:
        """A hook or handler is suspended. If its actor has to end, it gets `shutdown_s` of its own."""
        suspension = self.suspension
        if suspension is None:
            return
        suspension.end()
        if self.phase is LifePhase.ENDING or any(isinstance(signal, EndOrder) for signal in self.signals or ()):
            suspension.give_grace(self.shared.ports.clock, self.options.shutdown_s)

    def report_cut(self) -> None:
        self.shared.note(HandlerCut(path=self.path, shutdown_s=self.options.shutdown_s))

    async def _let(self, hook: Coroutine[Any, Any, None]) -> BaseException | None:
        """Run a hook, and give what it raised. That `shutdown_s` has cancelled it is no failure."""
        self.renew_grace()  # An earlier hook of this run may have been suspended.
        try:
            await apart(lambda: hook)
        except asyncio.CancelledError as error:
            return None if was_cut(self.suspension) else error
        except BaseException as error:  # noqa: BLE001 - what a hook raises is supervised, or reported
            raise_if_gone(error)
            return error
        return None
