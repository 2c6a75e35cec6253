"""How a client's command gets into the store: with the turn that has handled it, or as a row of mail.

    NodeClient ──▶ Posting ─┬─ its actor is here and idle, and so is the committer ──▶ UnpostedCommand ──▶ one commit
                            │                                        └──it has come to nothing──┐
                            └─ anything else ──▶ committer (a row of mail) ◀────────────────────┘ ──▶ Router.route

A busy committer makes large batches, and those are cheaper than a commit for each command. So only a lone command goes
the short way. Whether it has come before, under an id of the client's own, is found out by the store: it refuses the
group of a command that waits or was handled. The post that follows is refused as well, and says so.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.contracts import RUNTIMES_OWN
from runtime.durable.region.router import Router
from runtime.durable.residence.unposted import UnpostedCommand
from runtime.durable.waiting.command import WaitingCommand
from runtime.errors import Overloaded, StoreError
from runtime.failpoints import Failpoint
from runtime.ports import Ports
from runtime.record import record
from runtime.store.committer import Committer
from runtime.store.records import MailRow, Transition, Verdict

__all__ = ["OWN", "Posting", "ToPost"]

OWN = f"{RUNTIMES_OWN}."  # Messages of the runtime itself begin so, such as a cancellation.


@record(frozen=True, slots=True)
class ToPost:
    """A command, and what is to be done once the store has it, or has had it before."""

    waiting: WaitingCommand
    has_given_id: bool  # The client has given the id, and may have given it before.
    on_duplicate: Callable[[], object]
    on_commit: Callable[[], object]


class Posting:
    """Of one node."""

    def __init__(self, router: Router, committer: Committer, ports: Ports) -> None:
        self._router = router
        self._committer = committer
        self._ports = ports

    def post(self, one: ToPost) -> None:
        """Begin to. Raises StoreUnavailable and Overloaded when nothing was begun."""
        run = self._begun(one)
        if run is None:
            self._post(one, check_duplicates=one.has_given_id)
        else:
            self._ports.tasks.start(self._handle(one, run), name=f"command {one.waiting.envelope.id.hex()}")

    def _begun(self, one: ToPost) -> UnpostedCommand | None:
        command = one.waiting.envelope
        if not self._committer.is_idle or command.type.startswith(OWN):
            return None
        return self._router.begin(command)

    async def _handle(self, one: ToPost, run: UnpostedCommand) -> None:
        self._ports.failpoint(Failpoint.COMMAND_BEGUN)

        def told(outcome: Verdict | StoreError) -> None:
            if outcome is Verdict.COMMITTED:
                self._ports.failpoint(Failpoint.COMMAND_COMMITTED)
                one.on_commit()
            elif isinstance(outcome, StoreError):
                one.waiting.fail(outcome)
            else:
                self._post_after_all(one)

        if not await run.run(self._committer, told):
            self._post_after_all(one)

    def _post_after_all(self, one: ToPost) -> None:
        """Whoever waits may have sent it again by now under the same id, on another node, as one who gave up would."""
        self._ports.failpoint(Failpoint.COMMAND_LEFT)
        try:
            self._post(one, check_duplicates=True)
        except (StoreError, Overloaded) as error:
            one.waiting.fail(error)

    def _post(self, one: ToPost, *, check_duplicates: bool) -> None:
        envelope = one.waiting.envelope
        shard = self._router.shard_of(envelope.key)
        transition = Transition(
            address=envelope.address,
            shard=shard,
            mail=(MailRow.of(envelope, shard),),
            check_duplicates=check_duplicates,
        )

        def decided(verdict: Verdict | StoreError) -> None:
            if verdict is Verdict.COMMITTED:
                self._ports.failpoint(Failpoint.COMMAND_POSTED)
                self._router.route(envelope)
                self._ports.failpoint(Failpoint.COMMAND_ROUTED)
                one.on_commit()
            elif verdict is Verdict.DUPLICATE:
                one.on_duplicate()
            else:
                error = verdict if isinstance(verdict, StoreError) else StoreError(f"the post was answered {verdict}")
                one.waiting.fail(error)

        self._committer.submit(transition, decided)
