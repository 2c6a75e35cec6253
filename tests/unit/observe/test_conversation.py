"""What became of each message of a conversation, and in which order it is told."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters import system_ports
from runtime.envelope import Envelope
from runtime.observe.conversation import CLIENT, Conversation, MessageStatus, conversation_of, read_conversation
from runtime.protos import durable_pb2
from runtime.store.memory import MemoryStore
from runtime.store.records import HistoryRow, MailRow, Outcome, Transition

TALK = b"T" * 16


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def handled(
    number: int,
    *,
    cause: int | None = None,
    at_s: float = 0.0,
    to: str = "sales",
    outcome: Outcome = Outcome.HANDLED,
    caused: tuple[int, ...] = (),
    error: str = "",
) -> HistoryRow:
    sent = durable_pb2.CausedList(
        caused=[durable_pb2.Caused(id=id_of(one), address=f"k{one}/K", type="shop.Sent") for one in caused]
    )
    return HistoryRow(
        TALK,
        id_of(number),
        to,
        "K",
        0,
        1,
        at_s or 100.0 + number,
        outcome,
        1,
        "node-1@abc",
        error,
        f"shop.Message{number}",
        "" if cause is None else f"from{cause}/K",
        b"" if cause is None else id_of(cause),
        99.0 + number,
        sent.SerializeToString(),
    )


def waiting(number: int, *, cause: int = 1, attempts: int = 0, parked: str = "", due_at_s: float = 0.0) -> MailRow:
    envelope = Envelope(
        id=id_of(number),
        kind="billing",
        key="K",
        type="shop.BillOrder",
        body=b"",
        conversation=TALK,
        cause=id_of(cause),
        sender="sales/K",
    )
    return MailRow(
        "billing", "K", 0, id_of(number), TALK, 100.0, number, due_at_s, attempts, parked, 0.0, envelope.encoded
    )


def numbers(conversation: Conversation) -> list[int]:
    return [int.from_bytes(message.id, "big") for message in conversation.messages]


def test_a_message_comes_after_its_cause_though_clocks_disagree() -> None:
    rows = [handled(2, cause=1, at_s=50.0), handled(1, at_s=60.0), handled(3, cause=2, at_s=40.0)]
    assert numbers(conversation_of(TALK, rows, [])) == [1, 2, 3]


def test_siblings_go_by_the_time_they_were_handled() -> None:
    rows = [handled(1), handled(2, cause=1, at_s=205.0), handled(3, cause=1, at_s=204.0)]
    assert numbers(conversation_of(TALK, rows, [])) == [1, 3, 2]


def test_what_still_waits_is_told_last_of_its_siblings() -> None:
    rows = [handled(1), handled(3, cause=1, at_s=500.0)]
    assert numbers(conversation_of(TALK, rows, [waiting(2)])) == [1, 3, 2]


def test_mail_waits_is_retried_or_is_parked() -> None:
    mail = [waiting(2), waiting(3, attempts=3, due_at_s=160.0), waiting(4, attempts=12, parked="ValueError: no")]
    found = conversation_of(TALK, [handled(1)], mail)
    assert [message.status for message in found.messages] == [
        MessageStatus.HANDLED,
        MessageStatus.WAITING,
        MessageStatus.RETRYING,
        MessageStatus.PARKED,
    ]
    assert found.messages[2].due_at_s == 160.0
    assert found.messages[3].note == "ValueError: no"
    assert found.messages[3].attempts == 12
    assert len(found.open) == 3


def test_a_clients_command_comes_from_the_client() -> None:
    (message,) = conversation_of(TALK, [handled(1)], []).messages
    assert message.sender == CLIENT
    assert message.to == "sales/K"
    assert message.short_type == "Message1"
    assert message.node == "node-1@abc"


def test_what_was_sent_and_is_in_neither_table_is_told_as_elsewhere() -> None:
    found = conversation_of(TALK, [handled(1, caused=(7,))], [])
    lost = found.messages[1]
    assert (lost.id, lost.status, lost.sender, lost.to) == (id_of(7), MessageStatus.ELSEWHERE, "sales/K", "k7/K")
    assert not found.open


def test_mail_that_was_handled_between_two_reads_is_told_once_as_handled() -> None:
    found = conversation_of(TALK, [handled(1), handled(2, cause=1)], [waiting(2)])
    assert [message.status for message in found.messages] == [MessageStatus.HANDLED, MessageStatus.HANDLED]


def test_undecodable_mail_is_shown_and_spoils_no_other() -> None:
    broken = replace(waiting(2, parked="undecodable"), envelope=b"\xff\xff")
    found = conversation_of(TALK, [handled(1)], [broken])
    assert [(message.short_type, message.sender) for message in found.messages] == [("Message1", CLIENT), ("?", "?")]


def test_damaged_rows_that_cause_each_other_are_shown_all_the_same() -> None:
    rows = [handled(1, cause=2), handled(2, cause=1), handled(3)]
    assert numbers(conversation_of(TALK, rows, [])) == [3, 1, 2]


def test_participants_are_named_in_the_order_they_appear() -> None:
    rows = [handled(1, to="sales"), handled(2, cause=1, to="billing")]
    assert conversation_of(TALK, rows, []).participants == (CLIENT, "sales/K", "from1/K", "billing/K")


def test_an_empty_conversation_is_empty() -> None:
    found = conversation_of(TALK, [], [])
    assert (found.messages, found.began_at_s, found.open) == ((), 0.0, ())


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(1.0, 1000.0)), max_size=20), st.randoms(use_true_random=False))
def test_no_message_is_lost_told_twice_or_told_before_its_cause(shape: list[tuple[int, float]], random: object) -> None:
    rows = [
        handled(number, cause=cause if cause < number else None, at_s=at_s)
        for number, (cause, at_s) in enumerate(shape, 1)
    ]
    random.shuffle(rows)  # type: ignore[attr-defined] # hypothesis hands over a random.Random
    found = numbers(conversation_of(TALK, rows, []))
    assert sorted(found) == list(range(1, len(shape) + 1))
    for row in rows:
        cause = int.from_bytes(row.cause, "big")
        if cause in found:
            assert found.index(cause) < found.index(int.from_bytes(row.id, "big"))


class HandledBetweenReads(MemoryStore):
    """Its nodes handle the waiting mail just before it is looked at."""

    async def mail_of_conversation(self, conversation: bytes) -> list[MailRow]:
        row = handled(2, cause=1, to="k2")
        await self.commit([Transition(address=("k2", "K"), history=(row,))])
        return []


async def test_a_message_that_moves_while_we_look_is_found() -> None:
    store = HandledBetweenReads(system_ports())
    await store.commit([Transition(address=("sales", "K"), history=(handled(1, caused=(2,)),))])
    found = await read_conversation(store, TALK)
    assert [message.status for message in found.messages] == [MessageStatus.HANDLED, MessageStatus.HANDLED]
