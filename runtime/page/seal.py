"""The seal of a form: what this process has drawn itself, and nobody has changed since.

A form that another page of the web has made has no seal. One that an earlier process has drawn has another, since each
process draws its own key (HMAC-SHA256). The seal of a confirmation covers each field, so that what is done is what was
shown.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping

__all__ = ["FormSeal"]


class FormSeal:
    """`key` is random, of 16 bytes or more, and never shown."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, purpose: str, fields: Mapping[str, str]) -> str:
        """In hexadecimal digits. Fields in another order have the same seal; empty ones count."""
        said = json.dumps([purpose, sorted(fields.items())]).encode()
        return hmac.new(self._key, said, "sha256").hexdigest()

    def fits(self, said: str, purpose: str, fields: Mapping[str, str]) -> bool:
        return hmac.compare_digest(said.encode(), self.of(purpose, fields).encode())
