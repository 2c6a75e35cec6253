"""The operator's `backup` and `restore`. How it is done: docs/howto/back-up-and-restore.md."""

from __future__ import annotations

from pathlib import Path

import click

from runtime.admin.arguments import as_one_object
from runtime.admin.session import Session, say_done
from runtime.store.open import back_up_store, restore_store

__all__ = ["backup", "restore"]

_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("to", type=_file)
@as_one_object
@click.pass_obj
def backup(session: Session, to: Path, as_json: bool) -> None:
    """Copy the store into the new file TO, while nodes run or not: whole, checked, and on the disk."""
    size = session.do(lambda: back_up_store(session.url, to))
    told = {"to": str(to), "bytes": size}
    say_done(as_json, "backup", told, f"{to} holds a whole copy of the store, {size} bytes")


@click.command()
@click.argument("source", metavar="FROM", type=_file)
@as_one_object
@click.pass_obj
def restore(session: Session, source: Path, as_json: bool) -> None:
    """Put the backup FROM in the store's place. Refused while a process has the store open.

    The backup is checked first. What comes of it is a cluster of its own: its nodes and those of the original refuse
    each other. The old file is kept beside it.
    """
    aside = session.do(lambda: restore_store(session.url, source, session.ports))
    kept = f"; what was there before is in {aside}" if aside else ""
    told = {"from": str(source), "kept": str(aside) if aside else None}
    say_done(as_json, "restore", told, f"the store is the copy of {source} now, as a cluster of its own{kept}")
