"""Which database a URL names, and how to reach it; its text tells no password.

postgresql://user:password@host:5432/database?sslmode=verify-full&sslrootcert=/etc/ca.pem&schema=orders
                                              └─ the driver's, under libpq's names     └─ PostgresqlSettings
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from runtime.setting import Count, OneOf, Seconds, Text, setting
from runtime.store.options import read_options, split_options

__all__ = ["SYNCHRONOUS_COMMITS", "PostgresqlSettings", "PostgresqlTarget"]

SYNCHRONOUS_COMMITS = ("off", "local", "remote_write", "on", "remote_apply")  # from the weakest on

_OF_DRIVER = (
    *("host", "port", "user", "password", "passfile", "dbname", "database"),
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib"),
)


def _named(text: str) -> None:
    if not text or "\0" in text:
        raise ValueError("must be the name of a schema")


@dataclass(frozen=True, slots=True)
class PostgresqlSettings:
    """What a URL may set beside the options of the driver."""

    schema: str = setting("", Text(_named))  # where the tables are; empty: the first of the role's search_path
    # The weakest that is accepted, and asked for. Empty: local is the weakest, and the server's own is left alone.
    synchronous_commit: str = setting("", OneOf(SYNCHRONOUS_COMMITS))
    pooler: str = setting("", OneOf(("transaction",)))  # A pooler stands before the server, and pools transactions.
    readers: int = setting(4, Count(1, 100))  # connections that only read
    reconnect_s: float = setting(10.0, Seconds())  # for a server that is away, before a call is refused
    statement_s: float = setting(10.0, Seconds())  # for one statement, before the server ends it


@dataclass(frozen=True, slots=True)
class PostgresqlTarget:
    """A database as a URL names it."""

    dsn: str = field(repr=False)  # for the driver; may hold a password
    at: str  # for people: host, database and schema
    settings: PostgresqlSettings = field(default_factory=PostgresqlSettings)

    @property
    def weakest_commit(self) -> str:
        return self.settings.synchronous_commit or "local"

    @property
    def quoted_schema(self) -> str:
        """As SQL names it."""
        return '"' + self.settings.schema.replace('"', '""') + '"'

    @property
    def through_pooler(self) -> bool:
        return bool(self.settings.pooler)

    @classmethod
    def of(cls, url: str) -> PostgresqlTarget:
        """Raises InvalidSettings for options that nobody knows. It shows no value, since one might be a secret."""
        bare, options = split_options(url)
        of_driver = {name: options.pop(name) for name in _OF_DRIVER if name in options}
        settings = read_options(options, PostgresqlSettings)
        parts = urlsplit(bare)
        place = parts.netloc.rpartition("@")[2] or of_driver.get("host", "localhost")
        database = parts.path.lstrip("/") or of_driver.get("database", of_driver.get("dbname", ""))
        at = f"postgresql://{place}/{database}" + (f"?schema={settings.schema}" if settings.schema else "")
        query = urlencode(of_driver, safe="/", quote_via=quote)
        return cls(urlunsplit(("postgresql", parts.netloc, parts.path, query, "")), at, settings)
