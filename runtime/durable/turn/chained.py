"""A turn that may also handle what another turn has just sent, before that is committed: see `residence/chain.py`.

    Chain ──a message that is in no store──▶ ChainedTurn.chain ──▶ handled, in the draft
                                                             └──▶ not handled, and the draft is as it was

Nothing is retried, put off or given up here. A message whose handler fails becomes mail, and all that is done then. So
does one whose handler waits, since the turns before it would wait with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from runtime.durable.traces.tracing import BegunSpan
from runtime.durable.turn.invocation import invoke
from runtime.durable.turn.sends import Sends
from runtime.durable.turn.turn import Turn
from runtime.envelope import Envelope
from runtime.errors import InvalidMessage, UnknownMessageType
from runtime.failpoints import Failpoint

__all__ = ["ChainedTurn"]

_TICK_S = 1e-6
"""A message is handled so long after it was sent, at least: the history keeps cause and effect in order by time."""

_STATE_BYTES_MAX = 1 << 16  # A larger state is not written out after each message, so no chain can go back to it.

_CALLED, _RETURNED = Failpoint.CHAIN_CALLED, Failpoint.CHAIN_RETURNED


class ChainedTurn(Turn):
    """A turn as any other. `chain` adds one message at a time to its draft, until that is finished."""

    __slots__ = ()

    async def chain(self, envelope: Envelope, task: asyncio.Task[Any] | None) -> bool:
        """Handle a message that is in no store. False: nothing has come of it, and it has to become mail.

        `task` is the one that runs.
        """
        kind, draft = self._kind, self.draft
        if self._keeper.is_unkept or len(draft.state_bytes) > _STATE_BYTES_MAX or draft.is_full:
            return False
        if envelope.type not in kind.behaviour.accepts:
            return False
        try:
            message = kind.contracts.parse(envelope.type, envelope.body)
        except (InvalidMessage, UnknownMessageType):
            return False
        draft.now_s = max(draft.now_s, kind.ports.clock.now_s(), envelope.sent_at_s + _TICK_S)
        self._trace(envelope)
        sends = Sends(draft, envelope)
        kind.ports.failpoint(_CALLED)
        try:
            delivery = self._delivery(envelope, message, 0, sends, do_failed=False)
            handling = kind.behaviour.handle(self.state, delivery)
            decision = await invoke(handling, envelope, kind.ports, self._timeout_s, task=task, may_wait=False)
            sends.take(decision)
            self._keeper.keep()
        except Exception:  # noqa: BLE001 -- whatever it is, the message becomes mail, and is run and judged as such
            kind.ports.failpoint(Failpoint.CHAIN_CUT)
            self._restore(message, envelope)
            return False
        kind.ports.failpoint(_RETURNED)
        draft.unposted.add(envelope.id)
        self._accept(envelope, decision, sends, 1)
        return True

    def _trace(self, envelope: Envelope) -> None:
        if (tracing := self._kind.tracing) is None:
            return
        begun: Mapping[bytes, BegunSpan] = tracing.begin([envelope], {}, self.draft.revision, self.draft.now_s)
        if begun:
            self.draft.traces = {**(self.draft.traces or {}), **begun}
