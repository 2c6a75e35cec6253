"""From a screen to HTML. Each part is a template of its own, so that one of them can be drawn, and compared, alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runtime.operate.spans import span
from runtime.page import links, shown
from runtime.page.instants import age, due, moment, steady
from runtime.page.screen import Screen

__all__ = ["Drawing", "marks_of"]

_MARK_BYTES = 6


class Drawing:
    """Templates, read once; what they are given is escaped unless it is Markup."""

    def __init__(self, store_name: str, *, acts: bool = False) -> None:
        self._store_name = store_name
        self._acts = acts  # whether the page does more than read
        self._templates = Environment(
            loader=PackageLoader("runtime.page"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(shown=shown.shown, instant=shown.instant, moment=moment, span=span)
        self._templates.globals.update(
            ago=shown.ago,
            until=shown.until,
            age=age,
            due=due,
            actor_link=links.actor_link,
            address_link=links.address_link,
            conversation_link=links.conversation_link,
        )

    def parts(self, screen: Screen) -> dict[str, str]:
        """The parts that change while people look, by their names."""
        return {part: self._part(screen, part) for part in screen.live}

    def page(self, screen: Screen, here: str, *, who: str = "", is_outside: bool = False) -> str:
        """The whole page; `here` is its address, from which its parts are fetched anew.

        `who` looks at it, where the page knows it. One who is outside yet is not told where the store lies.
        """
        live = self.parts(screen)
        return self._templates.get_template("page.html").render(
            title=screen.title,
            live=[Markup(self.section(here, part, text)) for part, text in live.items()],
            still=[Markup(self._part(screen, part)) for part in screen.still],
            marks=links.link("/live", {"of": here, "seen": _spelt(marks_of(live))}) if live else "",
            store_name="" if is_outside else self._store_name,
            who=who,
            acts=self._acts,
            q=screen.values.get("q", ""),
        )

    def section(self, here: str, part: str, text: str) -> str:
        """A part as it stands in the page of this address, and as a browser fetches it alone once it has changed."""
        source = links.link("/part", {"of": here, "name": part})
        drawn = Markup(text)  # by a template, which has escaped it
        return self._templates.get_template("section.html").render(name=part, source=source, part=drawn)

    def _part(self, screen: Screen, part: str) -> str:
        return self._templates.get_template(f"{screen.room}/{part}.html").render(screen.values)


def marks_of(parts: Mapping[str, str]) -> dict[str, str]:
    """A digest of each part, by which a change is seen. Time alone is none."""
    return {
        part: hashlib.blake2b(steady(text).encode("utf-8", "surrogatepass"), digest_size=_MARK_BYTES).hexdigest()
        for part, text in parts.items()
    }


def _spelt(marks: Mapping[str, str]) -> str:
    return ",".join(f"{part}.{mark}" for part, mark in marks.items())
