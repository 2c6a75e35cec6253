"""The message types by which a command shows states: those that are named, or else those of the project."""

from __future__ import annotations

from pathlib import Path

import click

from runtime.admin.session import Session, load_contracts
from runtime.contracts import Contracts
from runtime.errors import AmendsError
from runtime.project import read_project
from runtime.saga.catalogue import Catalogue
from runtime.saga.named_catalogue import find_catalogue

__all__ = ["known_catalogue", "known_types", "types_of"]


def known_types(session: Session) -> Contracts:
    """Those of --contracts, if that is said; else of the project's catalogue, if it names one; else of `protos`.

    A catalogue that cannot be read keeps nobody from looking at a store: a warning says why. Raises InvalidSettings.
    """
    return load_contracts(session.contracts) if session.contracts_are_said else types_of(session, known_catalogue())


def types_of(session: Session, catalogue: Catalogue | None) -> Contracts:
    """The same, for who has the catalogue."""
    if session.contracts_are_said or catalogue is None:
        return load_contracts(session.contracts)
    return catalogue.contracts


def known_catalogue(name: str = "") -> Catalogue | None:
    """The one that is named, or that of the project in this folder; None without one, or if it cannot be read.

    Raises InvalidSettings for one that was named.
    """
    if name:
        return find_catalogue(Path.cwd(), name, or_else="say --catalogue")
    try:
        named = read_project(Path.cwd()).catalogue
        return find_catalogue(Path.cwd(), named, or_else="say --contracts") if named else None
    except AmendsError as error:
        click.echo(f"warning: the message types of the project are not known: {error}", err=True)
        return None
