"""How the parts of a saga are joined: `a >> b` is one after another, `a | b` is side by side.

flow = seat >> (room | car) >> When(is_abroad, then=insurance) >> money
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.durations import shown
from runtime.errors import InvalidDefinition

__all__ = ["Flow", "Part"]


class Part:
    """What stands in a flow: a step, a wait, a choice, an end. Each is an attribute of its saga, which names it."""

    __slots__ = ()

    def in_flow(self) -> Flow:
        """The flow that has nothing but this."""
        return Flow((self,))

    def __rshift__(self, later: Part | Flow) -> Flow:
        return Flow.of(self) >> later

    def __or__(self, beside: Part | Flow) -> Flow:
        return Flow.of(self) | beside


@dataclass(frozen=True, eq=False)
class Flow:
    """Parts and what each has to wait for: a directed graph.

    `a >> b` lets b begin when all that ends a is settled; `a | b` lets both begin at once. `>>` binds closer than `|`.
    open_ends  parts that may end the flow although others of it come after them: a choice without an `otherwise`
    """

    parts: tuple[Part, ...]
    edges: tuple[tuple[Part, Part], ...] = ()
    open_ends: tuple[Part, ...] = ()

    @staticmethod
    def of(part: Part | Flow) -> Flow:
        joined: object = part
        if not isinstance(joined, Part | Flow):
            raise InvalidDefinition(f"a flow joins steps by >> and |, not {shown(part)}")
        return part.in_flow() if isinstance(part, Part) else part

    @property
    def entries(self) -> tuple[Part, ...]:
        """Parts that wait for none."""
        later = [edge[1] for edge in self.edges]
        return tuple(part for part in self.parts if part not in later)

    @property
    def exits(self) -> tuple[Part, ...]:
        """Parts that what comes after the flow has to wait for."""
        earlier = [edge[0] for edge in self.edges if edge[0] not in self.open_ends]
        return tuple(part for part in self.parts if part not in earlier)

    def __rshift__(self, later: Part | Flow) -> Flow:
        after = Flow.of(later)
        joints = tuple((end, begin) for end in self.exits for begin in after.entries)
        return Flow(self.parts + after.parts, self.edges + joints + after.edges, after.open_ends)

    def __or__(self, beside: Part | Flow) -> Flow:
        other = Flow.of(beside)
        return Flow(self.parts + other.parts, self.edges + other.edges, self.open_ends + other.open_ends)
