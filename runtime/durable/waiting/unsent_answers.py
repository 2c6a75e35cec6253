"""Answers for nodes to which there is no stream: a node that has just joined may ask before it can be told.

Router ──add──▶ UnsentAnswers ──take──▶ Router, once there is a stream

An answer that is dropped here costs time: whoever waits for it looks into the store.
"""

from __future__ import annotations

from collections import OrderedDict

from runtime.protos import mesh_pb2

__all__ = ["UnsentAnswers"]

_BYTES_MAX = 1024 * 1024


class UnsentAnswers:
    """Of one node, for all others. Beyond `bytes_max` the oldest are dropped, and one that is larger is not kept."""

    def __init__(self, bytes_max: int = _BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._answers: OrderedDict[str, tuple[str, mesh_pb2.Signal, int]] = OrderedDict()  # by call

    def add(self, node: str, signal: mesh_pb2.Signal) -> None:
        """Keep an answer until there is a stream to a node."""
        size, call = signal.ByteSize(), signal.answer.call
        if (before := self._answers.pop(call, None)) is not None:
            self._bytes -= before[2]
        self._answers[call] = (node, signal, size)
        self._bytes += size
        while self._bytes > self._bytes_max:
            _, (_, _, oldest) = self._answers.popitem(last=False)
            self._bytes -= oldest

    def take(self, node: str) -> list[mesh_pb2.Signal]:
        """What is kept for a node, in the order it came."""
        taken = [(call, signal, size) for call, (to, signal, size) in self._answers.items() if to == node]
        for call, _, size in taken:
            del self._answers[call]
            self._bytes -= size
        return [signal for _, signal, _ in taken]
