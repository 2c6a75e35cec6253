"""What the client's command line accepts: refused here, with what is allowed, before anything is sent."""

from __future__ import annotations

from typing import Final

import click

__all__ = ["CENTS", "INT64_MAX", "QUANTITY", "Address", "OptionText"]

INT64_MAX: Final = 2**63 - 1
QUANTITY: Final = click.IntRange(1, INT64_MAX)
CENTS: Final = click.IntRange(0, INT64_MAX)


class OptionText(click.ParamType[str]):
    """Any text that can go over the wire: not empty, and valid Unicode."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("must not be empty", param, ctx)
        try:
            value.encode()
        except UnicodeEncodeError:
            self.fail("is no valid Unicode text", param, ctx)
        return value


class Address(click.ParamType[str]):
    """Where a node listens. Port 0 is for listening only."""

    name = "host:port"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        host, _, port = value.rpartition(":")
        if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            self.fail(f"{value!r} is no HOST:PORT, such as 127.0.0.1:7650", param, ctx)
        return value
