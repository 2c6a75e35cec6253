"""What a person sees of a page: its words, its links and its rows. Read by a parser, as a browser would."""

from __future__ import annotations

from html.parser import HTMLParser

__all__ = ["SeenPage"]

_EMPTY = ("meta", "link", "input", "br")
_INLINE = ("a", "bdi", "code", "span", "time")


class SeenPage(HTMLParser):
    """`text` has the words of the page, `links` the addresses, `tags` each element with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"left open: {self._open}"

    @property
    def text(self) -> str:
        return " ".join("".join(self._words).split())

    @property
    def links(self) -> dict[str, str]:
        """By their words; the last one of those that say the same."""
        return dict(self._links)

    @property
    def all_links(self) -> list[tuple[str, str]]:
        """Each by its words, in the order of the page."""
        return list(self._links)

    @property
    def rows(self) -> int:
        return sum(tag == "tr" for tag, _ in self.tags)

    def reset(self) -> None:
        super().reset()
        self._links: list[tuple[str, str]] = []
        self._link: tuple[str, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _INLINE:
            self._words.append(" ")
        if tag not in _EMPTY:
            self._open.append(tag)
        if tag == "a":
            self._link = (dict(attrs)["href"] or "", len(self._words))

    def handle_endtag(self, tag: str) -> None:
        opened = self._open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"
        if tag == "a" and self._link is not None:
            address, since = self._link
            self._links.append((" ".join("".join(self._words[since:]).split()), address))
            self._link = None

    def handle_data(self, data: str) -> None:
        self._words.append(data)
