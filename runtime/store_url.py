"""What of a store's URL people may see: everything but its password.

    postgresql://amends:secret@db/orders?sslpassword=secret ──▶ postgresql://amends:***@db/orders?sslpassword=***

Facts, errors and listings show a URL by these functions only; the URL itself goes to whoever opens the store.
"""

from __future__ import annotations

import re

__all__ = ["without_password", "without_passwords"]

_HIDDEN = "***"
_OF_USER = re.compile(  # up to the last @: people forget to escape theirs
    r"^(?:(?P<scheme>\w[\w+.-]*:/+)|(?!\w[\w+.-]*:/))(?P<user>[^:@]*):.*@", re.DOTALL
)
_OPTION = re.compile(r"([?&;](?:ssl)?password=)[^&;\s]*", re.IGNORECASE)
_URL = re.compile(r"\w[\w+.-]*://[^\s'\"]+")


def without_password(url: str) -> str:
    """A store's URL, whole or mistyped, with its passwords hidden. That of a file has none."""
    if url.startswith("sqlite:"):
        return url
    return _OPTION.sub(rf"\1{_HIDDEN}", _OF_USER.sub(rf"\g<scheme>\g<user>:{_HIDDEN}@", url))


def without_passwords(text: str) -> str:
    """A text with the passwords of all URLs in it hidden."""
    return _URL.sub(lambda found: without_password(found[0]), text)
