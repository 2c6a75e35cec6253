"""Text as it stands in a drawing, whatever it has in it: a name that would be markup, or break a line, is only shown.

Authors choose the names of kinds, choreographies and values of conditions, and no rule says which characters they have.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

__all__ = ["in_id", "in_mermaid", "in_xml", "printable"]

_ENTITIES = {'"': "#quot;", **{char: f"#{ord(char)};" for char in "#;<>&`"}}


def in_mermaid(text: str) -> str:
    """Within quotes. Mermaid writes a character by its number as #60;."""
    return "".join(_ENTITIES.get(char, char) for char in printable(text))


def in_id(text: str) -> str:
    """As part of the id of a node: letters and digits stay, a hyphen is _, and others are told by their numbers."""
    return "".join(char if char.isalnum() else "_" if char == "-" else f"_{ord(char):x}_" for char in text)


def in_xml(text: str) -> str:
    """Between tags. XML has no way to write most control characters."""
    return escape(printable(text))


def printable(text: str) -> str:
    """Control characters, and marks that turn the direction of writing, are escaped as Python does."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
