"""Mutants of ids: an id that leaves something out, and an id that is accepted for another message."""

from __future__ import annotations

from runtime.durable.command_ids import check_same
from runtime.store.memory import MemoryStore
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["IDENTITY"]

_NAMED = r'f"restock\0{len(request.sku)}\0{request.sku}\0{request.request_id}"'

IDENTITY = (
    Mutant(
        "delivery-known-by-its-name",
        "A delivery is known by its name alone: of its several SKUs only the first counts.",
        (Edit("actors.gateway:_restock_id", _NAMED, r'f"restock\0{request.request_id}"'),),
    ),
    Mutant(
        "delivery-known-by-its-sku",
        "A delivery is known by its SKU alone: a later one of the same SKU counts as the first.",
        (Edit("actors.gateway:_restock_id", _NAMED, r'f"restock\0{request.sku}"'),),
    ),
    Mutant(
        "delivery-known-by-its-content",
        "A delivery is known by its content alone: another of the same size counts as the same.",
        (Edit("actors.gateway:_restock_id", "{request.request_id}", "{request.quantity}"),),
    ),
    Mutant(
        "id-of-another-answered",
        "A client that sends a command under the id of another is told what became of the other.",
        (Edit(check_same, "if address != envelope.address or (type and type != envelope.type):", "if False:"),),
        workload="random",
    ),
    Mutant(
        "id-waits-for-two",
        "The id of a waiting command is accepted for another actor as well.",
        (Edit(MemoryStore._is_known, "posted = not row.sequence and", "posted = False and"),),
        workload="random",
        unseen="the clients use an id for a second actor only after the first command was handled",
        held_by="tests/unit/durable/test_one_id_for_two.py",
    ),
)
