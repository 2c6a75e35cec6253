"""What the linter reports, and the remarks that excuse a line.

for shard in self.shards:  # replay: each is only counted, so their order does not matter
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Remarks", "ReplayFinding", "Span"]

_REMARK = re.compile(r"#\s*replay\b\s*:?\s*(.*)")
_REASON_WORDS_MIN = 2

Span = tuple[int, int]
"""The first and the last line of a finding. A remark on any line between them counts."""


@dataclass(frozen=True, slots=True, order=True)
class ReplayFinding:
    """One place where two runs of one seed may go different ways."""

    path: str
    line: int
    name: str  # The name of the rule.
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.name}: {self.what}; {self.cure}"


class Remarks:
    """The remarks of one file. A remark without a reason excuses nothing, and one without a finding is reported."""

    def __init__(self, path: str, source: str) -> None:
        self._path = path
        self._reasons = dict(_remarks(source))  # By line.
        self._used: dict[int, None] = {}

    def unexcused(self, found: Iterable[tuple[ReplayFinding, Span]]) -> Iterator[ReplayFinding]:
        """The findings that no remark excuses, and then those about the remarks themselves."""
        for finding, span in found:
            lines = [line for line in range(span[0], span[1] + 1) if line in self._reasons]
            self._used.update(dict.fromkeys(lines))
            if not any(_says_why(self._reasons[line]) for line in lines):
                yield finding
        for line, reason in self._reasons.items():
            if not _says_why(reason):
                yield self._wrong(
                    line, "remark-without-reason", "this remark gives no reason", "say why: # replay: ..."
                )
            elif line not in self._used:
                yield self._wrong(line, "remark-without-need", "nothing is found on this line", "remove the remark")

    def _wrong(self, line: int, name: str, what: str, cure: str) -> ReplayFinding:
        return ReplayFinding(self._path, line, name, what, cure)


def _says_why(reason: str) -> bool:
    return len(reason.split()) >= _REASON_WORDS_MIN


def _remarks(source: str) -> Iterator[tuple[int, str]]:
    """Line and reason of every remark. Only comments count, and no text that looks like one."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        match = _REMARK.match(token.string) if token.type == tokenize.COMMENT else None
        if match is not None:
            yield token.start[0], match[1].strip()
