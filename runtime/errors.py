"""The errors of Amends, named by what the reader must do or who is to blame.

Every error is an AmendsError, so that an edge (the gateway, a command line) can tell them from bugs. The message
names the cause and the cure; `str(error)` is meant to be shown to a person as it is.
"""


class AmendsError(Exception):
    """Something that Amends itself reports: a wrong input, a missing resource, a promise that cannot be kept."""


# --- the author of services and sagas ---------------------------------------------------------------------------------


class InvalidDefinition(AmendsError):
    """A service, saga, choreography or contract is not well formed; raised when it is defined or when a node boots."""


class FinalError(AmendsError):
    """Raise (or derive) it in a handler to say that a retry cannot help: the message is parked at once."""


class NotCarried(AmendsError):
    """This build cannot handle a message and another one can: it is put off, uncounted, for up to `version_wait_s`."""


class HandlerTimedOut(AmendsError):
    """A handler took longer than `handler_timeout_s` and was cancelled; it counts as a failed run."""


class HandlerQuit(AmendsError):
    """A handler raised what is meant to end a process or a task, such as SystemExit; it counts as a failed run."""


# --- whoever calls ----------------------------------------------------------------------------------------------------


class InvalidMessage(AmendsError):
    """A message cannot be accepted: malformed, without a key, of an unknown type."""


class MessageTooLarge(InvalidMessage):
    """A message is over the size limit; refused before anything is stored, and not worth a retry."""


class StateTooLarge(InvalidMessage):
    """A handler has made its actor's state larger than the limit; a retry would make it so again."""


class MessageTooOld(InvalidMessage):
    """A message was first sent before the retention began; refused, since nobody knows any more if it was handled."""


class UnknownMessageType(InvalidMessage):
    """No contract of this name is known here."""


class NoSuchSaga(AmendsError):
    """There is no saga of this kind and key, or its start is still on its way; nothing was sent."""


class CannotJoin(AmendsError):
    """A command cannot go on with the conversation that it names: that has ended, or belongs to another process."""


class Overloaded(AmendsError):
    """A bounded queue is full. Nothing was accepted; try again after a pause."""


class BacklogFull(Overloaded):
    """More messages wait at a node than its limit, and it takes no new commands. Nothing was accepted."""

    def __init__(self, text: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s  # when to send the same again, by what the node knows


class DeadlineExceeded(AmendsError):
    """No answer came in time. The outcome is unknown: ask for the state, or send the same message id again."""


class ActorStopped(AmendsError):
    """The actor has stopped, or stopped before it answered."""


class AskFailed(AmendsError):
    """The actor's handler raised instead of answering; its exception is the cause."""


class ActorNameTaken(AmendsError):
    """The parent has a child of this name, or one that is still stopping."""


# --- the operator -----------------------------------------------------------------------------------------------------


class InvalidSettings(AmendsError):
    """A setting, flag or environment variable is wrong."""


class StoreError(AmendsError):
    """The store refused, or could not be reached."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or opened at present; nothing was written."""


class StoreBusy(StoreError):
    """Another process holds the store for longer than the limit; nothing was written."""


class StoreFull(StoreError):
    """The disk, or the quota, is full; nothing was written."""


class StoreReadOnly(StoreError):
    """The store, or its folder, cannot be written."""


class StoreCorrupt(StoreError):
    """The file is damaged, or is no store of Amends."""


class StoreReplaced(StoreError):
    """The path no longer names the file that is open, or something was written over it from outside."""


class StoreTooNew(StoreError):
    """The store was written by a newer version of Amends."""


class CommitUnknown(StoreError):
    """A commit ended in an error that does not tell whether it happened; ask `Store.settle` what is true."""


class NodeNameTaken(AmendsError):
    """Another live node has this name."""


class AddressInUse(AmendsError):
    """The port to listen on is taken."""


class PeerRefused(AmendsError):
    """A peer is of another cluster, proves nothing, or speaks no protocol version that this node knows.

    The text may be told to the other side, whoever it is; `details` are for this node's own log.
    """

    def __init__(self, text: str, details: str = "") -> None:
        super().__init__(text)
        self.details = details or text


class LinkLost(AmendsError):
    """A link to a peer broke, or could not be made."""


class PortClosed(LinkLost):
    """Nothing listens at a peer's address: its machine answers, and says that no process has the port."""
