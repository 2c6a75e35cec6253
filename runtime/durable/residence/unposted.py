"""A client's command that is handled before it is in the store, and is committed with all that has come of it.

    Posting ──while the committer is idle──▶ Router.begin ──▶ Chains.begin_with ──the actor, borrowed──▶ UnpostedCommand
       ▲                                                                                                     │
       └──False, or a verdict──────────────────────── Committer ◀──one group── ChainOfTurns ◀────────────────┘

The command has its row of history, and never one of mail. Whatever is in doubt is left to the mail: a handler that
fails or waits, an actor that leaves memory, a group that the store refuses. Then it is as if nothing had been, and the
command is posted.
"""

from __future__ import annotations

from runtime.durable.residence.activation import Activation
from runtime.durable.residence.chain import ChainOfTurns
from runtime.envelope import Envelope
from runtime.errors import Overloaded, StoreError
from runtime.store.committer import Committer, Done

__all__ = ["UnpostedCommand"]


class UnpostedCommand:
    """One, with its actor, which takes nothing else meanwhile. It has to be run."""

    def __init__(self, command: Envelope, actor: Activation, chain: ChainOfTurns) -> None:
        self._command = command
        self._actor = actor
        self._chain = chain

    async def run(self, committer: Committer, told: Done) -> bool:
        """Handle it and what follows, and hand all of it to the store. `told` hears the verdict.

        False: it has come to nothing, and nobody will be told.
        """
        chain = self._chain
        try:
            if not await chain.begin_with(self._command, self._actor):
                return False
            await chain.follow()
            chain.submit(committer, told)
        except (StoreError, Overloaded) as error:
            chain.abandon(str(error))
            return False
        except BaseException as error:
            chain.abandon(f"the command that has led to it ended with {type(error).__name__}")
            raise
        return True
