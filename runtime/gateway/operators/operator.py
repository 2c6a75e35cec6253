"""An operator: a name, and whether it may act or only read."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from runtime.ports import Ids

__all__ = ["DIGEST_PREFIX", "Operator", "digest_of", "new_token"]

DIGEST_PREFIX = "sha256:"
_TOKEN_PREFIX = "amends_"  # by which scanners of repositories find lost tokens


@dataclass(frozen=True, slots=True)
class Operator:
    name: str
    may_act: bool


def new_token(ids: Ids) -> str:
    """A token that nobody can guess: 256 bits of the system's randomness as text."""
    return _TOKEN_PREFIX + base64.urlsafe_b64encode(ids.new_id() + ids.new_id()).rstrip(b"=").decode()


def digest_of(token: str) -> str:
    """What a file may keep of a token: `sha256:` and 64 hexadecimal digits.

    A token of 256 random bits cannot be found by trying, so a fast digest is as good as a slow one.
    """
    return DIGEST_PREFIX + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
