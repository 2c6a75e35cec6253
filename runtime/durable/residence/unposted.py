"""Commands of clients that are handled before they are in the store, and are committed with all that has come of them.

    Posting ──while no commit is under way──▶ Router.borrow ──each actor──▶ UnpostedCommands
       ▲                                                                       │
       └──left, or a verdict──────── Committer ◀──one group── ChainOfTurns ◀───┘

A command has its row of history, and never one of mail. Whatever is in doubt is left to the mail: a handler that
fails or waits, an actor that leaves memory, a group that the store refuses. Then it is as if nothing had been, and the
command is posted. What fails or waits leaves only its own command. A refused group leaves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runtime.durable.residence.activation import Activation
from runtime.durable.residence.chain import ChainOfTurns
from runtime.durable.residence.release import Outlet
from runtime.envelope import Envelope
from runtime.errors import Overloaded, StoreError
from runtime.record import record
from runtime.store.committer import Committer, Done
from runtime.store.records import Verdict

__all__ = ["UnpostedCommand", "UnpostedCommands"]


@record(frozen=True, slots=True)
class UnpostedCommand:
    """One, with its actor, which takes nothing else meanwhile."""

    command: Envelope
    actor: Activation
    decided: Done  # It was handled, and this is what the store has said of that.
    left: Callable[[], object]  # It has come to nothing.


class UnpostedCommands:
    """Some of one moment, at least one. They have to be run. For each of them one callback is called, once."""

    def __init__(
        self,
        commands: Sequence[UnpostedCommand],
        outlet: Outlet,
        told: Callable[[int, Verdict | StoreError], object],
    ) -> None:
        """`told` hears what the store has said of their group, and of how many."""
        self._commands = commands
        self._told = told
        self._chain = ChainOfTurns(commands[0].actor.kind, outlet)

    async def run(self, committer: Committer) -> None:
        """Handle them and what follows, and hand all of it to the store."""
        chain, begun, rest = self._chain, list[UnpostedCommand](), iter(self._commands)
        try:
            for one in rest:
                if await chain.begin_with(one.command, one.actor):
                    begun.append(one)
                else:
                    one.left()
            if begun:
                await chain.follow()
                chain.submit(committer, lambda outcome: self._decided(begun, outcome))
        except (StoreError, Overloaded) as error:
            chain.abandon(str(error))
            for one in begun:
                one.left()
        except BaseException as error:
            reason = f"the commands that have led to it ended with {type(error).__name__}"
            chain.abandon(reason)
            for one in rest:
                one.actor.forgo(reason)
            raise

    def _decided(self, commands: Sequence[UnpostedCommand], outcome: Verdict | StoreError) -> None:
        self._told(len(commands), outcome)
        for one in commands:
            one.decided(outcome)
