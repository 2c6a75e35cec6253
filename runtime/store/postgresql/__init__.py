"""The store of many machines: a PostgreSQL database, shared by all nodes.

store ──▶ lane (one or few connections each: commits, reads, membership) ──▶ connection ──▶ the server
      ──▶ commit (one statement for a group), settle (what became of it), schema (the tables), members
"""

from runtime.store.postgresql.store import PostgresqlStore

__all__ = ["PostgresqlStore"]
