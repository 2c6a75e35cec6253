"""What the driver raises, in the words of the store: what it means for a commit, and whether it may pass."""

from __future__ import annotations

import ssl

import asyncpg
import pytest

from runtime.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
)
from runtime.store.postgresql.errors import loses, may_pass, repeats, translate


def raised(error: Exception) -> StoreError:
    translated = translate(error, "postgresql://db/orders")
    translated.__cause__ = error
    return translated


@pytest.mark.parametrize(
    ("error", "kind", "cure"),
    [
        (asyncpg.DiskFullError("no space"), StoreFull, "make room"),
        (asyncpg.ReadOnlySQLTransactionError("no"), StoreReadOnly, "name the primary"),
        (asyncpg.LockNotAvailableError("no"), StoreBusy, "pg_stat_activity"),
        (asyncpg.QueryCanceledError("no"), StoreBusy, "took too long"),
        (asyncpg.DeadlockDetectedError("no"), StoreBusy, "try again later"),
        (asyncpg.DataCorruptedError("no"), StoreCorrupt, "restore it from a backup"),
        (asyncpg.TooManyConnectionsError("no"), StoreUnavailable, "raise max_connections"),
        (asyncpg.InsufficientPrivilegeError("no"), StoreUnavailable, "lacks a right"),
        (ssl.SSLCertVerificationError("no"), StoreUnavailable, "sslrootcert"),
        (ConnectionRefusedError("no"), StoreUnavailable, "check that it runs"),
        (TimeoutError(), StoreUnavailable, "did not answer in time"),
    ],
)
def test_an_error_names_its_cause_and_its_cure(error: Exception, kind: type[StoreError], cure: str) -> None:
    translated = raised(error)
    assert type(translated) is kind
    assert cure in str(translated)
    assert "postgresql://db/orders" in str(translated)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("in the middle of operation"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.CrashShutdownError("another process crashed"),
        asyncpg.InternalClientError("another operation is in progress"),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
def test_nobody_knows_what_became_of_a_commit_whose_session_ended(error: Exception) -> None:
    assert loses(error)
    assert may_pass(raised(error)), "and a new session may be made"


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DivisionByZeroError("undone"),
        asyncpg.DiskFullError("undone"),
        asyncpg.QueryCanceledError("undone"),
        asyncpg.InterfaceError("never sent"),
    ],
)
def test_what_the_server_undid_or_never_got_was_not_written(error: Exception) -> None:
    assert not loses(error)


def test_only_what_others_caused_is_repeated_at_once() -> None:
    assert repeats(asyncpg.DeadlockDetectedError("no"))
    assert repeats(asyncpg.SerializationError("no"))
    assert not repeats(asyncpg.LockNotAvailableError("no"))
    assert not repeats(ConnectionResetError())


def test_a_wrong_password_or_certificate_does_not_pass_by_waiting() -> None:
    for error in (asyncpg.InvalidPasswordError("no"), ssl.SSLCertVerificationError("no"), ValueError("sslmode")):
        assert not may_pass(raised(error))
    for error in (asyncpg.CannotConnectNowError("starting"), asyncpg.TooManyConnectionsError("no")):
        assert may_pass(raised(error))
