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

    # The kit counts each time that one is reached, and an enumeration's own hash is a function in Python.
    __hash__ = object.__hash__

    # a node's life
    STORE_OPENED = "a node has opened the store; nobody knows of it yet"
    FRONT_STARTED = "a node takes streams and calls; it is no member yet"
    KINDS_STARTED = "the actors of a node's kinds exist; it owns no shard"
    SUBSCRIBED = "the subscriptions of one kind of a node are written"
    MEMBER_STARTED = "a node is a member; its sweepers have not started"
    NODE_SERVES = "a node says that it serves"
    NODE_STOPS = "a node says that it serves no more; it still owns its shards"
    NODE_LEFT = "a node has given up its shards and its row; streams and store are still open"
    NODE_CLOSES = "a node has closed everything but the store"

    # membership
    JOIN_ASKED = "a node is about to write its row"
    JOINED = "the row of a joining node is written"
    RENEWAL_ASKED = "a lease is about to be renewed"
    RENEWED = "a lease is renewed"
    VIEW_READ = "a node has read the tables of the cluster; it has not acted on them"
    EVICTION_ASKED = "a node whose lease ran out is about to be removed"
    EVICTED = "a node whose lease ran out is removed; nobody owns its shards"
    ASSIGNMENT_ASKED = "shards are about to be claimed, or given away"
    ASSIGNED = "shards are claimed, or given away, in the table; no node acts on that yet"
    LEAVE_ASKED = "a stopping node is about to remove its row"
    LEAVE_WRITTEN = "the row of a stopping node is removed"

    # shards on the move
    TAKE_BEGUN = "a node takes shards over; it has read none of their mail"
    TAKE_SWEPT = "the mail of shards in a take-over was read and delivered; their pushes are still declined"
    TAKE_ENDED = "a take-over has ended; pushes to its shards are taken"
    RELEASE_BEGUN = "a node begins to give a shard up; its turns still run"
    RELEASE_ENDED = "no turn of a shard that is given up runs any more"

    # a client's command
    COMMAND_RECEIVED = "a client's command has an id and an envelope; it is not queued for the store"
    COMMAND_BEGUN = (
        "a client's command is about to be handled; it is not in the store, and its actor takes nothing else"
    )
    COMMAND_COMMITTED = "a client's command is committed with all that has come of it; who waits for that was not told"
    COMMAND_LEFT = "a client's command was not handled before it was in the store; it is about to be posted"
    COMMAND_POSTED = "the row of mail of a client's command is committed; nobody was told"
    COMMAND_ROUTED = "a client's command is on its way to its actor"
    OUTCOME_KNOWN = "a waiting call has its outcome; the client was not answered"
    OUTCOME_READ = "a waiting call has looked for its outcome in the store"

    # commits
    COMMIT_GATHERED = "transitions were taken from the queue; the store was not called"
    COMMIT_ANSWERED = "the store has given its verdicts; nobody was told"
    COMMIT_TOLD = "everybody who waits for a commit was told its verdicts"
    COMMIT_UNKNOWN = "the outcome of a commit is unknown; the store was not asked yet"
    COMMIT_SETTLED = "the store has said whether an unknown commit is written; nobody was told"

    # an actor's turn
    ROW_WANTED = "an actor's row is about to be read"
    ROW_READ = "an actor's row was read; it is not decoded yet"
    TURN_BEGUN = "mail was taken from the mailbox; no handler has run"
    HANDLER_CALLED = "a handler is about to run"
    HANDLER_RETURNED = "a handler has decided; its decision is not in the draft yet"
    HANDLER_FAILED = "a handler has raised; the state is being restored"
    RETRY_PLANNED = "a message will be run again later; that is not committed"
    MESSAGE_PARKED = "a message will be a dead letter; that is not committed"
    UNDO_ASKED = "an undo asks what became of its do"
    UNDO_RULED = "an undo knows what became of its do; it has not acted on that"
    TURN_DECIDED = "all handlers of the turn have run; the transition is not queued"
    TURN_SUBMITTED = "the transition of a turn is queued"
    TURN_COMMITTED = "the transition of a turn is committed; nothing was sent"
    TURN_RELEASED = "all messages of a turn are on their way"
    TURN_REFUSED = "a turn was not committed; the actor is about to be read again"

    # turns that follow from one another before they are committed
    CHAIN_CALLED = "a handler is about to run over a message that is not committed"
    CHAIN_RETURNED = "a handler of a chain has decided; its decision is not in the draft yet"
    CHAIN_CUT = "a handler of a chain has raised; its message is about to become mail"
    CHAIN_ENDED = "all turns of a chain have run; their group is not queued"

    # messages on their way
    DELIVERED_HERE = "a committed message was put into a mailbox of this node"
    PUSH_QUEUED = "a committed message is queued for the node that owns its actor"
    PUSH_UNOWNED = "nobody owns the actor of a committed message; the message stays in the store"
    ANSWER_QUEUED = "the outcome of a call is queued for the node where it waits"
    FRAME_MADE = "a frame is full; it was not handed to its stream"
    FRAME_SENT = "a stream has taken a frame"
    FRAME_RECEIVED = "a frame was read; none of its messages was taken"
    PUSHES_TAKEN = "the messages of a frame were delivered; no credit was given for them"
    STREAM_OPENED = "two nodes have said hello on a stream; nothing was sent"
    GAP_SWEPT = "the store was read after a gap; newer pushes were not taken yet"

    # what nobody pushed
    SWEEP_BEGUN = "a sweeper is about to read waiting mail"
    MAIL_SWEPT = "a sweep has read mail; it is not delivered"
    MAIL_DELIVERED = "the mail of a sweep is delivered"
    TIMERS_SWEPT = "a sweep has read timers that fall due; they are not armed"
    TIMER_ARMED = "a timer will fire in this process"
    TIMER_FIRED = "a timer has fired; it is delivered"
    FEEDING_READ = "the mail of one actor was read; it is not delivered"
    FEEDING_DELIVERED = "the mail of one actor that was read is delivered, in order"
    PURGE_ASKED = "old history is about to be forgotten"
    PURGED = "some old history is forgotten"


def no_failpoint(point: Failpoint) -> None:
    """What reaching a point does in production: nothing."""
