"""`proofs` lists what was proven of each version of a saga; `proofs add` puts files of the test kit into a store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click
from rich import box
from rich.table import Table
from rich.text import Text

from runtime.admin.arguments import as_json_option, as_one_object, limit_option
from runtime.admin.session import Session, say_done
from runtime.admin.showing import show
from runtime.admin.tables import printable
from runtime.operate.proofs.by_version import READ_MAX, VersionProofs, proofs_by_version
from runtime.operate.proofs.kept import AddedProofs, KeptProof, add_proofs
from runtime.operate.proofs.proof import Proof, ProofResult
from runtime.operate.proofs.proof_file import method_of, read_file
from runtime.operate.proofs.proof_objects import version_object
from runtime.operate.proofs.standing import Proven
from runtime.operate.spans import span
from runtime.store.port import OperatorStore

__all__ = ["proofs"]

_SHOWN_MAX = 5  # proofs of one version in the table; --json has all of them
_STYLES = {Proven.BROKEN: "bold red", Proven.PASSED: "green", Proven.NOT_PROVEN: "yellow"}


@click.group("proofs", invoke_without_command=True)
@limit_option
@as_json_option
@click.pass_context
def proofs(ctx: click.Context, limit: int, as_json: bool) -> None:
    """What explorations, seeds and crashes have proven of each version of a saga; `add` the files that they write.

    Every version that the store knows is listed, broken ones first, and then those that are not proven. Of each the
    five newest proofs are shown, and with --json all that are kept.
    """
    if ctx.invoked_subcommand is not None:
        return
    session: Session = ctx.obj
    found = session.run(proofs_by_version)
    shown = found.versions[:limit]
    show(as_json, [version_object(one) for one in shown], _table(shown, session.now_s()), "no version of a saga")
    if len(found.versions) > limit:
        click.echo("warning: there are more, beyond --limit", err=True)
    if not found.is_all:
        click.echo(f"warning: the store has more proofs than the {READ_MAX:,} that were read", err=True)


@proofs.command("add")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(dir_okay=False, path_type=Path))
@as_one_object
@click.pass_obj
def add(session: Session, files: tuple[Path, ...], as_json: bool) -> None:
    """Add the proofs of each FILE to the store; all files, or none if one of them is wrong.

    Runs write such files: --proof of `explore`, `simulate` and `failpoints`, or write_proofs in a test. A proof that
    is there already is kept once. One of a version that the store has never heard of is kept, too.
    """

    async def put(store: OperatorStore) -> AddedProofs:
        return await add_proofs(store, [proof for file in files for proof in read_file(file)])

    done = session.run(put, writes=True)
    say_done(as_json, "proofs add", {**asdict(done), "unknown": list(done.unknown)}, _done_text(done))
    for one in done.unknown:
        name = printable(one).plain
        click.echo(f"warning: the store has never heard of {name}; its proofs are kept all the same", err=True)


def _done_text(done: AddedProofs) -> str:
    told = [f"{done.added:,} added"]
    if done.there_before:
        told.append(f"{done.there_before:,} were there before")
    if done.too_old:
        told.append(f"{done.too_old:,} are older than those that are kept of their version")
    return ", ".join(told)


def _table(found: Iterable[VersionProofs], now_s: float) -> Table:
    table = Table("kind", "version", "proven", "by", box=box.SIMPLE_HEAD, pad_edge=False)
    for one in found:
        kind = printable(one.kind if one.entry else f"{one.kind} (not in this store)")
        standing = Text(one.standing.text, _STYLES[one.standing.standing])
        lines = [printable(_line(kept, now_s)) for kept in one.kept[:_SHOWN_MAX]] or [Text("nothing")]
        if len(one.kept) > _SHOWN_MAX:
            lines.append(Text(f"and {len(one.kept) - _SHOWN_MAX:,} older"))
        table.add_row(kind, printable(one.version), standing, Text("\n").join(lines))
    return table


def _line(kept: KeptProof, now_s: float) -> str:
    when = f"{span(now_s - kept.row.made_at_s)} ago"
    if kept.proof is None:
        return f"{when}, {kept.row.result}: {kept.unreadable}"
    return f"{when}, {_result(kept.proof)}: {kept.proof.did.text()}"


def _result(proof: Proof) -> str:
    method = method_of(proof)
    if proof.result is ProofResult.BROKEN:
        return f"{method} broke {proof.broke}"
    return f"{method} clean, {proof.short_of}" if proof.short_of else f"{method} clean"
