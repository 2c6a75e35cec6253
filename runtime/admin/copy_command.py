"""The operator's `copy`: a whole system goes from one store to another. How: docs/howto/move-to-another-store.md."""

from __future__ import annotations

from dataclasses import asdict

import click

from runtime.admin.arguments import as_one_object
from runtime.admin.session import Session, say_done
from runtime.errors import InvalidSettings
from runtime.operate.copying import StoreCopied, copy_store
from runtime.ports import Ports
from runtime.store.open import open_store
from runtime.store.port import Store
from runtime.store_url import without_password

__all__ = ["copy"]

_TOLD_EVERY = 10_000


@click.command("copy")
@click.option("--from", "source", metavar="URL", help="What to copy, with its nodes stopped.  [default: --store]")
@click.option("--to", "target", metavar="URL", required=True, help="A store that is empty, or is not there yet.")
@as_one_object
@click.pass_obj
def copy(session: Session, source: str | None, target: str, as_json: bool) -> None:
    """Copy a whole system from one store to another, of any engine: processes in the middle, timers, mail, history.

    Refused while nodes run on the source, and into a store that has anything. Counts and digests of both are compared
    at the end. The copy is a cluster of its own; start the nodes on it once this says that it is done.
    """
    session.url = source or session.url
    done = session.run(lambda store: _copied(store, target, session.ports))
    counts = asdict(done)
    told = ", ".join(f"{count:,} {table}" for table, count in counts.items())
    text = f"{without_password(target)} has all of it, and nothing differs: {told}"
    say_done(as_json, "copy", {"to": without_password(target), **counts}, text)


async def _copied(source: Store, url: str, ports: Ports) -> StoreCopied:
    if url.startswith("memory:"):
        raise InvalidSettings("a copy in memory would end with this command; name a store that stays")
    target = open_store(url, ports)
    await target.open()
    try:
        if source.cluster_id == target.cluster_id:
            raise InvalidSettings("source and target are one and the same store; name another target")
        return await copy_store(source, target, _say)
    finally:
        await target.close()


def _say(table: str, count: int) -> None:
    """On stderr: what reads the outcome is not to trip over it."""
    if count % _TOLD_EVERY == 0:
        click.echo(f"{table}: {count:,}", err=True)
