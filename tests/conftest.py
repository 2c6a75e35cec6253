"""What holds for every test of the project."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
BUSY = (
    HERE / "sim",
    HERE / "unit" / "testing",
    HERE / "unit" / "proof",
    HERE / "tidy" / "test_howto.py",
)  # they simulate, and want a processor for themselves for a while
BUSY_S = 600.0  # where many share one, a while is long

# Only `runtime` is installed: processes that tests start find the order system in the checkout, whatever their folder.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))

# How long an example takes, or is drawn, says how busy the machine is and nothing about the code.
settings.register_profile(
    "whatever the machine", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("whatever the machine")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in BUSY) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(BUSY_S))


@pytest.fixture(autouse=True)
def _signals_are_heard() -> Iterator[None]:
    """A process inherits what its parent ignores, e.g. in the background of a script; no test begins so."""
    ignored = [one for one in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_IGN]
    for one in ignored:
        signal.signal(one, signal.SIG_DFL)
    yield
    for one in ignored:
        signal.signal(one, signal.SIG_IGN)
