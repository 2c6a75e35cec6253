"""Streams of numbered messages between a few actors. `streams` makes the workload of that name."""

from __future__ import annotations

from tests.proof.streams.workload import Streams

__all__ = ["streams"]

streams = Streams
