"""Named points at every durable boundary: where a crash would leave something half done, if anything could be.

    product code ──failpoint(Failpoint.X)──▶ the Ports of its node     a no-op in production
                                          └─ testing: counts, kills the node there, goes on

Each stands just before or just after something that outlives the process (a write, a frame, an answer), or that
decides what will. `docs/proof/failpoints.md` is made from this list; the kit crashes a node at each of them, each time
it is reached, and at each ordered pair. The idea is that of FreeBSD's fail(9) and TiKV's failpoints, without conditions
in the product: what happens at a point is none of its business.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Failpoint", "no_failpoint"]


class Failpoint(Enum):
    """The value says what has happened when the point is reached."""

    # a node's life
    STORE_OPENED = "a node has opened the store; nobody knows of it yet"
    FRONT_STARTED = "it takes streams and calls, and is no member yet"
    KINDS_STARTED = "the actors of its kinds exist; no shard is owned"
    SUBSCRIBED = "the subscriptions of one of its kinds are written"
    MEMBER_STARTED = "it is a member; its sweepers have not started"
    NODE_SERVES = "it says that it serves"
    NODE_STOPS = "it says that it serves no more; its shards are still its own"
    NODE_LEFT = "its shards and its row are given up; streams and store are still open"
    NODE_CLOSES = "everything is closed but the store"

    # membership
    JOIN_ASKED = "a node is about to write its row"
    JOINED = "its row is written"
    RENEWAL_ASKED = "a lease is about to be renewed"
    RENEWED = "it is renewed"
    VIEW_READ = "the tables of the cluster were read, and not yet acted upon"
    EVICTION_ASKED = "a node whose lease ran out is about to be removed"
    EVICTED = "it is removed; nobody owns its shards"
    ASSIGNMENT_ASKED = "shards are about to be claimed, or given away"
    ASSIGNED = "the table says so; nobody acts on it yet"
    LEAVE_ASKED = "a stopping node is about to remove its row"
    LEAVE_WRITTEN = "it is removed"

    # shards on the move
    TAKE_BEGUN = "shards are taken up: nothing of them was read"
    TAKE_SWEPT = "what waits in them was read and delivered; their pushes are still declined"
    TAKE_ENDED = "their pushes are taken"
    RELEASE_BEGUN = "a shard is laid down: its turns still run"
    RELEASE_ENDED = "none of its turns runs any more"

    # a client's command
    COMMAND_RECEIVED = "a command has an id and an envelope; it is not queued for the store"
    COMMAND_POSTED = "its row of mail is committed; nobody was told"
    COMMAND_ROUTED = "it is on its way to its actor"
    OUTCOME_KNOWN = "the call that waits has its outcome; it was not answered"
    OUTCOME_READ = "an outcome was looked for in the store"

    # commits
    COMMIT_GATHERED = "transitions were taken from the queue; the store was not called"
    COMMIT_ANSWERED = "the store has given its verdicts; nobody was told"
    COMMIT_TOLD = "everyone was told"
    COMMIT_UNKNOWN = "nobody knows whether a commit happened; the store was not asked yet"
    COMMIT_SETTLED = "the store has said what is true; nobody was told"

    # an actor's turn
    ROW_WANTED = "an actor's row is about to be read"
    ROW_READ = "it was read, and is not decoded yet"
    TURN_BEGUN = "mail was taken from the mailbox; no handler has run"
    HANDLER_CALLED = "a handler is about to run"
    HANDLER_RETURNED = "it has decided; its decision is in no draft yet"
    HANDLER_FAILED = "it has raised; state is being put back"
    RETRY_PLANNED = "its message is to be run again later; that is not committed"
    MESSAGE_PARKED = "its message is to be a dead letter; that is not committed"
    UNDO_ASKED = "an undo asks what became of its do"
    UNDO_RULED = "that is known, and nothing was done about it yet"
    TURN_DECIDED = "all handlers of the turn have run; the transition is not queued"
    TURN_SUBMITTED = "the transition is queued"
    TURN_COMMITTED = "it is committed; nothing was sent"
    TURN_RELEASED = "everything it sends is on its way"
    TURN_REFUSED = "it was not committed: the actor is about to be read again"

    # messages on their way
    DELIVERED_HERE = "a committed message was put into a mailbox of this node"
    PUSH_QUEUED = "a committed message is queued for the node that owns its actor"
    PUSH_UNOWNED = "nobody owns its actor: it stays in the store"
    ANSWER_QUEUED = "the outcome of a call is queued for the node where it waits"
    FRAME_MADE = "a frame is full; it was not handed to its stream"
    FRAME_SENT = "the stream has taken it"
    FRAME_RECEIVED = "a frame was read; nothing of it was taken"
    PUSHES_TAKEN = "its messages were delivered; no credit was given for them"
    STREAM_OPENED = "two nodes have said hello; nothing was sent"
    GAP_SWEPT = "after a gap the store was read; newer pushes were not taken yet"

    # what nobody pushed
    SWEEP_BEGUN = "a sweeper is about to read what waits"
    MAIL_SWEPT = "mail was read; it is not delivered"
    MAIL_DELIVERED = "it is delivered"
    TIMERS_SWEPT = "timers that fall due were read; they are not armed"
    TIMER_ARMED = "a timer will fire in this process"
    TIMER_FIRED = "it has, and is delivered"
    FEEDING_READ = "the mail of one actor was read; it is not delivered"
    FEEDING_DELIVERED = "all of it is delivered, in order"
    PURGE_ASKED = "old history is about to be forgotten"
    PURGED = "some of it is"


def no_failpoint(point: Failpoint) -> None:
    """What reaching a point does in production: nothing."""
