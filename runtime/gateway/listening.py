"""Which addresses a `HOST:PORT` to listen on means, and whether all of them can be had.

A name may stand for several addresses, and clients dial any of them: a node that has some of them only would leave the
others to whoever has them. grpc is content with one; so they are looked up and tried here, and each is asked for alone.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from runtime.errors import AddressInUse, InvalidSettings

__all__ = ["Place", "is_wildcard", "places_of"]

_LOOPBACK_6 = "::1"
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_TRIES = 10  # how often a port is sought that is free on several addresses


@dataclass(frozen=True, slots=True)
class Place:
    """One address of this machine with a port."""

    family: int
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.family == socket.AF_INET6 else f"{self.host}:{self.port}"


def is_wildcard(host: str) -> bool:
    return host in ("0.0.0.0", "[::]")


async def places_of(listen: str) -> list[Place]:
    """All addresses that `listen` means, with one port that was free a moment ago. A single address keeps its port 0.

    Raises AddressInUse when another process has any of them, InvalidSettings when there is no such address.
    """
    host, _, port = listen.rpartition(":")
    places = [Place(family, where, int(port)) for family, where in await _hosts(host, listen)]
    if int(port):
        return _try_each(places, listen)
    if len(places) == 1 or is_wildcard(host):
        _try_each(places, listen)
        return places
    for _ in range(_TRIES):
        try:
            return _try_each(places, listen)
        except AddressInUse:  # A port was free on one address, and another process has it on the next.
            continue
    raise AddressInUse(f"cannot listen on {listen}: no port is free on all its addresses; name one")


async def _hosts(host: str, listen: str) -> list[tuple[int, str]]:
    if is_wildcard(host):  # grpc takes either wildcard for both families
        return [(socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host.strip("[]"), 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:  # Nobody knows the name.
        raise InvalidSettings(f"cannot listen on {listen}: {error.strerror or error}") from error
    hosts = [(int(family), str(where[0])) for family, _, _, _, where in found]
    if host.lower().rstrip(".") == "localhost":  # Some clients take it for either, whatever the tables say.
        hosts.append((socket.AF_INET6, _LOOPBACK_6))
    return list(dict.fromkeys(hosts))


def _try_each(places: Sequence[Place], listen: str) -> list[Place]:
    """The places that this machine has, bound all at once for a moment; several get the port that 0 became."""
    had: list[Place] = []
    missing: list[OSError] = []
    with ExitStack() as held:
        for place in places:
            port = had[0].port if had else place.port
            try:
                bound = held.enter_context(socket.socket(place.family, socket.SOCK_STREAM))
                had.append(Place(place.family, place.host, _bind(bound, place, port)))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise _in_use(listen, Place(place.family, place.host, port)) from error
                if error.errno not in _NO_SUCH_ADDRESS or not _may_be_missing(place):
                    raise InvalidSettings(f"cannot listen on {listen}: {error.strerror or error}") from error
                missing.append(error)
    if not had:
        raise InvalidSettings(f"cannot listen on {listen}: {missing[0].strerror}")
    return had


def _bind(bound: socket.socket, place: Place, port: int) -> int:
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if place.host == "::":  # The wildcard of IPv4 is tried by itself.
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    bound.bind((place.host, port))
    bound.listen()
    taken: Any = bound.getsockname()
    return int(taken[1])


def _may_be_missing(place: Place) -> bool:
    """A machine without IPv6 lacks its loopback and its wildcard, and then nobody can be reached by them."""
    return place.host in (_LOOPBACK_6, "::")


def _in_use(listen: str, place: Place) -> AddressInUse:
    named = "" if str(place) == listen else f" at {place}"
    return AddressInUse(
        f"cannot listen on {listen}: another process has this port{named}. Stop it, or listen elsewhere; "
        f"{listen.rpartition(':')[0]}:0 takes any free port."
    )
