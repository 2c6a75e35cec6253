"""A store in memory for each test."""

from __future__ import annotations

import pytest

from runtime.adapters import system_ports
from runtime.store.memory import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(system_ports())
