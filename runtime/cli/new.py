"""`amends new`: writes a small project that runs and passes its tests as written.

    template/**/*.in ─▶ names put in ─▶ a folder apart ─▶ protos generated there ─▶ moved to its place, as a whole

The files of the template end in .in, since what they import is there only in the project that is made of them.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from runtime.cli.protos import Refused, generate
from runtime.cli.shadows import NameTaken, check_package

__all__ = ["new"]

_TEMPLATE = Path(__file__).with_name("template")
_PACKAGE = "package"  # the folder that gets the name of the project
_OWN = ("conftest", "node", "protos", "tests")  # other packages and modules of the project


@click.command(epilog="Exit codes: 0 written; 1 the disk did not take it; 2 refused. In both nothing was written.")
@click.argument("name")
@click.option(
    "--into",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where the project is written; empty, or not there yet.  [default: NAME]",
)
def new(name: str, into: Path | None) -> None:
    """Write a small project: a service, a saga with an undo, their contracts and tests.

    NAME is the Python package of its services and sagas. It runs and passes its tests as written: go on from there.
    """
    target = into if into is not None else Path(name)
    _check(name, target)
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "project"
            for path, text in _files(name):
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_text(text, encoding="utf-8")
            generate(made, [Path("protos")], write=True)
            _move(made, target)
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written: {error.strerror or error}") from error
    click.echo(f"{target} is written. Next: cd {target}; make test; and its README.md")


def _check(name: str, target: Path) -> None:
    """Raises Refused where a project of this name, or in this place, cannot be."""
    try:
        check_package(name)
    except NameTaken as error:
        raise Refused(f"{error}; nothing was written") from error
    if name == "amends":
        raise Refused("contracts of the package 'amends' are those of Amends; take another name; nothing was written")
    if name in _OWN:
        raise Refused(f"{name!r} is the name of another part of the project; take another name; nothing was written")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise Refused(f"{target} is no folder; name another one by --into; nothing was written")
    if target.exists() and (there := sorted(path.name for path in target.iterdir())):
        raise Refused(f"{target} is not empty (it has {there[0]}); name another one by --into; nothing was written")


def _files(name: str) -> Iterator[tuple[Path, str]]:
    """Paths from the root of the project, and what stands there."""
    words = {"{{name}}": name, "{{version}}": importlib.metadata.version("amends")}
    for source in sorted(_TEMPLATE.rglob("*.in")):
        parts = [name if part == _PACKAGE else part for part in source.relative_to(_TEMPLATE).parts]
        path, text = Path(*parts).with_suffix(""), source.read_text(encoding="utf-8")
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        yield (path if path.name != "gitignore" else Path(".gitignore")), text


def _move(made: Path, target: Path) -> None:
    """Copy it to the disk of its place, which may be another one, and rename it: nothing is seen there half written."""
    beside = target if target.exists() else target.parent
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside, prefix=".amends-") as folder:
        copy = Path(shutil.copytree(made, Path(folder) / "project"))
        if beside is not target:
            copy.rename(target)
            return
        for path in sorted(copy.iterdir()):
            path.rename(target / path.name)
