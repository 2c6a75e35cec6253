"""A tree of actors with everything they share. Several systems can live in one process, and in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runtime.actor.actor import Actor
from runtime.actor.cell import Cell
from runtime.actor.context import Context, Spawnable
from runtime.actor.dead_letters import DeadLetters
from runtime.actor.event_stream import EventStream
from runtime.actor.mailbox import Shared
from runtime.actor.ref import ActorRef
from runtime.actor.stepping import Dispatcher
from runtime.actor.supervision import DEFAULT_OPTIONS, ActorOptions, Supervision, SystemFailed
from runtime.ports import Ports

__all__ = ["ActorSystem"]


class Root(Actor):
    """The parent of all that is spawned at the top; tells when it is the last to go."""

    __slots__ = ("_ended",)

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended

    async def stopped(self, context: Context) -> None:
        self._ended()


class ActorSystem:
    """Give each node one.

    `supervision` holds for the actors spawned at the top. When it is exhausted the failure has nowhere to escalate to:
    all actors are stopped, and `on_failure` is called with the error; the node had better end.
    """

    def __init__(
        self,
        ports: Ports,
        name: str,
        *,
        supervision: Supervision = DEFAULT_OPTIONS.supervision,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.name = name
        self.failure: BaseException | None = None
        self.events = EventStream(ports.report)
        self.dead_letters = DeadLetters(self.events)
        self._on_failure = on_failure
        self._dispatcher = Dispatcher(ports.tasks, ports.clock, name)
        self._shared = Shared(ports, self._dispatcher, self.events, self.dead_letters, self._failed)
        self._waiting: list[asyncio.Future[None]] = []  # those that await `stop`
        self._root = Cell(self._shared, None, lambda: Root(self._ended), name, ActorOptions(supervision=supervision))

    @property
    def is_stopped(self) -> bool:
        return self._root.is_stopped

    def spawn(
        self, factory: Callable[[], Spawnable], name: str, *, options: ActorOptions = DEFAULT_OPTIONS
    ) -> ActorRef:
        """Make an actor at the top; `factory` makes its instance now, and a new one at each restart.

        Raises ActorNameTaken, ActorStopped (the system is stopping), and what `factory` raises.
        """
        return self._root.spawn(factory, name, options=options)

    async def stop(self) -> None:
        """End all actors, the last spawned first; returns when they are gone. Not to be awaited in a handler.

        A handler that is suspended gets its actor's `shutdown_s` to end, and is then cancelled.
        """
        if not self._root.is_stopped:
            gone = asyncio.get_running_loop().create_future()
            self._waiting.append(gone)
            self._root.order(restart=False)
            await gone
        await self._dispatcher.close()

    def _failed(self, error: BaseException) -> None:
        self.failure = error
        self._shared.note(SystemFailed(system=self.name, error=error))
        if self._on_failure is not None:
            self._on_failure(error)

    def _ended(self) -> None:
        waiting, self._waiting = self._waiting, []
        for gone in waiting:
            if not gone.done():
                gone.set_result(None)
