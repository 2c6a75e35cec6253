"""Reads a copy of what a power cut left, so that the next life boots on the untouched original."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import apsw

from runtime.store.records import ActorRow, HistoryRow, MailRow, Outcome
from runtime.store.sqlite.names import HISTORY_IN_WORDS
from runtime.store.summaries import ActorSummary
from tests.proof.power.books import RowsFound

__all__ = ["Damaged", "examine"]


class Damaged(Exception):
    """The file is corrupt, or cannot be opened."""


def examine(image: Mapping[str, bytes], folder: Path, name: str) -> RowsFound:
    """Open a copy of the image in an empty folder, as SQLite does after a crash. Raises Damaged.

    It reads the tables by SQL of its own, and not by the code under test.
    """
    for file, content in image.items():
        (folder / file).write_bytes(content)
    try:
        connection = apsw.Connection(str(folder / name))
        try:
            return _found(connection)
        finally:
            connection.close(force=True)
    except apsw.Error as error:
        raise Damaged(f"{name} cannot be read: {error!r}") from error
    finally:
        for left in folder.iterdir():
            left.unlink()


def _found(connection: apsw.Connection) -> RowsFound:
    verdict = [line for (line,) in connection.execute("pragma integrity_check")]
    if verdict != ["ok"]:
        raise Damaged(f"integrity_check: {'; '.join(map(str, verdict[:3]))}")
    if not connection.execute("select count(*) from sqlite_schema").get:
        return RowsFound()  # The power failed before the tables were made.
    return RowsFound(
        [_actor_row(row) for row in _rows(connection, "actors", ActorRow, ActorSummary)],
        [MailRow(*row) for row in _rows(connection, "mail", MailRow)],
        [_history_row(row) for row in connection.execute(f"select {HISTORY_IN_WORDS} from history")],
    )


def _rows(connection: apsw.Connection, table: str, *records: type[Any]) -> apsw.Cursor:
    names = [one.name for record in records for one in fields(record) if one.name != "summary"]
    return connection.execute(f"select {', '.join(names)} from {table}")


def _actor_row(row: tuple[Any, ...]) -> ActorRow:
    told = row[-len(fields(ActorSummary)) :]
    found = ActorRow(*row[: -len(told)])
    return found if told[0] is None else replace(found, summary=ActorSummary(*told))


def _history_row(row: tuple[Any, ...]) -> HistoryRow:
    found = HistoryRow(*row)
    return replace(found, outcome=Outcome(found.outcome))
