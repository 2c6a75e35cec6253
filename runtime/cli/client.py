"""`amends client`: what programs do with a client, from a command line.

    amends client ask OpenFlight '{"flight": "LX1"}' ──▶ RemoteClient ──gRPC──▶ a node
    a line, an exit code ◀──what became of it, or why nothing did──┘

A signal ends a command with 128 and its number; what was sent is still carried out.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import click
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import Message

from runtime.adapters import system_ports
from runtime.cli.calling import NOT_FOUND, REFUSED, CallOptions, ClientFailed, calls, common_options
from runtime.contracts import Contracts
from runtime.durable.client import TIMEOUT_S, ActorState, CommandAccepted, CommandOptions, CommandOutcome
from runtime.envelope import parse_address
from runtime.errors import AmendsError, InvalidMessage
from runtime.gateway.remote_client import RemoteClient
from runtime.observe.plain import as_line, as_plain
from runtime.protos.saga_pb2 import CancelRefused, SagaRecord

__all__ = ["client"]

_NAMED_MAX = 12  # commands that a misspelt one is told of
_timeout = click.option(
    "--timeout", type=click.FloatRange(0.001, 3600), default=TIMEOUT_S, show_default=True, metavar="SECONDS"
)
_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)


@click.group(
    epilog="Exit codes: 0 done, 1 failed, 2 bad input, 3 no node answers, 4 not found, 5 refused, 6 no answer in time, "
    "7 done, but could not be shown."
)
@common_options
def client() -> None:
    """Send commands to a cluster, and see what becomes of them."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # what its core notes of connections is not for people


def _sends(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments of a command that sends one."""
    for add in (
        click.option(
            "--timeout", type=click.FloatRange(0.001, 3600), default=TIMEOUT_S, show_default=True, metavar="S"
        ),
        click.option("--process", default="", metavar="NAME", help="The choreography that the command joins."),
        click.option("--to", default="", metavar="KIND/KEY", help="The actor that gets an event, which names none."),
        click.option("--conversation", default="", metavar="HEX", help="The conversation that it goes on with."),
        click.option("--id", "id", default="", metavar="HEX", help="32 digits; the same again is the same command."),
        click.argument("body", metavar="JSON"),
        click.argument("type", metavar="TYPE"),
    ):
        command = add(command)
    return command


@client.command()
@_sends
@calls
async def ask(client: RemoteClient, wanted: CallOptions, /, type: str, body: str, timeout: float, **given: str) -> None:
    """Send a command and wait for what became of it: 5 if it was given up.

    TYPE is the command's name, JSON its fields as protobuf writes them.
    """
    command, options = _message(client.contracts, type, body, given["to"]), _options(**given)
    outcome: CommandOutcome = await _with_id(options, client.ask(command, timeout=timeout, **options))
    name = outcome.message.DESCRIPTOR.full_name if outcome.message is not None else ""
    content = as_plain(outcome.message) if outcome.message is not None else {}
    fields = {"id": outcome.id.hex(), "conversation": outcome.conversation.hex(), "fault": outcome.fault}
    if outcome.fault and not wanted.as_json:
        raise ClientFailed(f"{type} was given up: {outcome.fault}", REFUSED)
    wanted.show({**fields, "type": name, "message": content}, _line(outcome.message))
    if outcome.fault:
        raise ClientFailed(f"{type} was given up", REFUSED)


@client.command()
@_sends
@calls
async def send(
    client: RemoteClient, wanted: CallOptions, /, type: str, body: str, timeout: float, **given: str
) -> None:
    """Send a command, and show its id once it is sure to be handled."""
    command, options = _message(client.contracts, type, body, given["to"]), _options(**given)
    accepted: CommandAccepted = await _with_id(options, client.send(command, timeout=timeout, **options))
    fields: dict[str, object] = {"id": accepted.id.hex(), "conversation": accepted.conversation.hex()}
    wanted.show(fields, accepted.id.hex())


@client.command()
@click.argument("actor", metavar="KIND/KEY")
@calls
async def read(client: RemoteClient, wanted: CallOptions, actor: str) -> None:
    """Show the committed state of a service or a saga."""
    found = await client.read(*parse_address(actor))
    if found is None:
        raise ClientFailed(f"there is no {actor}: it has not handled a message yet", NOT_FOUND)
    _show(client.contracts, wanted, actor, found)


@client.command()
@click.argument("actor", metavar="KIND/KEY")
@calls
async def watch(client: RemoteClient, wanted: CallOptions, actor: str) -> None:
    """Show the state of a service or a saga each time it changed; ends with the saga, or by a signal."""
    async with client.watch(*parse_address(actor)) as states:
        async for state in states:
            _show(client.contracts, wanted, actor, state)
            if isinstance(state.state, SagaRecord) and state.state.status in _ENDED:
                return


@client.command()
@click.argument("saga", metavar="KIND/KEY")
@click.option("--reason", required=True, help="Kept with the saga.")
@_timeout
@calls
async def cancel(client: RemoteClient, wanted: CallOptions, saga: str, reason: str, timeout: float) -> None:
    """Have a saga turn back: 5 if there is no way back."""
    kind, key = parse_address(saga)
    outcome = await client.cancel(kind, key, reason, timeout=timeout)
    why = outcome.message.reason if isinstance(outcome.message, CancelRefused) else outcome.fault
    if why:
        raise ClientFailed(f"{saga} is not cancelled: {why}", REFUSED)
    fields: dict[str, object] = {"saga": saga, "id": outcome.id.hex()}
    wanted.show(fields, f"{saga}  turns back")


# --- what goes in and out ---


def _message(contracts: Contracts, name: str, body: str, to: str) -> Message:
    """The command of this name, full or short; with `to` any message. Raises InvalidMessage with the names."""
    commands = {one.name: one for one in contracts if one.is_command or to}
    found = [one for full, one in commands.items() if name in (full, full.rpartition(".")[2])]
    if len(found) != 1:
        names = ", ".join(one.name for one in found) or ", ".join(sorted(commands)[:_NAMED_MAX]) or "none"
        one = "message" if to else "command"
        what = f"is no {one} of these contracts" if not found else f"is the name of several {one}s"
        raise InvalidMessage(f"{name!r} {what}; there are {names}")
    try:
        return Parse(body, found[0].message_type())
    except ParseError as error:
        fields = ", ".join(field.name for field in found[0].message_type.DESCRIPTOR.fields) or "no fields"
        why = str(error).partition("\n")[0]
        raise InvalidMessage(f"the JSON is no {found[0].name}, which has {fields}: {why}") from error


def _options(id: str, process: str, conversation: str, to: str) -> CommandOptions:
    """Always with an id, which is told when nobody knows what became of the command."""
    ports = system_ports()
    new_id = int(ports.clock.now_s() * 1000).to_bytes(6, "big") + ports.ids.new_id()[:10]
    options = CommandOptions(
        message_id=_hex(id, "--id") or new_id, process=process, conversation=_hex(conversation, "--conversation")
    )
    if to:
        options["kind"], options["key"] = parse_address(to)
    return options


def _hex(text: str, option: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidMessage(f"{option} {text!r} is no hexadecimal number of 32 digits") from None


async def _with_id(options: CommandOptions, call: Awaitable[Any]) -> Any:
    """Whoever does not learn what became of a command is told how to ask for the same again."""
    try:
        return await call
    except InvalidMessage:
        raise
    except AmendsError as error:
        raise type(error)(f"{error}; to ask for the same again: --id {options['message_id'].hex()}") from error


def _line(message: Message | None) -> str:
    if message is None:
        return "handled; it was answered by no event, or the event is lost: read the state"
    return f"{message.DESCRIPTOR.full_name}  {as_line(message)}"


def _show(contracts: Contracts, wanted: CallOptions, actor: str, found: ActorState) -> None:
    state, saga = found.state, ""
    if isinstance(state, SagaRecord):
        saga = SagaRecord.Status.Name(state.status).lower()
        state = contracts.parse(state.state_type, state.state) if state.state_type else state
    fields: dict[str, object] = {"actor": actor, "revision": found.revision, "type": state.DESCRIPTOR.full_name}
    status = {"status": saga} if saga else {}
    wanted.show(
        {**fields, **status, "state": as_plain(state)},
        f"{actor}  {found.revision}  {saga}{'  ' if saga else ''}{_line(state)}",
    )
