from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping

import pytest

from runtime.testing.virtual.clock import VirtualLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """These tests run on virtual time: a lease that runs out costs no second."""
    return {"virtual": VirtualLoop}
