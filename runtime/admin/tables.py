"""How the operator's view looks on a terminal: records in, rich tables out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runtime.envelope import address_of
from runtime.observe.conversation import Conversation, MessageStatus, TracedMessage
from runtime.observe.sequence import milliseconds
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.process_entry import ProcessEntry
from runtime.operate.shards import ShardEntry
from runtime.operate.spans import span
from runtime.operate.survey import WAITS, SagaEntry
from runtime.operate.timers import TimerEntry
from runtime.saga import drawn_text
from runtime.store.records import NodeRow

__all__ = [
    "clock_of",
    "conversation_view",
    "counts_table",
    "dead_letters_table",
    "due",
    "nodes_table",
    "printable",
    "processes_table",
    "sagas_table",
    "shards_table",
    "table_of",
    "timers_table",
]

_CHARS_MAX = 4_000  # of one text in a table
_STYLES = {
    MessageStatus.HANDLED: "green",
    MessageStatus.FIRED: "green",
    MessageStatus.UNDONE: "cyan",
    MessageStatus.IGNORED: "dim",
    MessageStatus.ELSEWHERE: "dim",
    MessageStatus.WAITING: "yellow",
    MessageStatus.RETRYING: "yellow",
    MessageStatus.FAULTED: "red",
    MessageStatus.PARKED: "bold red",
}


def printable(text: str) -> Text:
    """Text from the store as it may be shown: control characters escaped, so that no key can drive a terminal.

    What is very long is cut: to lay it out would take minutes, and nobody reads it. JSON has all of it.
    """
    shown = Text(drawn_text.printable(text[:_CHARS_MAX]))
    more = len(text) - _CHARS_MAX
    return shown.append(f"... ({more:,} characters more, which --json shows)", "dim") if more > 0 else shown


def clock_of(node: NodeRow) -> Text:
    """How far the clock of a node's machine is off."""
    return Text(f"{span(abs(node.clock_off_s))} {'ahead' if node.clock_off_s > 0 else 'behind'}", "yellow")


def nodes_table(nodes: Iterable[tuple[NodeRow, float, int]]) -> Table:
    table = table_of("node", "address", "kinds", ">shards", "lease", "clock", "incarnation", "version")
    for node, left_s, shards in nodes:
        lease = Text(f"{span(left_s)} left", "green") if left_s > 0 else Text(f"expired {span(-left_s)} ago", "red")
        kinds = printable(", ".join(node.kinds))
        table.add_row(
            printable(node.name),
            printable(node.address),
            kinds,
            str(shards),
            lease,
            clock_of(node) if node.clock_off_s else Text("right", "green"),
            printable(node.incarnation),
            printable(node.version),
        )
    return table


def shards_table(entries: Iterable[ShardEntry]) -> Table:
    table = table_of("kind", "owner", ">count", "shards", "why")
    for entry in entries:
        owner = printable(entry.owner or "nobody")
        if not entry.alive:
            owner.append(" (no lease)" if entry.owner else "", "red")
        table.add_row(printable(entry.kind), owner, str(len(entry.shards)), _ranges(entry.shards), printable(entry.why))
    return table


def sagas_table(entries: Iterable[SagaEntry], now_s: float) -> Table:
    table = table_of("saga", "status", "open steps", "last progress", "reason")
    for entry in entries:
        style = {"stuck": "bold red", WAITS: "bold red", "running": "yellow", "compensating": "yellow"}.get(
            entry.status, "green"
        )
        table.add_row(
            printable(address_of(entry.kind, entry.key)),
            Text(entry.status, style).append(_marks(entry, now_s), "bold red"),
            printable(entry.step),
            f"{span(now_s - entry.last_progress_at_s)} ago",
            printable(entry.reason),
        )
    return table


def counts_table(counts: Iterable[tuple[str, str, int]]) -> Table:
    table = table_of("kind", "status", ">sagas")
    for kind, status, number in counts:
        table.add_row(printable(kind), printable(status), f"{number:,}")
    return table


def processes_table(entries: Iterable[ProcessEntry], now_s: float) -> Table:
    table = table_of("process", "key", "status", "started", "open", "conversation")
    for entry in entries:
        style = {"parked": "bold red", "overdue": "bold red", "waiting": "yellow"}.get(entry.status, "green")
        table.add_row(
            printable(entry.kind),
            printable(entry.key),
            Text(entry.status, style),
            f"{span(now_s - entry.started_at_s)} ago",
            printable(", ".join(entry.open)),
            entry.conversation,
        )
    return table


def _marks(entry: SagaEntry, now_s: float) -> str:
    count, since = entry.dead_letters, (("owes an undo", entry.owed_at_s), ("outcome unknown", entry.unknown_at_s))
    letters = f", {count} dead letter{'s' if count > 1 else ''}" if count else ""
    return "".join([*(f", {what} for {span(now_s - at_s)}" for what, at_s in since if at_s), letters])


def dead_letters_table(letters: Iterable[ParkedMail], now_s: float) -> Table:
    table = table_of("id", "to", "message", "from", ">attempts", "parked", "reason")
    for letter in letters:
        table.add_row(
            letter.row.id.hex(),
            printable(address_of(*letter.row.address)),
            printable(letter.type or "unreadable"),
            printable(letter.sender),
            str(letter.row.attempts),
            f"{span(now_s - letter.row.parked_at_s)} ago",
            printable(letter.row.parked),
        )
    return table


def timers_table(entries: Iterable[TimerEntry], now_s: float) -> Table:
    table = table_of("actor", "timer", "for", "due", ">attempts")
    for entry in entries:
        actor, attempts = printable(address_of(entry.kind, entry.key)), str(entry.attempts)
        table.add_row(actor, printable(entry.name), printable(entry.purpose), due(entry.due_at_s, now_s), attempts)
    return table


def due(at_s: float, now_s: float) -> str:
    """How far off an instant is."""
    return f"in {span(at_s - now_s)}" if at_s >= now_s else f"{span(now_s - at_s)} ago"


def conversation_view(conversation: Conversation) -> RenderableType:
    """The sequence of messages, and below it what is still open."""
    table = table_of(">", ">sent ms", ">handled ms", "from", "to", "message", "outcome", ">runs", "node", "note")
    for number, message in enumerate(conversation.messages, 1):
        table.add_row(str(number), *_sequence_cells(conversation, message))
    open_ = conversation.open
    parked = sum(message.status is MessageStatus.PARKED for message in open_)
    rest = "at rest: every message was handled"
    if open_:
        rest = f"open: {len(open_) - parked} waiting, {parked} parked"
    if deaf := {name: None for message in conversation.messages for name in message.unheard}:
        rest += f"; nobody listens to {', '.join(deaf)}"
    return Group(Text(f"conversation {conversation.id.hex()}, {rest}"), table)


def _sequence_cells(conversation: Conversation, message: TracedMessage) -> Sequence[RenderableType]:
    return (
        _ms(milliseconds(conversation, message.sent_at_s)),
        _ms(milliseconds(conversation, message.handled_at_s)),
        printable(message.sender),
        printable(message.to),
        printable(message.short_type),
        Text(message.status.value, _STYLES[message.status]),
        str(message.attempts or ""),
        printable(message.node.partition("@")[0]),
        printable(message.note),
    )


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _ranges(numbers: Sequence[int]) -> str:
    """0-3, 7"""
    parts: list[str] = []
    first = last = -2
    for number in numbers:
        if number == last + 1 and parts:
            last = number
            parts[-1] = f"{first}-{last}"
        else:
            first = last = number
            parts.append(str(number))
    return ", ".join(parts)


def table_of(*headings: str) -> Table:
    """A table whose cells fold instead of losing text; a heading that begins with > is of a column of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        number = heading.startswith(">")
        table.add_column(heading.removeprefix(">"), justify="right" if number else "left", overflow="fold")
    return table
