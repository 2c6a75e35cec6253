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
    """One proof. Of one that cannot be read, what its row tells."""
    row, proof = kept.row, kept.proof
    told = {"kind": row.kind, "version": row.version, "made_at_s": row.made_at_s, "result": row.result}
    if proof is None:
        return {**told, "unreadable": kept.unreadable}
    return {
        **told,
        "method": method_of(proof),
        "text": proof.did.text(),
        "short_of": proof.short_of,
        "broke": proof.broke,
        "shown_by": proof.shown_by,
        "amends": proof.amends,
        "did": asdict(proof.did),
        "unreadable": "",
    }
