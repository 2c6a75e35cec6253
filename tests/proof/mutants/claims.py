"""A plugin of pytest that breaks each claim once on purpose, and requires that the test of the claim fails.

    @pytest.mark.broken_by("no-dedup")                      # the planted bug that this test has to see
    async def test_s37_a_message_that_comes_twice_takes_effect_once(...)

    python -m tests.proof claims  ──▶ pytest -p tests.proof.mutants.claims

Tests without the marker are left out. Each other one runs with its bug planted. Of a test with several cases, one that
fails is enough: some bugs are of one store only. That the tests pass without their bugs is what every other run says.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import Any

import pytest

from tests.proof.mutants.claimed import CLAIMED
from tests.proof.mutants.registry import MUTANTS, UNHUNTED
from tests.proof.mutants.switchboard import planted

__all__ = [
    "BUGS",
    "pytest_collection_modifyitems",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
]

BUGS = {**MUTANTS, **UNHUNTED, **CLAIMED}
_SEEN = pytest.StashKey[dict[str, bool]]()
"""By each test, its cases taken together: whether it has failed with its bug."""


@pytest.hookimpl(trylast=True)  # After -k has chosen.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not _bug(item)])
    items[:] = [item for item in items if _bug(item)]
    if unknown := {_bug(item) for item in items} - BUGS.keys():
        raise pytest.UsageError(f"there is no planted bug {', '.join(sorted(unknown))}")
    config.stash[_SEEN] = {_test(item): False for item in items}


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.config.stash[_SEEN][_test(item)]:
        pytest.skip("another case of the test has seen the bug")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    with planted(BUGS[_bug(item)]):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    gc.disable()  # CPython 3.11 loses count of its depth when what is collected while it parses runs Python code
    try:
        report = yield
    finally:
        gc.enable()
    if report.when == "call" and report.failed:
        item.config.stash[_SEEN][_test(item)] = True
    if report.when != "setup" and report.failed:  # What a bug leaves behind may be in disorder at the end.
        report.outcome, report.longrepr = "passed", None
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.OK and not all(session.config.stash[_SEEN].values()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    seen = config.stash.get(_SEEN, {})
    if terminalreporter.stats.get("error"):
        return  # Not all of them have run.
    for test in (test for test, was_seen in seen.items() if not was_seen):
        terminalreporter.write_line(f"NOT SEEN {test}: it passes with its bug")
    terminalreporter.write_line(f"{sum(seen.values())} of {len(seen)} tests fail with their bugs")


def _test(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def _bug(item: pytest.Item) -> str:
    marker = item.get_closest_marker("broken_by")
    return "" if marker is None else str(marker.args[0])
