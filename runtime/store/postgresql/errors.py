"""PostgreSQL's and the driver's errors in the words of the store: each names the cause, and what to do about it.

    translate(error, at) ──▶ a StoreError that means that nothing was written
    loses(error)         ──▶ whether the connection broke, so that nobody knows what became of a commit

No text tells a password: `at` names the server without one, and the driver's texts have none.
"""

from __future__ import annotations

import asyncio
import ssl

import asyncpg

from runtime.errors import StoreBusy, StoreCorrupt, StoreError, StoreFull, StoreReadOnly, StoreUnavailable

__all__ = ["FOREIGN", "loses", "may_pass", "repeats", "translate"]

FOREIGN = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What the driver raises. An internal error of its is one too: it raises that when a session ends at a bad moment."""

_COMES_BACK = ("57P03", "53300")  # It starts, or has no connection left.

_REPEATS = ("40001", "40P01")

_KINDS: dict[str, tuple[type[StoreError], str]] = {
    "25006": (StoreReadOnly, "it is read-only; name the primary, or set default_transaction_read_only off"),
    "28": (StoreUnavailable, "it refused the user; check user, password and pg_hba.conf"),
    "3D000": (StoreUnavailable, "the database does not exist; make it with CREATE DATABASE"),
    "3F000": (StoreUnavailable, "the schema does not exist; make it with CREATE SCHEMA, or correct its name"),
    "40001": (StoreBusy, "others write the same rows all the time; try again later"),
    "40P01": (StoreBusy, "others write the same rows all the time; try again later"),
    "42501": (StoreUnavailable, "the user lacks a right; grant it all rights on the schema and its tables"),
    "42P01": (StoreCorrupt, "it lacks what a store has; stop all nodes and restore it from a backup"),
    "42703": (StoreCorrupt, "it lacks what a store has; stop all nodes and restore it from a backup"),
    "42883": (StoreCorrupt, "it lacks what a store has; stop all nodes and restore it from a backup"),
    "53100": (StoreFull, "its disk is full; make room there"),
    "53200": (StoreBusy, "it is out of memory; give it more, or try again later"),
    "53300": (StoreUnavailable, "it has no connection left; raise max_connections, or the limit of the role"),
    "53": (StoreBusy, "it lacks resources; try again later"),
    "55P03": (StoreBusy, "another session holds rows for too long; see pg_stat_activity, or try again later"),
    "57014": (StoreBusy, "a statement took too long and was stopped; see pg_stat_activity, or try again later"),
    "57P03": (StoreUnavailable, "it is starting or stopping; try again later"),
    "57": (StoreUnavailable, "it ended the session; try again later"),
    "58": (StoreUnavailable, "it cannot read or write its files; see the log of the server"),
    "XX001": (StoreCorrupt, "its files are damaged; stop all nodes and restore it from a backup"),
    "XX002": (StoreCorrupt, "an index is damaged; rebuild it with REINDEX"),
    "08P01": (
        StoreUnavailable,
        "a pooler stands before it that refuses this; let it pool transactions, and add pooler=transaction to the URL",
    ),
}


def translate(error: BaseException, at: str) -> StoreError:
    """The error of a statement of which nothing was written, or of a connection that could not be made."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, asyncpg.PostgresError):
        state = "08P01" if _pools_statements(error) else str(getattr(error, "sqlstate", "") or "")
        kind, cure = _KINDS.get(state) or _KINDS.get(state[:2]) or (StoreUnavailable, "see the log of the server")
        return kind(f"the store {at} refused: {cure} ({state}: {error})")
    if isinstance(error, ssl.SSLError):
        return StoreUnavailable(f"TLS with the store {at} failed; check sslmode and sslrootcert ({error})")
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return StoreUnavailable(f"the store {at} did not answer in time; check that it runs and can be reached")
    return StoreUnavailable(
        f"the store {at} cannot be reached; check that it runs and the URL ({error or type(error)})"
    )


def loses(error: BaseException) -> bool:
    """Whether a statement may have been carried out although it raised.

    The server says what it undid, and what it undid was not written. It says nothing where the connection broke, and
    what it says while it ends a session may come after the commit.
    """
    if isinstance(error, asyncpg.PostgresError):
        state = str(getattr(error, "sqlstate", "") or "")
        return not _pools_statements(error) and (
            not state or state[:2] == "08" or state in ("57P01", "57P02", "57P03", "57P05")
        )
    # What the driver refuses has not been sent.
    return not isinstance(error, asyncpg.InterfaceError)


def repeats(error: BaseException) -> bool:
    """Whether the server undid a statement because of others that ran beside it: the same may succeed at once."""
    return isinstance(error, asyncpg.PostgresError) and getattr(error, "sqlstate", "") in _REPEATS


def _pools_statements(error: BaseException) -> bool:
    """Whether a pooler has refused a transaction; it closes the connection, and says why by text alone."""
    return "statement pooling mode" in str(error)


def may_pass(error: StoreError) -> bool:
    """Whether a server to which no connection could be made may take one in a moment."""
    cause = error.__cause__
    if not isinstance(cause, FOREIGN) or isinstance(cause, ssl.SSLCertVerificationError):
        return False
    return loses(cause) or getattr(cause, "sqlstate", "") in _COMES_BACK
