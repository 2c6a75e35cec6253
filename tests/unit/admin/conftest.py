"""A store in memory for each test."""

from __future__ import annotations

from tests.unit.operate.conftest import store

__all__ = ["store"]
