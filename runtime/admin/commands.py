"""The operator's command line.

Exit codes: 0 done, 1 failed, 2 bad input, 4 not found, 5 refused, 7 not shown, as the client's commands have them;
8 and 9 are said where they are made.
"""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Group

from runtime.admin import tables
from runtime.admin.account_view import account_view
from runtime.admin.arguments import SECONDS, as_json_option, check_known, limit_option
from runtime.admin.bulk_commands import discard_many, group_letters, replay_many
from runtime.admin.copies import backup, restore
from runtime.admin.copy_command import copy
from runtime.admin.definition_commands import check, definitions
from runtime.admin.doctor_command import doctor
from runtime.admin.history_commands import saga_history
from runtime.admin.known_types import known_types
from runtime.admin.letter_commands import discard_command, replay_command
from runtime.admin.pause_commands import pauses
from runtime.admin.proof_commands import proofs
from runtime.admin.repair_commands import repair
from runtime.admin.repair_many_commands import repair_many
from runtime.admin.run_commands import acts, runs
from runtime.admin.saga_commands import list_sagas, retry_saga
from runtime.admin.serve_command import serve
from runtime.admin.session import NEEDS_A_PERSON, Session
from runtime.admin.showing import show
from runtime.admin.timer_commands import list_timers
from runtime.admin.token_command import token
from runtime.admin.top_command import top
from runtime.admin.watching import watchable
from runtime.config import ENV_PREFIX, SETTINGS
from runtime.observe.console import run
from runtime.observe.conversation import Conversation, read_conversation
from runtime.observe.sequence import as_mermaid, as_object
from runtime.operate import objects
from runtime.operate.account import Account
from runtime.operate.busy import Work, refusals_of, warnings_of, works_of
from runtime.operate.dead_letters import NotFound, dead_letters
from runtime.operate.lookup import accounts, conversations_of_key
from runtime.operate.process_entry import AT_REST, OVERDUE
from runtime.operate.process_place import process_place_of
from runtime.operate.processes import choreographies_of, processes
from runtime.operate.shards import shards_of, whys
from runtime.operate.survey import nodes_of
from runtime.store.engine import StoreNotes
from runtime.store.open import store_notes
from runtime.store.port import OperatorStore
from runtime.store.records import ClusterView

__all__ = ["admin", "main"]

_kind = click.option("--kind", default="", help="Only the actor of this kind.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 bad input, 4 not found, 5 refused, 7 done, but could not be shown, "
    "8 one that fits needs a person (--exit-code), 9 done in part: more fit than --limit.",
)
@click.option(
    "--store",
    metavar="URL",
    envvar="AMENDS_STORE",
    default="sqlite:///amends.db",
    show_default=True,
    show_envvar=True,
    help="As the nodes have it. Before COMMAND.",
)
@click.option(
    "--contracts",
    envvar="AMENDS_CONTRACTS",
    multiple=True,
    default=("protos",),
    show_default=True,
    show_envvar=True,
    help="Module, or package of modules, with the protobuf messages to decode states with. Unless it is said, "
    "`explain` and `history` take those of the project's catalogue.",
)
@click.option("--json", "as_json", is_flag=True, help="As after COMMAND.")
@click.pass_context
def admin(ctx: click.Context, store: str, contracts: tuple[str, ...], as_json: bool) -> None:
    """See what a cluster does, read from its store. Works while nodes run, and when none does."""
    session = ctx.ensure_object(Session)
    session.url, session.contracts = store, contracts
    session.contracts_are_said = ctx.get_parameter_source("contracts") is not ParameterSource.DEFAULT
    if as_json:
        ctx.default_map = _in_json(admin)


def _in_json(group: click.Group) -> dict[str, Any]:
    """Defaults of every command in the group, and in the groups in it."""
    found: dict[str, Any] = {"as_json": True}
    for name, command in group.commands.items():
        found[name] = _in_json(command) if isinstance(command, click.Group) else {"as_json": True}
    return found


admin.add_command(backup)
admin.add_command(restore)
admin.add_command(copy)
admin.add_command(doctor)
admin.add_command(list_sagas)
admin.add_command(retry_saga)
admin.add_command(repair)
admin.add_command(repair_many)
admin.add_command(runs)
admin.add_command(acts)
admin.add_command(definitions)
admin.add_command(check)
admin.add_command(saga_history)
admin.add_command(serve)
admin.add_command(token)
admin.add_command(pauses)
admin.add_command(proofs)
admin.add_command(list_timers)
admin.add_command(top)


@admin.command()
@click.option(
    "--clock-skew-max-s",
    type=SECONDS,
    envvar=f"{ENV_PREFIX}CLOCK_SKEW_MAX_S",
    default=SETTINGS["clock_skew_max_s"].default,
    show_default=True,
    help="Name the nodes whose machine's clock is further off than this; as the nodes are set.",
)
@as_json_option
@click.pass_obj
def nodes(session: Session, as_json: bool, clock_skew_max_s: float) -> None:
    """Nodes that have joined, their leases, how far off their machines' clocks are, what blocks them or they refuse."""

    async def read(store: OperatorStore) -> tuple[ClusterView, tuple[Work, ...], tuple[str, ...]]:
        notes, view = await store.busy(), await store.cluster()
        return view, works_of(view, notes), tuple(refusals_of(view, notes))

    view, works, refusals = session.run(read)
    notes = StoreNotes() if session.store is not None else store_notes(session.url)
    show(
        as_json,
        objects.node_objects(view, works, notes.log_bytes),
        tables.nodes_table(nodes_of(view)),
        "no node has joined",
    )
    for text in (*warnings_of(works, view.now_s), *refusals):
        click.echo(f"warning: {tables.printable(text)}", err=True)
    for node in view.nodes:
        if abs(node.clock_off_s) > clock_skew_max_s:
            name, off = tables.printable(node.name), tables.clock_of(node)
            click.echo(f"warning: the clock of {name}'s machine is {off}; the node does not go by it", err=True)
    for text in notes.warnings:  # on stderr: what reads the listing is not to trip over it
        click.echo(f"warning: {text}", err=True)


@admin.command()
@as_json_option
@click.pass_obj
def shards(session: Session, as_json: bool) -> None:
    """Which node owns which slices of which kind, and why that one."""
    view = session.run(lambda store: store.cluster())
    reasons = whys(view)
    rows = [{**asdict(row), "why": reasons[row.kind, row.shard]} for row in view.shards]
    show(as_json, rows, tables.shards_table(shards_of(view)), "no shard was ever taken")


@admin.command("processes")
@click.option("--status", type=click.Choice(["parked", "waiting", OVERDUE, AT_REST]), help="Only those so.")
@click.option("--kind", default="", metavar="NAME", help="Only those of this choreography.")
@click.option("--key", default="", metavar="PREFIX", help="Only those whose key begins like this.")
@click.option("--age", "age_s", type=SECONDS, default=0.0, metavar="SECONDS", help="Only those as old.")
@click.option("--after", default="", metavar="PLACE", help="Go on from the end of the page before, which names it.")
@click.option("--exit-code", is_flag=True, help="Exit with 8 if one that fits has dead letters, or is overdue.")
@limit_option
@as_json_option
@click.pass_obj
def list_processes(session: Session, /, exit_code: bool, as_json: bool, kind: str, after: str, **wanted: Any) -> None:
    """Processes that no saga drives: what they wait for, open ones first. At rest: nobody has anything to do."""
    page = session.run(
        lambda store: processes(store, kind=kind, after=process_place_of(after) if after else None, **wanted)
    )
    entries = [entry for entry, _ in page.entries]
    show(as_json, [asdict(one) for one in entries], tables.processes_table(entries, session.now_s()), "no process")
    if not entries and not after:
        check_known(session, kind, "the choreography", choreographies_of)
    if page.next is not None:
        click.echo(f"warning: more fit, beyond --limit; the next page: --after {shlex.quote(page.next.text)}", err=True)
    if exit_code and page.needs_a_person:
        raise SystemExit(NEEDS_A_PERSON)


@admin.group("dead-letters", invoke_without_command=True)
@limit_option
@as_json_option
@click.pass_context
def dead_letters_group(ctx: click.Context, limit: int, as_json: bool) -> None:
    """Messages that were given up on; `replay` or `discard` one of them, or many."""
    if ctx.invoked_subcommand is None:
        session: Session = ctx.obj
        found = session.run(lambda store: dead_letters(store, limit=limit + 1))
        letters = found[:limit]
        table = tables.dead_letters_table(letters, session.now_s())
        show(as_json, [objects.letter_object(letter) for letter in letters], table, "no dead letter")
        if len(found) > limit:
            click.echo("warning: there are more, beyond --limit", err=True)


LISTINGS = (nodes, shards, list_sagas, list_processes, dead_letters_group, list_timers, pauses, definitions, proofs)
for listing in (*LISTINGS, runs):
    watchable(listing)

for command in (group_letters, replay_command, discard_command, replay_many, discard_many):
    dead_letters_group.add_command(command)


@admin.command()
@click.argument("key", metavar="[KIND/]KEY")
@_kind
@as_json_option
@click.pass_obj
def explain(session: Session, key: str, kind: str, as_json: bool) -> None:
    """Every actor with this KEY, or the one of this KIND: its state, and what it waits for."""

    async def read(store: OperatorStore) -> list[Account]:
        found = await accounts(store, known_types(session), key, kind=kind)
        if not found:
            raise NotFound(_unknown(key, kind))
        return found

    found = session.run(read)
    views = Group(*(account_view(account, session.now_s()) for account in found))
    show(as_json, [objects.account_object(account) for account in found], views)


@admin.command()
@click.argument("key", metavar="[KIND/]KEY")
@_kind
@click.option("--format", "form", type=click.Choice(["text", "mermaid", "json"]), help="  [default: text]")
@click.option("--json", "as_json", is_flag=True, help="As --format json.")
@click.pass_obj
def conversation(session: Session, key: str, kind: str, form: str | None, as_json: bool) -> None:
    """The messages that made the actors with this KEY, in sequence, and what became of each."""
    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} are two forms; leave one of them out")

    async def read(store: OperatorStore) -> list[Conversation]:
        ids = await conversations_of_key(store, key, kind=kind)
        if not ids:
            raise NotFound(_unknown(key, kind))
        return [await read_conversation(store, id) for id in ids]

    found = session.run(read)
    if form == "mermaid":
        click.echo("\n".join(as_mermaid(one) for one in found), nl=False)
    else:
        objects_ = {"key": key, "conversations": [as_object(one) for one in found]}
        show(as_json or form == "json", objects_, Group(*(tables.conversation_view(one) for one in found)))


def _unknown(key: str, kind: str) -> str:
    where = f"actor of kind {kind!r}" if kind else "actor"
    return f"no {where} has the key {key!r}, and no mail waits for one"


def main() -> None:
    run(admin, "python -m runtime.admin")
