"""Draws what a whole catalogue does as SVG: a column for each kind, and below it a row for each message.

┌───────┐        ┌─────────┐       Each saga and each choreography has its rows, in the order of its definition.
│ trips │        │ flights │       Columns stand as far apart as the longest label between them wants, and a text
└───┬───┘        └────┬────┘       is as long as it was computed to be, whatever the font: so all of it fits.
    │ TripStarted     │            One grey that reads on white and on black stands for every colour.
    ├─ ─ ─ ─ ─ ─ ─ ─ ▶│
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from xml.sax.saxutils import quoteattr

from runtime.saga.drawn_text import in_xml
from runtime.saga.flow_map import OUTSIDE, FlowArrow, FlowMap

__all__ = ["picture_of"]

_GREY = "#767676"  # its contrast is above 4.5 on white, and on black
_CHAR, _SIZE = 7.2, 12  # px: how wide a character is, and how high the font
_PAD = 12  # px between a text and what is around it
_HEAD, _ROW, _LINE = 30, 38, 26  # px: the height of a box and of a row, and how far down in a row its arrow is
_LINE_OF_COUNTS = 18  # px that a box is higher with counts
_LOOP = 28  # px that an arrow from a kind to itself is wide
_TIP = 7  # px that the tip of an arrow is long


def picture_of(flow: FlowMap, counts: Mapping[str, str] = MappingProxyType({})) -> str:
    """The text of an SVG file. The same flow gives the same text. `counts` has what stands below the name of a kind."""
    kinds = _columns(flow)
    wide = {kind: max(_width(kind), _width(counts.get(kind, ""))) for kind in kinds}
    head = _HEAD + (_LINE_OF_COUNTS if counts else 0)
    processes = list(dict.fromkeys(one.process for one in flow.arrows))
    rows = [one for process in processes for one in flow.arrows if one.process == process]
    margin = _PAD + max((_width(one) for one in processes), default=0.0) + _PAD
    places = _places(wide, rows, margin)
    top = _PAD + head + _PAD
    width, height = _right_edge(places, rows, wide) + _PAD, top + _ROW * len(rows) + _PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" font-family="monospace" font-size="{_SIZE}" fill="{_GREY}" stroke="none" role="img">',
        f"<title>{in_xml(' · '.join(processes) or 'no process')}</title>",
        *(_box(kind, counts.get(kind, ""), places[kind], (wide[kind], head), kind in flow.sagas) for kind in kinds),
    ]
    said = ""
    for number, arrow in enumerate(rows):
        y = top + _ROW * number
        parts += _lifelines(places, arrow, y)
        if arrow.process != said:
            said = arrow.process
            parts.append(_text(said, _PAD, y + _LINE, "process"))
        parts += _arrow(places, arrow, y + _LINE)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _columns(flow: FlowMap) -> list[str]:
    """Who comes first in a process stands before whom it sends something; whoever sends nothing stands last."""
    met = [kind for one in flow.arrows for kind in (one.source, one.target)]
    return list(dict.fromkeys((*met, *flow.services, *flow.sagas)))


def _places(wide: Mapping[str, float], rows: Sequence[FlowArrow], margin: float) -> Mapping[str, float]:
    """By kind, where the middle of its column is; `wide` has how long the texts of each kind are."""
    places: dict[str, float] = {}
    kinds = tuple(wide)
    for index, kind in enumerate(kinds):
        half = wide[kind] / 2 + _PAD
        x = margin + half
        if index:
            before = kinds[index - 1]
            x = places[before] + wide[before] / 2 + _PAD + _PAD + half
            loops = [_loop_width(one) for one in rows if one.source == one.target == before]
            x = max(x, places[before] + max(loops, default=0.0) + _PAD)
        for one in rows:
            other = one.source if one.target == kind else one.target
            if kind in (one.source, one.target) and other in places:
                x = max(x, places[other] + _width(_label(one)) + 2 * _PAD + _TIP)
        places[kind] = round(x, 1)
    return places


def _right_edge(places: Mapping[str, float], rows: Sequence[FlowArrow], wide: Mapping[str, float]) -> float:
    boxes = [x + wide[kind] / 2 + _PAD for kind, x in places.items()]
    loops = [places[one.source] + _loop_width(one) for one in rows if one.source == one.target]
    return round(max((0.0, *boxes, *loops)), 1)


def _loop_width(arrow: FlowArrow) -> float:
    return _LOOP + _PAD + _width(_label(arrow))


def _label(arrow: FlowArrow) -> str:
    """The margin says of which choreography it is."""
    return arrow.label.replace(f", {arrow.process}: ", ": ", 1)


def _width(text: str) -> float:
    return round(len(text) * _CHAR, 1)


def _box(kind: str, count: str, x: float, size: tuple[float, float], is_saga: bool) -> str:
    """A saga's box has round ends, and whoever is outside of the catalogue a dotted one. `size`: of texts, of all."""
    width, head = round(size[0] + 2 * _PAD, 1), size[1]
    corner = _HEAD / 2 if is_saga else 2
    dots = ' stroke-dasharray="2 3"' if kind == OUTSIDE else ""
    frame = f'<rect x="{x - width / 2:g}" y="{_PAD}" width="{width:g}" height="{head:g}" rx="{corner:g}"'
    told = _text(count, x - _width(count) / 2, _PAD + head - _SIZE / 2 - 3, "count") if count else ""
    return (
        f'{frame} fill="none" stroke="{_GREY}"{dots}/>'
        f"{_text(kind, x - _width(kind) / 2, _PAD + _HEAD / 2 + _SIZE / 3, 'saga' if is_saga else 'kind')}{told}"
    )


def _text(text: str, x: float, y: float, role: str) -> str:
    """As long as it was computed to be: `textLength` has every font keep to it."""
    long = f'textLength="{_width(text):g}" lengthAdjust="spacingAndGlyphs"'
    return f'<text class={quoteattr(role)} x="{x:g}" y="{y:g}" {long}>{in_xml(text)}</text>'


def _lifelines(places: Mapping[str, float], arrow: FlowArrow, y: float) -> Iterator[str]:
    """A piece of each column's line; none where a label lies over it."""
    ends = sorted((places[arrow.source], places[arrow.target]))
    for x in places.values():
        begin = y + _LINE + 4 if ends[0] < x < ends[1] else y
        yield f'<path d="M{x:g} {begin:g}V{y + _ROW:g}" stroke="{_GREY}" stroke-opacity="0.4"/>'


def _arrow(places: Mapping[str, float], arrow: FlowArrow, y: float) -> Iterator[str]:
    begin, end = places[arrow.source], places[arrow.target]
    dots = ' stroke-dasharray="5 4"' if arrow.is_event else ""
    line = f'fill="none" stroke="{_GREY}"{dots}'
    if begin == end:
        yield f'<path d="M{begin:g} {y - 10:g}H{begin + _LOOP:g}V{y:g}H{begin + _TIP:g}" {line}/>'
        yield _tip(end, y, -1)
        yield _text(_label(arrow), begin + _LOOP + _PAD, y, "label")
        return
    way = 1 if end > begin else -1
    yield f'<path d="M{begin:g} {y:g}H{end - way * _TIP:g}" {line}/>'
    yield _tip(end, y, way)
    yield _text(_label(arrow), (begin + end - way * _TIP - _width(_label(arrow))) / 2, y - 6, "label")


def _tip(x: float, y: float, way: int) -> str:
    return f'<path d="M{x:g} {y:g}l{-way * _TIP} -4v8z"/>'
