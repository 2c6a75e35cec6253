"""Parts of the system by which `bench.where` tells CPU time: which file, and which thread, belongs to which."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CLIENT", "GRPC", "LIBRARIES", "PARTS", "part_of_file", "part_of_thread"]

CALLS = "calls of clients"
HANDLERS = "handlers of the example"
SAGAS = "sagas decide"
TURNS = "turns and chains"
MESSAGES = "messages and their ids"
COMMITS = "commits are put together"
ROADS = "between actors and nodes"
LIBRARIES = "loop and libraries"
OTHER = "the rest of the runtime"
STORE = "threads of the store"
GRPC = "threads of gRPC"
CLIENT = "the client"

_FOLDERS: Mapping[str, str] = {
    "actors/gateway.py": CALLS,
    "actors/": HANDLERS,
    "protos/": HANDLERS,
    "runtime/gateway/": CALLS,
    "runtime/durable/node_client.py": CALLS,
    "runtime/durable/waiting/": CALLS,
    "runtime/saga/": SAGAS,
    "runtime/envelope.py": MESSAGES,
    "runtime/contracts.py": MESSAGES,
    "runtime/protos/": MESSAGES,
    "runtime/durable/caused.py": MESSAGES,
    "runtime/durable/command_ids.py": MESSAGES,
    "runtime/durable/turn/": TURNS,
    "runtime/durable/residence/": TURNS,
    "runtime/durable/region/": ROADS,
    "runtime/durable/": TURNS,
    "runtime/actor/": ROADS,
    "runtime/mesh/": ROADS,
    "runtime/store/": COMMITS,
    "runtime/adapters.py": LIBRARIES,  # the loop's ports: what takes time there is the library's
    "runtime/": OTHER,
    "": OTHER,
}
"""The longest beginning of a file's path, within the project, decides."""

PARTS = (CALLS, HANDLERS, SAGAS, TURNS, MESSAGES, COMMITS, ROADS, OTHER, LIBRARIES, STORE, GRPC, CLIENT)
"""In the order in which they are told and drawn."""


def part_of_file(path: str) -> str:
    """`path` is within the project, as "runtime/envelope.py"."""
    return _FOLDERS[max((start for start in _FOLDERS if path.startswith(start)), key=len)]


def part_of_thread(name: str) -> str:
    """That of another thread than the loop's; `name` is "" for those that no Python code has started."""
    if name in ("log", "watchdog"):
        return OTHER
    return GRPC if name == "" or name.startswith("Thread-") else STORE
