"""What marks a method whose stream carries calls of another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Never

__all__ = ["CallsOf"]


@dataclass(frozen=True, slots=True)
class CallsOf:
    """What a servicer has in place of a method whose stream carries calls; see `amends.ClientCalls` for the frames.

    `method` is the one that calls are for which name none: `BookTrips = CallsOf("/trip.Trips/Book")`.
    The messages of the stream have the numbers of amends.Calls and amends.Answers, with the messages of the method in
    place of bytes. Both are the same on the wire.
    """

    method: str

    def __call__(self, requests: object, context: object) -> Never:
        raise NotImplementedError(f"only a node's server carries calls of {self.method or 'all methods'} on a stream")
