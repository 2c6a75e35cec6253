"""The message types by which a command shows states: those that are named, or else those of the project."""

from __future__ import annotations

from pathlib import Path

import click

from runtime.admin.session import Session, load_contracts
from runtime.contracts import Contracts
from runtime.errors import AmendsError
from runtime.project import read_project
from runtime.saga.named_catalogue import find_catalogue

__all__ = ["known_types"]


def known_types(session: Session) -> Contracts:
    """Those of --contracts, if that is said; else of the project's catalogue, if it names one; else of `protos`.

    A catalogue that cannot be read keeps nobody from looking at a store: a warning says why. Raises InvalidSettings.
    """
    if session.contracts_are_said:
        return load_contracts(session.contracts)
    try:
        name = read_project(Path.cwd()).catalogue
        if name:
            return find_catalogue(Path.cwd(), name, or_else="say --contracts").contracts
    except AmendsError as error:
        click.echo(f"warning: the message types of the project are not known: {error}", err=True)
    return load_contracts(session.contracts)
