"""Bars of parts, as the text of an SVG file. The same figures give the same text; nothing in it runs or is fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

__all__ = ["Bar", "bars"]

_WIDTH, _LEFT, _RIGHT = 900, 150, 60  # px: of the picture, and beside the bars
_HEAD, _ROW, _BAR = 54, 40, 26  # px: above the bars, from one to the next, and how high one is
_LEGEND_ROW, _LEGEND_COLUMNS = 22, 4
_NARROWEST = 34  # px from which on a figure has room within its part
_GREY = "#767676"  # reads on white and on black
_COLOURS = (
    *("#4477aa", "#66ccee", "#228833", "#99cc55", "#ccbb44", "#ee8866"),
    *("#cc3344", "#aa3377", "#8866bb", "#996633", "#557788", "#999999"),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """A name, and the size of each part. All bars of a picture have the same parts."""

    name: str
    parts: Mapping[str, float]


def bars(drawn: Sequence[Bar], title: str, *, mark: float | None = None) -> str:
    """Each bar with its total at its end, and below them which colour is which part. `mark` draws a line at this size.

    Raises:
        ValueError: there is nothing to draw, or there are more parts than colours.
    """
    if not drawn or not any(sum(bar.parts.values()) for bar in drawn):
        raise ValueError("there is nothing to draw: give at least one bar with a part that is not 0")
    names = list(drawn[0].parts)
    if len(names) > len(_COLOURS):
        raise ValueError(f"there are {len(names)} parts, and colours for {len(_COLOURS)}")
    colours = dict(zip(names, _COLOURS, strict=False))
    scale = (_WIDTH - _LEFT - _RIGHT) / max(max(sum(bar.parts.values()) for bar in drawn), mark or 0.0)
    foot = _HEAD + _ROW * len(drawn)
    height = foot + _LEGEND_ROW * (-(-len(names) // _LEGEND_COLUMNS)) + 34
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="13" fill="{_GREY}" role="img">',
        f"<title>{escape(title)}</title>",
        _text(escape(title), _LEFT, 18, weight="bold"),
    ]
    for place, bar in enumerate(drawn):
        lines += _bar(bar, _HEAD + _ROW * place, scale, colours)
    if mark is not None:
        x = _LEFT + mark * scale
        lines.append(f'<path d="M{x:.1f} {_HEAD - 10}V{foot}" stroke="{_GREY}" stroke-dasharray="4 3"/>')
        lines.append(_text(f"{mark:g}", x, _HEAD - 14, anchor="middle"))
    lines += _legend(colours, foot + 24)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _bar(bar: Bar, y: int, scale: float, colours: Mapping[str, str]) -> list[str]:
    lines = [_text(escape(bar.name), _LEFT - 10, y + 18, anchor="end")]
    x = float(_LEFT)
    for part, size in bar.parts.items():
        width = size * scale
        lines.append(
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colours[part]}">'
            f"<title>{escape(part)}: {size:.2f}</title></rect>"
        )
        if width >= _NARROWEST:
            lines.append(_text(f"{size:.2f}", x + width / 2, y + 18, anchor="middle", fill="#000"))
        x += width
    lines.append(_text(f"{sum(bar.parts.values()):.2f}", x + 8, y + 18, weight="bold"))
    return lines


def _legend(colours: Mapping[str, str], y: int) -> list[str]:
    step = (_WIDTH - 20) / _LEGEND_COLUMNS
    lines: list[str] = []
    for place, (part, colour) in enumerate(colours.items()):
        x, row = 20 + step * (place % _LEGEND_COLUMNS), y + _LEGEND_ROW * (place // _LEGEND_COLUMNS)
        lines.append(f'<rect x="{x:.1f}" y="{row - 10}" width="12" height="12" fill="{colour}"/>')
        lines.append(_text(escape(part), x + 18, row))
    return lines


def _text(text: str, x: float, y: float, *, anchor: str = "start", weight: str = "normal", fill: str = _GREY) -> str:
    return f'<text x="{x:.1f}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}" fill="{fill}">{text}</text>'
