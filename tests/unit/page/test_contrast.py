"""Text can be read by people who see little: its colours have the contrast that WCAG AA asks for."""

from __future__ import annotations

import re

import pytest

from runtime.page.app import STATIC

AA = 4.5
PAIRS = [
    *((text, ground) for text in ("text", "soft", "link", "bad") for ground in ("ground", "panel")),
    *((text, "panel") for text in ("bad", "warn")),
    ("good", "ground"),
    *((tone, f"{tone}-ground") for tone in ("bad", "warn", "good")),
]
_COLOUR = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")
_LIGHT, _DARK = re.findall(r":root \{(.*?)\}", (STATIC / "page.css").read_text("utf-8"), re.DOTALL)


def _luminance(colour: str) -> float:
    """Relative luminance, from 0 to 1, as WCAG 2 defines it."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_has_the_highest_contrast_there_is() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)


@pytest.mark.parametrize("scheme", [_LIGHT, _DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_can_be_read(scheme: str, text: str, ground: str) -> None:
    colours = dict(_COLOUR.findall(scheme))
    assert contrast(colours[text], colours[ground]) >= AA


def test_both_schemes_have_the_same_colours() -> None:
    assert [name for name, _ in _COLOUR.findall(_LIGHT)] == [name for name, _ in _COLOUR.findall(_DARK)]
