"""Numbers in place of texts that stand in very many rows of history: names of kinds, types and nodes, and outcomes.

    plan.history ──NameNumbers.numbered──▶ rows to insert        the table `names` has each text once
    HISTORY_IN_WORDS  what a query selects to have the texts again

They are a fifth of a row, and the nodes that ever lived are few beside the messages that they have handled. Names are
never removed.
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from runtime.store.columns import HISTORY

__all__ = ["HISTORY_IN_WORDS", "NameNumbers"]

_NAMED = ("kind", "outcome", "node", "type")
_SENDER = """case typeof(sender) when 'text' then sender
    else (select name from names where number = history.sender) || '/' || key end as sender"""
_IN_WORDS = {
    **{column: f"(select name from names where number = history.{column}) as {column}" for column in _NAMED},
    "sender": _SENDER,
}
_PLACES = tuple(HISTORY.names.index(column) for column in _NAMED)
_KEY_AT, _SENDER_AT, _WIDTH = HISTORY.names.index("key"), HISTORY.names.index("sender"), len(HISTORY.names)

HISTORY_IN_WORDS = ", ".join(_IN_WORDS.get(column, column) for column in HISTORY.names)


class NameNumbers:
    """What one writer knows of the numbers. It trusts only names that were there when a transaction began.

    A name that a transaction adds is forgotten with that transaction, since the transaction may be undone.
    """

    def __init__(self) -> None:
        self._connection: apsw.Connection | None = None
        self._known: dict[str, int] = {}
        self._has_added = False

    def begin(self, connection: apsw.Connection) -> None:
        """Call this first in a transaction that numbers rows."""
        if self._has_added or connection is not self._connection:
            self._known = dict(connection.execute("select name, number from names"))
            self._connection, self._has_added = connection, False

    def numbered(self, connection: apsw.Connection, rows: Sequence[object]) -> list[object]:
        """A flat list of rows of history with numbers for their names.

        A sender is a number if it is the actor of that kind which has the row's own key; else it stays a text.
        """
        found, known = list(rows), self._known
        for start in range(0, len(rows), _WIDTH):
            for place in _PLACES:
                name = str(rows[start + place])
                number = known.get(name)  # As nearly always.
                found[start + place] = self._number(connection, name) if number is None else number
            kind, slash, key = str(rows[start + _SENDER_AT]).partition("/")
            if slash and key == rows[start + _KEY_AT]:
                found[start + _SENDER_AT] = self._number(connection, kind)
        return found

    def _number(self, connection: apsw.Connection, name: str) -> int:
        number = self._known.get(name)
        if number is None:
            self._has_added = True
            connection.execute("insert or ignore into names (name) values (?)", (name,))
            number = int(connection.execute("select number from names where name = ?", (name,)).get)
        return number
