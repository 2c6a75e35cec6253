"""`lint`: finds what would make two runs of one seed differ, in Python source."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from runtime.errors import InvalidDefinition
from runtime.testing.commands import options
from runtime.testing.determinism.sources import Linted, lint_paths

__all__ = ["lint"]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@options.as_json
@click.pass_context
def lint(ctx: click.Context, paths: tuple[Path, ...], as_json: bool) -> None:
    """Find what breaks replay in files and folders of Python source.

    The report names loops over sets in their own order, the process's randomness, clocks, new ids, id() and hash(),
    threads, results that depend on which task ends first, and reads of the environment while a handler decides. A
    remark excuses a line where it cannot matter, if it says why: "# replay: each is only counted". Files that protoc
    generated are not read, nor are those files of the runtime that simulation replaces; --json lists the latter.
    """
    try:
        linted = lint_paths(*paths)
    except InvalidDefinition as error:
        raise click.BadParameter(str(error), param_hint="PATH") from error
    if not linted.files and not linted.left_out:
        raise click.BadParameter(f"no Python source is in {_told(paths)}, so nothing was read", param_hint="PATH")
    if as_json:
        click.echo(json.dumps(_as_object(linted)))
    else:
        for finding in linted.findings:
            click.echo(str(finding))
        click.echo(f"{len(linted.files)} files read, {len(linted.findings)} findings")
    ctx.exit(1 if linted.findings else 0)


def _told(paths: tuple[Path, ...]) -> str:
    return ", ".join(map(str, paths))


def _as_object(linted: Linted) -> dict[str, object]:
    return {
        "files": len(linted.files),
        "left_out": dict(linted.left_out),
        "findings": list(map(asdict, linted.findings)),
    }
