"""A schedule can be read: as lifelines in text, as Mermaid, and as a sentence a move."""

from __future__ import annotations

from runtime.testing.explorer.diagram import Arrow, Diagram, Event, Note

STORY = Diagram(
    ("client", "saga", "billing"),
    (
        Event((Arrow("client", "saga", "OrderPlaced"), Arrow("saga", "billing", "BillOrder", opens=True))),
        Event((Note("billing", "BillOrder: carried out"),)),
        Event((Arrow("billing", "saga", "OrderBilled"), Arrow("saga", "client", "CancelRefused"))),
    ),
    (Note("saga", "running; bill done"),),
)


def test_lifelines_stand_side_by_side_and_moves_are_numbered() -> None:
    assert STORY.text().splitlines() == [
        "     client              saga              billing",
        "  1     │─ OrderPlaced ───▶│                  │",
        "        │                  │· BillOrder ·····▶│",
        "  2     │                  │                  ■ BillOrder: carried out",
        "  3     │                  │◀─── OrderBilled ─│",
        "        │◀─ CancelRefused ─│                  │",
        "        │                  ■ running; bill done",
    ]


def test_an_arrow_may_pass_by_lifelines() -> None:
    past = Diagram(("a", "b", "c"), (Event((Arrow("c", "a", "back"), Arrow("a", "c", "forth"))),))
    _, back, forth = past.text().splitlines()
    assert back == "  1  │◀───────────── back ─│"
    assert forth == "     │─ forth ────────────▶│"


def test_a_label_that_is_too_long_is_cut() -> None:
    long = Diagram(("a", "b"), (Event((Arrow("a", "b", "x" * 80),)),))
    assert max(map(len, long.text().splitlines())) < 60
    assert "x…" in long.text()


def test_mermaid_has_the_same_moves_and_escapes_what_it_would_misread() -> None:
    assert STORY.mermaid("I5: it is wrong; really").splitlines() == [
        "sequenceDiagram",
        "    participant p0 as client",
        "    participant p1 as saga",
        "    participant p2 as billing",
        "    p0->>p1: OrderPlaced",
        "    p1-)p2: BillOrder",
        "    Note over p2: BillOrder: carried out",
        "    p2->>p1: OrderBilled",
        "    p1->>p0: CancelRefused",
        "    Note over p1: running#59; bill done",
        "    Note over p0,p2: I5: it is wrong#59; really",
    ]


def test_every_move_is_a_sentence() -> None:
    assert STORY.moves == 3
    assert STORY.lines()[:2] == [
        "client to saga: OrderPlaced; saga sends billing BillOrder",
        "billing: BillOrder: carried out",
    ]
