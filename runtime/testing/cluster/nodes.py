"""The nodes that a test asks for: so many, or each with its name and its services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runtime.durations import shown
from runtime.errors import InvalidSettings
from runtime.testing.name_list import name_list
from runtime.testing.world.node import NodeSpec

__all__ = ["Nodes", "specs_of"]

Nodes = int | Mapping[str, Sequence[str]]
"""How many nodes, or services by the name of a node."""


def specs_of(nodes: Nodes) -> Iterator[NodeSpec]:
    """What each node is launched with. Raises InvalidSettings."""
    if isinstance(nodes, Mapping):
        for name, services in nodes.items():
            yield NodeSpec(name, name_list(services, f"nodes: what {name!r} hosts"))
    elif isinstance(nodes, int) and nodes >= 1:
        yield from (NodeSpec(f"node-{number}") for number in range(1, nodes + 1))
    else:
        raise InvalidSettings(f'nodes is a number from 1 on, or a dict like {{"one": ["hotels"]}}, not {shown(nodes)}')
