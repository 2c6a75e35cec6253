"""Mutants of which message is which: ids that leave something out, and those that take another message for theirs."""

from __future__ import annotations

from runtime.durable.command_ids import check_same
from runtime.store.memory import MemoryStore
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["IDENTITY"]

_NAMED = r'f"restock\0{len(request.sku)}\0{request.sku}\0{request.request_id}"'

IDENTITY = (
    Mutant(
        "delivery-known-by-its-name",
        "A delivery is known by its name alone: of what one brings of several SKUs, the first counts.",
        (Edit("actors.gateway:_restock_id", _NAMED, r'f"restock\0{request.request_id}"'),),
    ),
    Mutant(
        "delivery-known-by-its-sku",
        "A delivery is known by its SKU alone: a later one of the same counts as the first.",
        (Edit("actors.gateway:_restock_id", _NAMED, r'f"restock\0{request.sku}"'),),
    ),
    Mutant(
        "delivery-known-by-its-content",
        "A delivery is known by what it brings: another that brings as much counts as the same.",
        (Edit("actors.gateway:_restock_id", "{request.request_id}", "{request.quantity}"),),
    ),
    Mutant(
        "id-of-another-answered",
        "Who sends a command under the id of another is told what became of that.",
        (Edit(check_same, "if address != envelope.address or (type and type != envelope.type):", "if False:"),),
        workload="random",
    ),
    Mutant(
        "id-waits-for-two",
        "The id of a command that waits is taken for another actor as well.",
        (Edit(MemoryStore._is_known, "posted = not row.sequence and", "posted = False and"),),
        workload="random",
        unseen="clients claim an id for somebody else once its command is handled, and so never while that waits",
        held_by="tests/unit/durable/test_one_id_for_two.py",
    ),
)
