"""Records of a saga that has turned back and that differ in their past alone: taken for alike, and tried at the end.

    a record has the same that counts as one before  ──first──▶ the search goes on with that one
    the search is over                               ──refute──▶ each other past has to make the same of each input

Nothing is taken on trust from the engine. If another past makes a difference, the search is repeated without this.

What is tried, at each record where the search went on, with each input that it tried there: the records for which that
one stands, and every known past of each exchange. The pasts of several exchanges are put in together, so that a few
records hold them all. Each reason of turning back that the search met is tried where functions of the author are
called. The records that follow have to be alike again. If they have pasts that were not known, all is tried once more.
So by induction an engine that reads the past of any one exchange is found out, however much later it does. (The
relation is a bisimulation, after R. Milner, "Communication and Concurrency", 1989.) An engine may escape if it reads a
certain past of one exchange only beside a certain past of another one. A search with every move takes no records for
alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.protos.saga_pb2 import SagaRecord
from runtime.testing.explorer.driver import Input, SagaDriver, Taken
from runtime.testing.explorer.pasts import SplitRecord, joined, split

__all__ = ["Alike"]

_BACK = (SagaRecord.COMPENSATING, SagaRecord.COMPENSATED)
_ROUNDS_MAX = 10  # A right engine needs two or three: pasts are as long as a step may be asked.


class Alike:
    """What one search takes for alike, by record."""

    def __init__(self, driver: SagaDriver) -> None:
        self._driver = driver
        self._firsts: dict[bytes, int] = {}  # The first record with the same that counts.
        self._stands: dict[int, int] = {}  # The record that stands for each.
        self._others: dict[int, list[int]] = {}  # The records for which one stands, by that one.
        self._parts: dict[int, SplitRecord] = {}
        self._bodies: dict[tuple[int, str, bytes], dict[bytes, None]] = {}  # The known pasts of each exchange.
        self._reasons: dict[str, None] = {}  # Those that the search met; a trial may add to one without end.
        self._is_refuted = False

    def first(self, record: int) -> int:
        """The record that stands for this one; itself unless another one is alike."""
        first = self._stands.get(record)
        if first is None:
            first = record
            if not self._is_refuted and self._driver.views[record].heading in _BACK:
                first = self._firsts.setdefault(self._split(record).counts, record)
                self._others.setdefault(first, []).append(record)
                self._reasons[self._split(record).reason] = None
            self._stands[record] = first
        return first

    def refute(self) -> bool:
        """Says whether some are not alike after all. From now on each record stands for itself."""
        inputs: dict[int, list[Input]] = {}
        for record, input in self._driver.tried:
            inputs.setdefault(record, []).append(input)
        for _ in range(_ROUNDS_MAX):
            before = self._known_pasts()
            self._is_refuted |= not all(self._is_right(one, inputs.get(one, ())) for one in self._firsts.values())
            if self._is_refuted or before == self._known_pasts():
                break
        else:
            self._is_refuted = True  # An engine that makes new pasts without end is not to be trusted with this.
        was_wrong = self._is_refuted and bool(self._firsts)
        if was_wrong:
            self._firsts.clear()
            self._stands.clear()
            self._others.clear()
        return was_wrong

    # --- what is tried ---

    def _split(self, record: int) -> SplitRecord:
        parts = self._parts.get(record)
        if parts is None:
            parts = self._parts[record] = split(self._driver.record(record))
            for past in parts.pasts:
                self._bodies.setdefault(past.of, {})[past.body] = None
        return parts

    def _known_pasts(self) -> int:
        return sum(map(len, self._bodies.values()))

    def _is_right(self, first: int, inputs: Sequence[Input]) -> bool:
        """Says whether other pasts make the same of these inputs as this one."""
        others = dict.fromkeys([*self._others[first], *self._with_other_pasts(first)])
        with_reasons = dict.fromkeys([*others, *self._with_other_reasons(first)])
        for one in inputs:
            taken = self._driver.take(first, one)
            expected, tried = self._reaction(taken), with_reasons if _calls(taken) else others
            if any(self._reaction(self._driver.take(other, one)) != expected for other in tried):
                return False
        return True

    def _with_other_pasts(self, first: int) -> Iterable[int]:
        """Records such that each known past of each exchange is in one of them."""
        parts = self._split(first)
        bodies = [list(self._bodies[past.of]) for past in parts.pasts]
        for number in range(max(map(len, bodies), default=0)):
            chosen = [known[(number + place) % len(known)] for place, known in enumerate(bodies)]
            yield self._driver.number(joined(parts, parts.reason, chosen))

    def _with_other_reasons(self, first: int) -> Iterable[int]:
        parts = self._split(first)
        for reason in list(self._reasons):
            yield self._driver.number(joined(parts, reason, [past.body for past in parts.pasts]))

    def _reaction(self, taken: Taken) -> tuple[object, ...]:
        """What can be seen of a reaction, and what counts of the record. What notes and alarms say is for people."""
        seen = taken._replace(record=-1, note="noted" if taken.note else "", alarm="raised" if taken.alarm else "")
        return self._split(taken.record).counts, seen


def _calls(taken: Taken) -> bool:
    """Says whether functions of the author may have been called that know the reason."""
    return bool(taken.sent or taken.said or taken.dos or taken.undos or taken.mistakes)
