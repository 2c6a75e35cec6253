"""A port of the loopback for a server that a test starts."""

from __future__ import annotations

import socket

__all__ = ["reserved_port"]


def reserved_port() -> socket.socket:
    """A free port of the loopback. It is bound, so nobody gets it who does not ask for this very one."""
    port = socket.socket()
    port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port.bind(("127.0.0.1", 0))
    return port
