"""A conversation as a picture: all of its text fits, and pauses are folded."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

from runtime.observe.conversation import Conversation, MessageStatus
from runtime.observe.sequence_picture import as_svg
from tests.unit.observe.test_sequence import TALK, message

_SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str, role: str) -> list[tuple[float, float, str]]:
    """Where each begins and ends, and what it says."""
    found = [one for one in ElementTree.fromstring(picture).iter(f"{_SVG}text") if one.get("class") == role]
    return [
        (float(one.get("x", 0)), float(one.get("x", 0)) + float(one.get("textLength", 0)), one.text or "")
        for one in found
    ]


def test_actors_messages_and_what_became_of_them_are_told() -> None:
    picture = as_svg(TALK)
    assert [said for *_, said in texts(picture, "actor")] == ["client", "sales/ORD-1", "billing/ORD-1"]
    assert [said for *_, said in texts(picture, "label")] == ["PlaceOrder", "BillOrder"]
    assert [said for *_, said in texts(picture, "note")] == ["parked after 12 runs: ValueError: no; <such> # card"]
    assert as_svg(TALK) == picture


def test_a_pause_takes_one_row_however_long_it_is() -> None:
    later = message(3, sender="sales/ORD-1", sent_at_s=1000.0, handled_at_s=1000.0 + 3 * 86_400)
    talk = Conversation(b"T" * 16, (TALK.messages[0], later, replace(later, id=b"4" * 16)))
    assert [said for *_, said in texts(as_svg(talk), "pause")] == ["· · · 3.0 d without a message · · ·"]


def test_all_text_fits_between_columns_and_into_the_picture() -> None:
    long = "shop." + "Reserve" * 9 + "Seat"
    talk = Conversation(
        b"T" * 16,
        (
            message(1, type=long),
            message(2, sender="sales/ORD-1", to="client", type=long, status=MessageStatus.IGNORED, note="n" * 500),
            message(3, sender="sales/ORD-1", to="sales/ORD-1", type=long),
            message(4, sender="sales/" + "k" * 300, to="\u202eevil\x00/<&>", status=MessageStatus.ELSEWHERE),
        ),
    )
    picture = as_svg(talk)
    width = float(ElementTree.fromstring(picture).get("width", "0"))
    for role in ("actor", "label", "note", "time"):
        for begin, end, said in texts(picture, role):
            assert begin >= 0 and end <= width, said
    names = texts(picture, "actor")
    assert all(before[1] < after[0] for before, after in pairwise(names))
    assert "\u202e" not in picture and "\x00" not in picture


def test_a_conversation_without_messages_is_an_empty_picture() -> None:
    assert ElementTree.fromstring(as_svg(Conversation(b"T" * 16, ()))).tag == f"{_SVG}svg"
