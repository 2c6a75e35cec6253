from asyncio import AbstractEventLoop, new_event_loop
from collections.abc import Callable, Mapping

import pytest

from runtime.testing.virtual.clock import VirtualLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """In memory on virtual time, where silence costs nothing; sockets need real time."""
    if "grpc" in item.path.name:
        return {"real": new_event_loop}
    return {"virtual": VirtualLoop}
