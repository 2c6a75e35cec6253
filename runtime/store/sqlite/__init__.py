"""The store on one machine: a SQLite file, shared by all local nodes.

store ──▶ worker (writer thread, under the file lock) ──▶ connection ──▶ commit, schema
      ──▶ reader (on the loop for a few rows, on its own thread for many)
"""

from runtime.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
