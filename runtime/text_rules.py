"""Rules of settings that are texts: addresses, names, paths. Each raises ValueError, and says what the text must be."""

from __future__ import annotations

import re
from ipaddress import ip_address

__all__ = [
    "advertised",
    "check_reach",
    "collector_url",
    "header_name",
    "is_own",
    "listen_or_nowhere",
    "parse_listen",
    "plain_name",
    "some_path",
    "store_url",
    "wrong_reach",
]


def parse_listen(text: str) -> tuple[str, int]:
    """`HOST:PORT` as a pair; an IPv6 host stands in brackets, which stay. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ValueError("must be HOST:PORT with a port from 0 (any free one) to 65535, such as 127.0.0.1:7650")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError("must have brackets around an IPv6 host, such as [::1]:7650")
    return host, int(port)


def check_reach(listen: str, *, anywhere: bool) -> None:
    """Raises ValueError for what is no HOST:PORT, or for one beyond this machine, unless `anywhere` allows that."""
    if not is_own(listen) and not anywhere:
        raise ValueError(
            "must be an address of the loopback, such as 127.0.0.1:7660, since whoever reaches the admin service reads "
            "what customers have ordered; admin_reach=any (--anywhere on the command line) allows others: let nobody "
            "but operators reach it"
        )


def is_own(listen: str) -> bool:
    """Whether this HOST:PORT can be reached from this machine alone. Raises ValueError for what is none."""
    host, _ = parse_listen(listen)
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def wrong_reach(listen: str, reach: object) -> str:
    """Why the admin service does not listen there; empty when it may."""
    try:
        check_reach(listen, anywhere=reach == "any")
    except ValueError as error:
        return str(error)
    return ""


def advertised(text: str) -> None:
    """Empty for the address listened on; else one that others can dial."""
    if not text:
        return
    host, port = parse_listen(text)
    if port == 0:
        raise ValueError("must name the port that others dial; 0 is none")
    if host in ("0.0.0.0", "[::]"):
        raise ValueError("must name a host that others can dial; this one means all of a machine's own")


def listen_or_nowhere(text: str) -> None:
    """Empty for nowhere."""
    if text:
        parse_listen(text)


def collector_url(text: str) -> None:
    """Empty for nowhere; else the URL of what takes traces by OTLP over gRPC."""
    scheme, separator, place = text.partition("://")
    if text and (scheme not in ("http", "https") or not separator or not place or "/" in place.rstrip("/")):
        raise ValueError("must be http://HOST:PORT, or https:// for TLS, such as http://127.0.0.1:4317")


def header_name(text: str) -> None:
    """Empty for none."""
    if text and not re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]*", text):
        raise ValueError("must be the name of a header, such as x-forwarded-user")


def some_path(text: str) -> None:
    if "\0" in text or "://" in text:
        raise ValueError("must be the path of a file, and no URL")


def store_url(text: str) -> None:
    scheme, separator, _ = text.partition(":")
    if not separator or not scheme.isidentifier():
        raise ValueError("must be a URL of a store, such as sqlite:///amends.db")


def plain_name(text: str) -> None:
    if len(text) > 200 or any(char in "/#@" or not char.isprintable() for char in text):
        raise ValueError("must be up to 200 printable characters without / # @")
