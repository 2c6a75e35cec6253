"""The picture of a whole flow: every text fits, nothing overlaps, and the same flow gives the same text."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest

from actors.catalogue import catalogue as orders
from examples.agent.catalogue import catalogue as agent
from examples.purchase.catalogue import catalogue as purchase
from examples.transfer.catalogue import catalogue as transfer
from examples.trip.catalogue import catalogue as trip
from runtime.saga.flow_map import OUTSIDE, FlowArrow, FlowMap, flow_of, mermaid_of
from runtime.saga.flow_picture import picture_of

SVG = "{http://www.w3.org/2000/svg}"
ODD = FlowMap(
    ("a", "b" * 40),
    ("s",),
    (
        FlowArrow("s", "a", "a", "to itself, " + "long " * 30, is_event=True),
        FlowArrow("s", OUTSIDE, "s", "Began<&>", is_event=True),
        FlowArrow("s", "b" * 40, "a", "back " * 20, is_event=False),
    ),
)
FLOWS = [flow_of(made()) for made in (orders, trip, purchase, transfer, agent)]
ALL = pytest.mark.parametrize("flow", [*FLOWS, ODD, FlowMap((), (), ())], ids=range(7))


def counts_of(flow: FlowMap) -> dict[str, str]:
    """Longer than the name of the kind for some, and none for others."""
    return dict.fromkeys((*flow.services, *flow.sagas)[::2], "12,000 wait, 3 given up, of very many")


def texts(flow: FlowMap, *, counted: bool = False) -> list[tuple[str, str, float, float, float]]:
    """Role, text, left, right, and y of each."""
    drawn = picture_of(flow, counts_of(flow)) if counted else picture_of(flow)
    found = ElementTree.fromstring(drawn).iter(f"{SVG}text")
    return [
        (one.get("class") or "", one.text or "", x, x + float(one.get("textLength") or 0), float(one.get("y") or 0))
        for one in found
        for x in [float(one.get("x") or 0)]
    ]


@ALL
def test_every_text_lies_within_the_picture_and_over_no_other(flow: FlowMap) -> None:
    width = float(ElementTree.fromstring(picture_of(flow)).get("width") or 0)
    for _, text, left, right, _ in texts(flow):
        assert 0 <= left <= right <= width, text
    for one, other in itertools.combinations(texts(flow), 2):
        apart = abs(one[4] - other[4]) > 12 or one[3] <= other[2] or other[3] <= one[2]
        assert apart, (one, other)


@ALL
def test_the_name_of_a_kind_lies_within_its_box(flow: FlowMap) -> None:
    boxes = list(ElementTree.fromstring(picture_of(flow)).iter(f"{SVG}rect"))
    names = [one for one in texts(flow) if one[0] in ("kind", "saga")]
    assert len(boxes) == len(names)
    for box, (_, text, left, right, _) in zip(boxes, names, strict=True):
        begin = float(box.get("x") or 0)
        assert begin < left and right < begin + float(box.get("width") or 0), text


@ALL
def test_counts_lie_within_the_boxes_of_their_kinds(flow: FlowMap) -> None:
    counts = counts_of(flow)
    boxes = list(ElementTree.fromstring(picture_of(flow, counts)).iter(f"{SVG}rect"))
    told = [one for one in texts(flow, counted=True) if one[0] == "count"]
    assert [text for _, text, *_ in told] == list(counts.values())
    for _, text, left, right, y in told:
        around = [box for box in boxes if float(box.get("x") or 0) < left]
        box = max(around, key=lambda one: float(one.get("x") or 0))
        assert right < float(box.get("x") or 0) + float(box.get("width") or 0), text
        assert y < float(box.get("y") or 0) + float(box.get("height") or 0), text
    for one, other in itertools.combinations(texts(flow, counted=True), 2):
        assert abs(one[4] - other[4]) > 12 or one[3] <= other[2] or other[3] <= one[2], (one, other)


@ALL
def test_each_message_has_a_row_and_the_same_flow_gives_the_same_text(flow: FlowMap) -> None:
    assert picture_of(flow) == picture_of(flow)
    assert sum(role == "label" for role, *_ in texts(flow)) == len(flow.arrows)


def test_what_would_be_markup_is_text() -> None:
    assert "Began<&>" in [text for _, text, *_ in texts(ODD)]


HOSTILE = FlowMap(
    ('a"]; click b "x', "a.b", "a_b", "a-b"),
    ('s"}} --> <script>alert(1)</script>',),
    (FlowArrow('p"&#x22;', "a.b", "a_b", 'say "hi"\nend `code` #35; <b> \0', is_event=False),),
)


def test_hostile_names_stay_text_in_a_picture() -> None:
    drawn = picture_of(HOSTILE)
    told = [one.text for one in ElementTree.fromstring(drawn).iter(f"{SVG}text")]
    assert HOSTILE.services[0] in told and HOSTILE.sagas[0] in told
    assert 'say "hi"\\nend `code` #35; <b> \\x00' in told


def test_hostile_names_stay_text_in_a_flowchart() -> None:
    first, *lines = mermaid_of(HOSTILE).splitlines()
    assert first == "flowchart LR" and len(lines) == 6, "a name adds no line"
    for line in lines:
        assert line.count('"') == 2 and not set("<>`") & set(line.split('"')[1]), line
    assert "say #quot;hi#quot;\\nend #96;code#96; #35;35#59; #60;b#62; \\x00" in lines[-1]


def test_kinds_that_differ_have_nodes_that_differ() -> None:
    lines = mermaid_of(HOSTILE).splitlines()[1:6]
    assert len({line.split("[")[0].split("{")[0] for line in lines}) == 5
