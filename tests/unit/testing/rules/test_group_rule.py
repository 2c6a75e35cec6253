"""Messages that were never mail: the ledger sees whether their group has handled them, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from runtime.envelope import Envelope
from runtime.store.groups import TransitionGroup
from runtime.store.records import MailRow, Transition, Verdict
from runtime.testing.conformance.samples import actor_row, history_row, id_of, mail_row, post, turn
from runtime.testing.rules.ledger import Ledger


def message(number: int, key: str, *, sequence: int = 1, undo_of: bytes = b"", due_at_s: float = 0.0) -> Envelope:
    return Envelope(
        id=id_of(number),
        kind="billing",
        key=key,
        type="trip.Pay",
        body=b"",
        conversation=id_of(0),
        cause=id_of(1),
        sender="billing/a",
        sequence=sequence,
        sent_at_s=100.0,
        due_at_s=due_at_s,
        undo_of=undo_of,
    )


def led_to(*numbers: int, key: str) -> Transition:
    handled = tuple(replace(history_row(number, key, sender="billing/a"), caused=b"") for number in numbers)
    return replace(turn(numbers[-1], key), consumed=(), history=handled)


def broken(*members: Transition) -> list[tuple[str, str]]:
    """What a ledger says of a group that was committed, after the mail of its first turn was posted."""
    ledger = Ledger()
    ledger.wrote([post(mail_row(1))], [Verdict.COMMITTED])
    ledger.wrote([TransitionGroup(members)], [Verdict.COMMITTED])
    return [(one.invariant, one.what) for one in ledger.violations]


def test_a_group_whose_messages_were_handled_in_it_breaks_nothing() -> None:
    assert broken(replace(turn(1), passed=(message(2, "b"),)), led_to(2, key="b")) == []


@pytest.mark.parametrize(
    ("passed", "members", "what"),
    [
        (message(2, "c"), [led_to(2, key="b")], "no turn of its group has handled it"),
        (message(2, "b", undo_of=id_of(9)), [led_to(2, key="b")], "is an undo"),
        (message(2, "b", due_at_s=500.0), [led_to(2, key="b")], "was sent for later"),
        (message(2, "b"), [replace(led_to(2, key="b"), mail=(mail_row(2, "b"),))], "was mail as well"),
        (message(2, "b"), [led_to(2, key="b"), led_to(3, key="d")], "that no other turn of it has led to"),
        (message(2, "b"), [led_to(2, key="b"), led_to(3, key="b")], "two turns of one actor"),
    ],
)
def test_a_group_that_is_not_what_it_should_be_is_told(passed: Envelope, members: list[Transition], what: str) -> None:
    told = broken(replace(turn(1), passed=(passed,)), *members)
    assert any(invariant == "I17" and what in text for invariant, text in told), told


def command(number: int = 2, key: str = "b", **differs: Any) -> Envelope:
    return replace(message(number, key), **{"cause": b"", "sender": "", "sequence": 0, **differs})


def begun_with(commands: Sequence[Envelope], *members: Transition) -> list[str]:
    """What a ledger says of a group that has begun with commands of clients."""
    ledger = Ledger()
    ledger.wrote([post(mail_row(1), mail_row(5, "b"))], [Verdict.COMMITTED])
    ledger.wrote([TransitionGroup(members, tuple(commands))], [Verdict.COMMITTED])
    return [one.what for one in ledger.violations if one.invariant == "I17"]


def test_a_group_that_begins_with_a_clients_command_breaks_nothing() -> None:
    first = replace(led_to(2, key="b"), passed=(message(3, "c"),))
    assert begun_with([command()], first, led_to(3, key="c")) == []
    assert begun_with([command()], led_to(2, key="b")) == []
    assert begun_with([command(), command(4, "d")], first, led_to(4, key="d"), led_to(3, key="c")) == []


@pytest.mark.parametrize(
    ("given", "members", "what"),
    [
        (command(4), [led_to(2, key="b")], "no turn of its group has handled it"),
        (command(3), [led_to(2, 3, key="b")], "no turn of its group has begun with it"),
        (command(), [replace(led_to(2, key="b"), consumed=(id_of(5),))], "together with what was"),
        (command(), [replace(led_to(2, key="b"), mail=(mail_row(2, "b"),))], "was mail as well"),
        (command(), [led_to(2, key="b"), led_to(3, key="d")], "that no other turn of it has led to"),
        (command(sender="billing/a"), [led_to(2, key="b")], "was sent by billing/a"),
        (command(undo_of=id_of(9)), [led_to(2, key="b")], "is an undo"),
    ],
)
def test_a_command_that_was_never_mail_and_does_not_begin_its_group_is_told(
    given: Envelope, members: list[Transition], what: str
) -> None:
    for before in ((), (command(8, "f"),)):
        told = begun_with([*before, given], *(led_to(8, key="f") for _ in before), *members)
        assert any(what in text for text in told), told


def test_a_command_that_waits_as_mail_and_is_handled_beside_that_is_told() -> None:
    assert begun_with([command(5)], led_to(5, key="b")) == [
        f"trip.Pay {id_of(5).hex()} of a client was handled beside its mail, which waits"
    ]


def test_a_message_that_overtakes_mail_of_its_sender_is_told() -> None:
    """The first of two messages was left as mail, and the second was handled at once."""
    ledger = Ledger()
    left = MailRow.of(message(2, "b", sequence=1), 3)
    first = replace(turn(1), mail=(left,), passed=(message(3, "b", sequence=2),))
    ledger.wrote([post(mail_row(1))], [Verdict.COMMITTED])
    ledger.wrote([TransitionGroup((first, led_to(3, key="b")))], [Verdict.COMMITTED])
    later = replace(
        turn(2, "b", start=actor_row("b", last=3)), history=(history_row(2, "b", revision=2, sender="billing/a"),)
    )
    ledger.wrote([later], [Verdict.COMMITTED])
    assert [(one.invariant, one.what) for one in ledger.violations if one.invariant == "I7"] != []
