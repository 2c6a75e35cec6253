"""Proofs as objects for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from runtime.operate.proofs.by_version import VersionProofs
from runtime.operate.proofs.kept import KeptProof
from runtime.operate.proofs.proof_file import method_of

__all__ = ["proof_object", "version_object"]


def version_object(one: VersionProofs) -> dict[str, Any]:
    """A version with all its proofs, the newest first."""
    return {
        "kind": one.kind,
        "version": one.version,
        "in_store": one.entry is not None,
        "open": one.open,
        "standing": one.standing.text,
        "since_s": one.standing.since_s,
        "proofs": [proof_object(kept) for kept in one.kept],
    }


def proof_object(kept: KeptProof) -> dict[str, Any]:
    """One proof. Of one that cannot be read there is what its row tells, and why."""
    row, proof = kept.row, kept.proof
    return {
        "kind": row.kind,
        "version": row.version,
        "made_at_s": row.made_at_s,
        "result": row.result,
        "method": method_of(proof) if proof else "",
        "text": proof.did.text() if proof else "",
        "short_of": proof.short_of if proof else "",
        "broke": proof.broke if proof else "",
        "shown_by": proof.shown_by if proof else "",
        "amends": proof.amends if proof else "",
        "did": asdict(proof.did) if proof else None,
        "unreadable": kept.unreadable,
    }
