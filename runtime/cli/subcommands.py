"""The subcommands of `amends`. Each is imported when it is asked for: one works without what the others need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

__all__ = ["amends"]


@dataclass(frozen=True, slots=True)
class _Subcommand:
    """What is known of a subcommand before it is imported."""

    about: str
    extra: str  # amends[extra] installs all that it needs
    load: Callable[[], click.Command]


def _admin() -> click.Command:
    from runtime.admin.commands import admin

    return admin


def _client() -> click.Command:
    from runtime.cli.client import client

    return client


def _demo() -> click.Command:
    from runtime.cli.demo import demo

    return demo


def _draw() -> click.Command:
    from runtime.cli.draw import draw

    return draw


def _new() -> click.Command:
    from runtime.cli.new import new

    return new


def _page() -> click.Command:
    from runtime.cli.page import page

    return page


def _protos() -> click.Command:
    from runtime.cli.protos import protos

    return protos


def _test() -> click.Command:
    from runtime.testing.commands.group import proving

    return proving


_NODE = ("node", "Run one node that hosts services of the project.")  # main.py begins it: its exit codes are others
_SUBCOMMANDS = {
    "admin": _Subcommand("See what a cluster does, and mend it.", "cli", _admin),
    "client": _Subcommand("Send commands to a cluster, and see what becomes of them.", "cli", _client),
    "demo": _Subcommand("Run the project's demo, on a store that is thrown away.", "cli", _demo),
    "draw": _Subcommand("Draw the project's sagas and choreographies, as Mermaid text.", "cli", _draw),
    "new": _Subcommand("Write a small project that runs, with its tests.", "protos", _new),
    "page": _Subcommand("Serve the operator's page, for people with a browser.", "page", _page),
    "protos": _Subcommand("Generate Python from contracts (.proto), or find drift.", "protos", _protos),
    "test": _Subcommand("Run whole clusters in simulation, under faults drawn from a seed.", "testing", _test),
}


class _Lazy(click.Group):
    """Imports a subcommand when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [_NODE[0], *_SUBCOMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        subcommand = _SUBCOMMANDS.get(cmd_name)
        if subcommand is None:
            return None
        try:
            return subcommand.load()
        except ModuleNotFoundError as missing:
            package = (missing.name or "runtime").partition(".")[0]
            if package == "runtime":
                raise
            text = f"amends {cmd_name} needs {package}: pip install 'amends[{subcommand.extra}]'"
            raise click.ClickException(text) from missing

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([_NODE, *((name, subcommand.about) for name, subcommand in _SUBCOMMANDS.items())])


@click.command(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Each has its own --help, with its exit codes. What a project says of itself is read from [tool.amends] in "
    "the pyproject.toml of the current folder, and modules are looked for in that folder first.",
)
@click.version_option(package_name="amends", message="amends %(version)s")
def amends() -> None:
    """Business processes across services, as supervised actors."""
