"""The forms of a page as a browser would send them: fields by name, with the values that they have when it is drawn."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx

from tests.unit.page.seen import SeenPage

__all__ = ["acted", "fields_of", "offered", "previewed", "sent"]


class _Forms(HTMLParser):
    def __init__(self, page: str, action: str) -> None:
        super().__init__(convert_charrefs=True)
        self.fields: dict[str, str | list[str]] = {}
        self._action = action
        self._inside = False
        self._area = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = named.get("action") == self._action and named.get("method") == "post"
        elif self._inside and tag == "input" and named.get("type") == "checkbox":
            several = self.fields.setdefault(named["name"], [])
            assert isinstance(several, list)
            several += [named["value"]] if "checked" in named else []
        elif self._inside and tag == "input":
            self.fields[named["name"]] = named.get("value", "")
        elif self._inside and tag == "textarea":
            self._area = named["name"]
            self.fields[self._area] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "textarea":
            text = self.fields[self._area]
            assert isinstance(text, str)
            self.fields[self._area] = text.removeprefix("\n")  # as browsers read it
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            text = self.fields[self._area]
            assert isinstance(text, str)
            self.fields[self._area] = text + data


def fields_of(page: str, action: str = "/do/act") -> dict[str, str | list[str]]:
    return _Forms(page, action).fields


async def sent(
    browser: httpx.AsyncClient, page: httpx.Response, action: str = "/do/act", **said: str | list[str]
) -> httpx.Response:
    """The form of this page, filled in and sent."""
    assert page.status_code == 200, page.text
    fields = fields_of(page.text, action)
    assert fields, f"no form for {action} in {SeenPage(page.text).text}"
    return await browser.post(action, data={**fields, **said})


async def offered(browser: httpx.AsyncClient, address: str, act: str, nth: int = 0) -> httpx.Response:
    """The form of an act that the page at this address offers."""
    seen = SeenPage((await browser.get(address)).text)
    links = [where for words, where in seen.all_links if words == f"{act}…"]
    assert links, f"{act} is not offered in {seen.text}"
    return await browser.get(links[nth])


async def previewed(browser: httpx.AsyncClient, address: str, act: str, nth: int = 0, **said: str) -> httpx.Response:
    return await sent(browser, await offered(browser, address, act, nth), **{"reason": "the bank was called", **said})


async def acted(browser: httpx.AsyncClient, address: str, act: str, nth: int = 0, **said: str) -> SeenPage:
    """The page that tells what came of an act that was previewed and confirmed."""
    answer = await sent(browser, await previewed(browser, address, act, nth, **said))
    assert answer.status_code == 303, SeenPage(answer.text).text
    return SeenPage((await browser.get(answer.headers["location"])).text)
