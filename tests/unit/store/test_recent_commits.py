"""What was committed lately is kept within bounds, and can be looked for once."""

from __future__ import annotations

import pytest

from runtime.store import recent_commits
from runtime.store.recent_commits import RecentCommits
from runtime.testing.conformance.samples import mail_row, post
from runtime.testing.virtual.clock import VirtualClock, VirtualLoop


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


@pytest.fixture
def recent(loop: VirtualLoop) -> RecentCommits:
    return RecentCommits(VirtualClock(loop))


def test_the_commits_of_the_last_minute_are_given_once_the_oldest_first(
    loop: VirtualLoop, recent: RecentCommits
) -> None:
    old, first, second = (post(mail_row(number)) for number in range(3))
    recent.add([old])
    loop.spend(59.0)
    recent.add([first, second])
    loop.spend(2.0)
    assert recent.take() == [first, second]
    assert recent.take() == []


@pytest.mark.parametrize(("bound", "value"), [("_COUNT_MAX", 2), ("_BYTES_MAX", 2 * post(mail_row(1)).weight_bytes)])
def test_what_exceeds_a_bound_is_forgotten_the_oldest_first(
    recent: RecentCommits, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    monkeypatch.setattr(recent_commits, bound, value)
    commits = [post(mail_row(number)) for number in range(4)]
    recent.add(commits[:1])
    recent.add(commits[1:])
    assert recent.take() == commits[2:]
