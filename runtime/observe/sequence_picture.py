"""Draws a conversation as SVG: a column for each actor, and below it a row for each message, with pauses folded.

        ┌────────┐      ┌──────────┐    Columns stand as far apart as the longest label between them wants, and a text
        │ client │      │ trips/T1 │    is as long as it was computed to be, whatever the font: so all of it fits.
        └───┬────┘      └────┬─────┘    Solid lines took effect, dashed ones did not, dotted ones wait.
0 ms        │   StartTrip    │          One grey that reads on white and on black stands for every colour.
            ├───────────────▶│
· · · 3 h without a message · · ·
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runtime.observe.conversation import Conversation, MessageStatus, TracedMessage
from runtime.saga.drawn_text import in_xml

__all__ = ["as_svg"]

_GREY = "#767676"  # its contrast is above 4.5 on white, and on black
_CHAR, _SIZE = 7.2, 12  # px: how wide a character is, and how high the font
_PAD, _HEAD, _ROW, _TIP, _LOOP = 12, 30, 42, 7, 28  # px
_LABEL_MAX, _NOTE_MAX = 60, 90  # characters
_PAUSE_S = 60.0
_DASHES = {
    MessageStatus.HANDLED: "",
    MessageStatus.FIRED: "",
    MessageStatus.IGNORED: "6 4",
    MessageStatus.UNDONE: "6 4",
    MessageStatus.ELSEWHERE: "6 4",
    MessageStatus.WAITING: "2 4",
    MessageStatus.RETRYING: "2 4",
}
_CROSSED = (MessageStatus.FAULTED, MessageStatus.PARKED)


def as_svg(conversation: Conversation, said: str = "") -> str:
    """The text of an SVG file; `said` stands below the title. The same conversation gives the same text."""
    places = _places(conversation)
    rows = list(_rows(conversation))
    width = round(max([*places.values(), 0.0]) + _half(conversation.participants) + _LOOP + _LABEL_MAX * _CHAR / 2, 1)
    top = _PAD + _HEAD + _PAD
    height = top + _ROW * len(rows) + _PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" font-family="monospace" font-size="{_SIZE}" fill="{_GREY}" stroke="none" role="img">',
        f"<title>{in_xml(f'Conversation {conversation.id.hex()}')}</title>",
        f"<desc>{in_xml(said or f'{len(conversation.messages)} messages')}</desc>",
        *(_column(name, x, height) for name, x in places.items()),
    ]
    for number, row in enumerate(rows):
        parts += _drawn(conversation, places, row, top + _ROW * number)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _rows(conversation: Conversation) -> Iterator[TracedMessage | float]:
    """The messages, and between two of them the seconds of a pause that is worth telling."""
    before = None
    for message in conversation.messages:
        if before is not None and message.at_s - before >= _PAUSE_S:
            yield message.at_s - before
        before = message.at_s
        yield message


def _places(conversation: Conversation) -> Mapping[str, float]:
    """By participant, where the middle of its column is."""
    wanted: dict[tuple[str, str], float] = {}
    for message in conversation.messages:
        for pair in ((message.sender, message.to), (message.to, message.sender)):
            wanted[pair] = max(wanted.get(pair, 0.0), _width(_label(message)) + 2 * _PAD + _TIP)
    places: dict[str, float] = {}
    left = _PAD + 14 * _CHAR  # the margin that has the times
    for name in conversation.participants:
        x = left + _width(_short(name)) / 2 + _PAD
        x = max([x, *(at + wanted[other, name] for other, at in places.items() if (other, name) in wanted)])
        places[name] = round(x, 1)
        left = x + _width(_short(name)) / 2 + _PAD
    return places


def _drawn(
    conversation: Conversation, places: Mapping[str, float], row: TracedMessage | float, y: float
) -> Iterator[str]:
    line = y + 26
    if isinstance(row, float):
        yield _text(f"· · · {_span(row)} without a message · · ·", _PAD, line, "pause")
        return
    yield _text(_span(row.at_s - conversation.began_at_s), _PAD, line, "time")
    begin, end = places[row.sender], places[row.to]
    dashes = _DASHES.get(row.status, "")
    how = f'fill="none" stroke="{_GREY}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")
    label = _label(row)
    if begin == end:
        yield f'<path d="M{begin:g} {line - 12:g}H{begin + _LOOP:g}V{line:g}H{begin + _TIP:g}" {how}/>'
        yield _end(row, end, line, -1)
        yield _text(label, begin + _LOOP + _PAD, line - 2, "label")
    else:
        way = 1 if end > begin else -1
        yield f'<path d="M{begin:g} {line:g}H{end - way * _TIP:g}" {how}/>'
        yield _end(row, end, line, way)
        yield _text(label, (begin + end - way * _TIP - _width(label)) / 2, line - 6, "label")
    if note := _note(row):
        yield _text(note, min(begin, end) + _PAD, line + 13, "note")


def _end(message: TracedMessage, x: float, y: float, way: int) -> str:
    """The tip of an arrow, or a cross where the message was given up."""
    if message.status in _CROSSED:
        return f'<path d="M{x - 5:g} {y - 5:g}l10 10m0 -10l-10 10" fill="none" stroke="{_GREY}" stroke-width="2"/>'
    return f'<path d="M{x:g} {y:g}l{-way * _TIP} -4v8z"/>'


def _column(name: str, x: float, height: float) -> str:
    width = round(_width(_short(name)) + 2 * _PAD, 1)
    return (
        f'<path d="M{x:g} {_PAD + _HEAD}V{height - _PAD:g}" stroke="{_GREY}" stroke-opacity="0.4"/>'
        f'<rect x="{x - width / 2:g}" y="{_PAD}" width="{width:g}" height="{_HEAD}" rx="2" fill="none" '
        f'stroke="{_GREY}"/>{_text(_short(name), x - _width(_short(name)) / 2, _PAD + 19, "actor")}'
    )


def _text(text: str, x: float, y: float, role: str) -> str:
    """As long as it was computed to be: `textLength` has every font keep to it."""
    long = f'textLength="{_width(text):g}" lengthAdjust="spacingAndGlyphs"'
    return f'<text class="{role}" x="{x:g}" y="{y:g}" {long}>{in_xml(text)}</text>'


def _label(message: TracedMessage) -> str:
    return _cut(message.short_type, _LABEL_MAX)


def _note(message: TracedMessage) -> str:
    """What became of it; nothing where it was handled at once."""
    if message.status in (MessageStatus.HANDLED, MessageStatus.FIRED) and not message.note:
        return ""
    runs = f" after {message.attempts} runs" if message.attempts > 1 else ""
    return _cut(f"{message.status}{runs}{f': {message.note}' if message.note else ''}", _NOTE_MAX)


def _short(name: str) -> str:
    return _cut(name, _LABEL_MAX)


def _cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"


def _half(names: Sequence[str]) -> float:
    return max((_width(_short(name)) for name in names), default=0.0) / 2 + _PAD


def _width(text: str) -> float:
    return round(len(text) * _CHAR, 1)


def _span(seconds: float) -> str:
    """Since the conversation began, or of a pause."""
    if abs(seconds) < 10:
        return f"{seconds * 1000:.0f} ms"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size * 2:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
