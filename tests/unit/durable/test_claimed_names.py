"""Before a node hosts or sends anything, the store confirms what each name of a kind stands for."""

from __future__ import annotations

import pytest

from runtime.adapters import system_ports
from runtime.durable.enrolment import FormerNameUnknown, claim_names
from runtime.errors import InvalidDefinition
from runtime.kind_names import KindNames
from runtime.ports import Fact
from runtime.store.memory import MemoryStore


class Claims:
    """A store, and what nodes that start on it report."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self._ports = system_ports(self.facts.append)
        self.store = MemoryStore(self._ports)

    async def node(self, *kinds: tuple[str, ...], beside: str = "lock") -> None:
        await claim_names(self.store, KindNames(kinds), [names[0] for names in kinds] + [beside], self._ports)


async def test_nodes_of_builds_that_agree_start_in_any_order() -> None:
    claims = Claims()
    for names in (("billing",), ("billing", "invoicing"), ("billing",), ("billing", "invoicing", "accounts")):
        await claims.node(names)
    kept = await claims.store.keep_kind_names({})
    assert kept == {"billing": "billing", "invoicing": "billing", "accounts": "billing", "lock": "lock"}
    assert claims.facts == []


async def test_a_node_whose_names_are_wrong_is_refused_and_leaves_none_of_its_names_behind() -> None:
    claims = Claims()
    await claims.node(("billing", "invoicing"))
    before = await claims.store.keep_kind_names({})
    with pytest.raises(InvalidDefinition, match="let formerly of 'invoicing' begin with 'billing'"):
        await claims.node(("sales",), ("invoicing", "accounts"))
    assert await claims.store.keep_kind_names({}) == before
    await claims.node(("sales",), ("billing", "invoicing", "accounts"))


async def test_each_wrong_name_is_told() -> None:
    claims = Claims()
    await claims.node(("billing", "invoicing"), ("sales",))
    with pytest.raises(InvalidDefinition, match=r"'invoicing' is another name .*; .* 'sales' is a kind of its own"):
        await claims.node(("invoicing",), ("shop", "sales"))


async def test_a_first_name_that_nobody_knows_is_a_warning_on_a_store_that_knows_others() -> None:
    claims = Claims()
    await claims.node(("biling", "invoicing"))
    assert claims.facts == []
    await claims.node(("slaes", "shop"))
    assert [fact.level for fact in claims.facts if isinstance(fact, FormerNameUnknown)] == ["warning"]
