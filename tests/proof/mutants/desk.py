"""Mutants of the repair desk as a service: who may act, and what an act has to say."""

from __future__ import annotations

from runtime.gateway.desk import acts, pages, rights
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["DESK"]

_UNSEEN = "No operator calls the service of a simulated cluster"

DESK = (
    Mutant(
        "readers-may-act",
        "A desk that is only to be read lets its callers act.",
        (Edit(rights.is_granted, "RIGHTS[method] in granted", "bool(granted)"),),
        unseen=_UNSEEN,
        held_by="tests/unit/gateway/desk/test_rights.py",
    ),
    Mutant(
        "an-act-without-a-revision",
        "An act that names no revision is done to a saga that its operator has not looked at.",
        (Edit(acts.DeskActs.Act, 'not act.HasField("expected_revision")', "False"),),
        unseen=_UNSEEN,
        held_by="tests/cluster/test_admin_service.py",
    ),
    Mutant(
        "a-page-token-of-another-query",
        "A page token of one query is taken for another one, whose pages then miss what lies before.",
        (Edit(pages._digest, "query.SerializeToString(deterministic=True)", 'b""'),),
        unseen=_UNSEEN,
        held_by="tests/unit/gateway/desk/test_pages.py",
    ),
)
