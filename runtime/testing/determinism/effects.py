"""What a handler of a service must not do whose class says `effects="none"`: such a run may be taken back.

    class Bills(Service[BillState], kind="bills", effects="none"): ...

Waiting is one of these: what a handler waits for is outside, and a chain of turns would wait with it.
"""

from __future__ import annotations

import ast

from runtime.testing.determinism.rules import ReplayRule

__all__ = ["EFFECT", "is_outside", "says_none", "waits_for_own"]

EFFECT = ReplayRule(
    "effect",
    'in a class that says effects="none"',
    "do it in a service of its own and send that a command, or take effects='none' out",
)

_NETWORKS = ("aiohttp", "boto3", "ftplib", "grpc", "http", "httplib2", "httpx", "requests", "smtplib", "socket", "ssl")
_STORES = ("asyncpg", "psycopg", "pymongo", "redis", "sqlalchemy", "sqlite3", "urllib", "urllib3", "websockets")
_PACKAGES = frozenset((*_NETWORKS, *_STORES, "asyncio", "io", "logging", "os", "shutil", "subprocess", "tempfile"))
_NAMES = frozenset(("builtins.open", "builtins.print", "builtins.input", "sys.stdout", "sys.stderr"))
_PURE = ("urllib.parse", "os.path", "http.HTTPStatus")
_HAVE_PURE = ("urllib", "os", "http")  # By themselves, they are only the way to one of these.


def says_none(node: ast.ClassDef) -> bool:
    return any(
        one.arg == "effects" and isinstance(one.value, ast.Constant) and one.value.value == "none"
        for one in node.keywords
    )


def is_outside(name: str) -> bool:
    """Whether a name in full belongs to what reaches beyond the process."""
    if name in _NAMES:
        return True
    if name in _HAVE_PURE:
        return False
    return name.partition(".")[0] in _PACKAGES and not any(name == one or name.startswith(f"{one}.") for one in _PURE)


def waits_for_own(node: ast.Await) -> bool:
    """Whether it is another method of the same object that is awaited."""
    match node.value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"))):
            return True
    return False
