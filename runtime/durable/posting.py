"""How clients' commands get into the store: with the turns that have handled them, or as rows of mail.

    NodeClient ──▶ Posting ─┬─ may be handled here ──once no commit is under way──▶ UnpostedCommands ──▶ one commit
                            │                                                             └──left──┐
                            └─ anything else ──▶ a row of mail ──▶ Router.route        ◀───────────┘

Commands that come while a commit is under way are handled together after it, and are one group. A large commit is
cheaper than many, and the actor that all of them need is asked once. A group is written whole or not at all, so after
a refused one each command is a group of its own, then two are, and so on.

Whether a command has come before, under an id of the client's own, is found out by the store: it refuses the group of
a command that waits or was handled. The post that follows is refused as well, and says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from runtime.contracts import RUNTIMES_OWN
from runtime.durable.region.router import Router
from runtime.durable.residence.unposted import UnpostedCommand, UnpostedCommands
from runtime.durable.waiting.command import WaitingCommand
from runtime.errors import Overloaded, StoreError
from runtime.failpoints import Failpoint
from runtime.ports import Ports
from runtime.record import record
from runtime.store.committer import Committer
from runtime.store.records import MailRow, Transition, Verdict

__all__ = ["OWN", "Posting", "ToPost"]

OWN = f"{RUNTIMES_OWN}."  # Messages of the runtime itself begin so, such as a cancellation.

_TOGETHER_MAX = 64  # commands that are handled before one commit, in one group or in several


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
        self._waiting: deque[ToPost] = deque()  # for those that are being handled, and for the commit under way
        self._running = 0  # groups that are not submitted yet
        self._together = _TOGETHER_MAX  # So many are one group.

    def post(self, one: ToPost) -> None:
        """Begin to. Raises StoreUnavailable and Overloaded when nothing was begun."""
        command = one.waiting.envelope
        if command.type.startswith(OWN) or not self._router.takes_unposted(command):
            self._post(one, check_duplicates=one.has_given_id)
            return
        if self._committer.waiting >= self._committer.waiting_max:
            raise Overloaded(f"{self._committer.waiting} commands wait for a commit, the most allowed; try again later")
        self._waiting.append(one)
        self._committer.held_back += 1
        if len(self._waiting) == 1 and not self._running:
            self._committer.when_free(self._begin)

    def _begin(self) -> None:
        """Handle the first of those that wait, or post them."""
        waiting = [self._waiting.popleft() for _ in range(min(len(self._waiting), _TOGETHER_MAX))]
        self._committer.held_back -= len(waiting)
        begun = [run for one in waiting if (run := self._begun(one)) is not None]
        for first in range(0, len(begun), self._together):
            running = self._run(begun[first : first + self._together])
            self._running += 1
            self._ports.tasks.start(running, name=f"command {begun[first].command.id.hex()} and others")
        self._go_on()

    def _begun(self, one: ToPost) -> UnpostedCommand | None:
        """None: it was posted, since its actor is not here by now, or is not idle."""
        command = one.waiting.envelope
        actor = self._router.borrow(command)
        if actor is None:
            self._post_or_fail(one, check_duplicates=one.has_given_id)
            return None
        return UnpostedCommand(command, actor, lambda outcome: self._decided(one, outcome), lambda: self._left(one))

    async def _run(self, commands: Sequence[UnpostedCommand]) -> None:
        try:
            self._ports.failpoint(Failpoint.COMMAND_BEGUN)
            await UnpostedCommands(commands, self._router, self._tell_group).run(self._committer)
        finally:
            self._running -= 1
            self._go_on()

    def _go_on(self) -> None:
        """Begin the next after the commit of these, once all of these are in it."""
        if self._waiting and not self._running:
            self._committer.when_free(self._begin)

    def _tell_group(self, size: int, outcome: Verdict | StoreError) -> None:
        if outcome is Verdict.COMMITTED:
            self._together = min(2 * self._together, _TOGETHER_MAX)
        elif size > 1 and isinstance(outcome, Verdict):
            self._together = 1

    def _decided(self, one: ToPost, outcome: Verdict | StoreError) -> None:
        if outcome is Verdict.COMMITTED:
            self._ports.failpoint(Failpoint.COMMAND_COMMITTED)
            one.on_commit()
        elif isinstance(outcome, StoreError):
            one.waiting.fail(outcome)
        else:
            self._left(one)

    def _left(self, one: ToPost) -> None:
        """Whoever waits may have sent it again by now under the same id, on another node, as one who gave up would."""
        self._ports.failpoint(Failpoint.COMMAND_LEFT)
        self._post_or_fail(one, check_duplicates=True)

    def _post_or_fail(self, one: ToPost, *, check_duplicates: bool) -> None:
        try:
            self._post(one, check_duplicates=check_duplicates)
        except (StoreError, Overloaded) as error:
            one.waiting.fail(error)

    def _post(self, one: ToPost, *, check_duplicates: bool) -> None:
        """Raises StoreUnavailable and Overloaded."""
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
