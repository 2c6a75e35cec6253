"""Warnings that say the same again are counted; what differs in more than numbers is shown."""

from collections.abc import Callable

from runtime.observe.repeats import Repeats, SaidAgain
from runtime.ports import Cancellable, Fact
from runtime.store.facts import CommitFailed, CommitterStopped, SettleFailed


class Hands:
    """A clock whose timers a test fires."""

    def __init__(self) -> None:
        self.due: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def now_s(self) -> float:
        return 0.0

    def monotonic_s(self) -> float:
        return 0.0

    async def sleep(self, delay_s: float) -> None:
        raise NotImplementedError

    def call_later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> Cancellable:
        self.due.append((callback, arguments))
        return self

    def cancel(self) -> None:
        raise NotImplementedError

    def turn(self) -> None:
        due, self.due = self.due, []
        for callback, arguments in due:
            callback(*arguments)


def test_a_fact_that_comes_again_is_shown_once_and_then_counted() -> None:
    shown: list[Fact] = []
    clock = Hands()
    repeats = Repeats(shown.append, clock)
    for number in range(60):
        repeats.report(CommitFailed("the disk is full", number))
    assert shown == [CommitFailed("the disk is full", 0)]
    clock.turn()
    assert shown[1:] == [SaidAgain("CommitFailed", "the disk is full", 59, 10.0)]
    clock.turn()
    clock.turn()
    repeats.report(CommitFailed("the disk is full", 7))
    assert shown[2:] == [CommitFailed("the disk is full", 7)]


def test_facts_of_other_texts_and_of_less_weight_are_all_shown() -> None:
    shown: list[Fact] = []
    repeats = Repeats(shown.append, Hands())
    facts = [CommitFailed("one", 1), CommitFailed("two", 1), CommitterStopped(1, 1, 1, 1, 1)]
    for fact in [*facts, facts[-1]]:
        repeats.report(fact)
    assert shown == [*facts, facts[-1]]


def test_a_flood_of_ever_other_texts_is_counted_by_its_class() -> None:
    shown: list[Fact] = []
    clock = Hands()
    repeats = Repeats(shown.append, clock)
    for number in range(5_000):
        repeats.report(CommitFailed(f"ORD-{number}", 1))
    assert [fact for fact in shown if isinstance(fact, CommitFailed)] == shown
    count = len(shown)
    assert 10 <= count <= 100
    clock.turn()
    assert shown[count:] == [SaidAgain("CommitFailed", "others of other texts", 5_000 - count, 10.0)]
    clock.turn()
    repeats.report(CommitFailed("ORD-1", 1))
    assert shown[-1] == CommitFailed("ORD-1", 1), "once it has passed, single ones are shown again"


def test_a_flood_of_one_class_hides_no_other() -> None:
    shown: list[Fact] = []
    repeats = Repeats(shown.append, Hands())
    for number in range(5_000):
        repeats.report(CommitFailed(f"ORD-{number}", 1))
    repeats.report(SettleFailed("the disk is gone", 1.0))
    assert shown[-1] == SettleFailed("the disk is gone", 1.0)
