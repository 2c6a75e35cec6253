"""What was proven of each version of a saga: which explorations, seeds and failpoints it passed, when, or nothing.

/proof                   every version that the store knows, and those that proofs are of
/proof?version=9f3c...   one of them, with each run that is kept of it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.operate.dead_letters import NotFound
from runtime.operate.proofs.by_version import READ_MAX, VersionProofs, proofs_by_version
from runtime.operate.proofs.kept import KeptProof, proofs_after
from runtime.operate.proofs.proof import Proof, ProofResult
from runtime.operate.proofs.proof_file import method_of
from runtime.operate.proofs.standing import ProofStanding, Proven, standing_of, stands
from runtime.page.desk import PageDesk
from runtime.page.links import PageAddress, link
from runtime.page.screen import ROWS_MAX, Screen
from runtime.saga.drawn_text import printable
from runtime.store.port import OperatorStore

__all__ = ["ProofTag", "proof", "proof_link", "proof_tag", "sentence"]

_RUNS_SHOWN = 3  # of one version among others
_TONES = {Proven.BROKEN: "bad", Proven.PASSED: "good", Proven.NOT_PROVEN: "warn"}
_OF_ONE_MAX = 100  # more than a store keeps of one version


@dataclass(frozen=True, slots=True)
class ProofTag:
    """How a version stands, to be shown beside it."""

    text: str
    tone: str  # class of the style sheet
    since_s: float  # 0.0 where nothing says so
    link: str


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run, as a proof tells of it."""

    made_at_s: float
    result: str
    tone: str
    method: str
    text: str  # what it did
    note: str  # why it proves too little, or that the promise it broke was kept later on
    broke: str
    shown_by: str
    amends: str


@dataclass(frozen=True, slots=True)
class VersionRuns:
    """One version, with the runs that are shown of it."""

    proofs: VersionProofs
    tag: ProofTag
    runs: tuple[RunLine, ...]
    more: int


async def proof(desk: PageDesk, target: PageAddress) -> Screen:
    """Raises NotFound for a version of which nobody has heard, and StoreError."""
    version = target.query.get("version", "")
    async with desk.view() as store:
        found = await proofs_by_version(store, version=version)
    if version and not found.versions:
        raise NotFound(f"this store has never heard of the version {version!r}, and nothing was proven of one")
    lines = [_version(one, None if version else _RUNS_SHOWN) for one in found.versions[:ROWS_MAX]]
    values = {
        "sentence": sentence(found.versions),
        "versions": lines,
        "one": lines[0] if version else None,
        "more": max(0, len(found.versions) - ROWS_MAX),
        "read_max": 0 if found.is_all else READ_MAX,
    }
    return Screen("proof", "Proof", ("standing", "runs" if version else "versions"), values=values)


def sentence(found: Sequence[VersionProofs]) -> str:
    """How all versions stand, in one sentence."""
    if not found:
        return "No saga was ever begun, no node has told a definition, and nothing was proven of one."
    counts = {one: sum(each.standing.standing is one for each in found) for one in Proven}
    told = [f"{counts[one]:,} {'is' if counts[one] == 1 else 'are'} {one.value}" for one in Proven if counts[one]]
    told = [one.replace("is passed", "has passed").replace("are passed", "have passed") for one in told]
    return f"Of {len(found):,} version{'' if len(found) == 1 else 's'} of sagas {', '.join(told)}."


async def proof_tag(store: OperatorStore, version: str) -> ProofTag:
    """How the version of one saga stands. Raises StoreError."""
    kept = await proofs_after(store, limit=_OF_ONE_MAX, version=version)
    return _tag(standing_of(one.proof for one in kept if one.proof is not None), version)


def proof_link(version: str) -> str:
    return link("/proof", {"version": version})


def _tag(standing: ProofStanding, version: str) -> ProofTag:
    return ProofTag(standing.text, _TONES[standing.standing], standing.since_s, proof_link(version))


def _version(one: VersionProofs, shown_max: int | None) -> VersionRuns:
    readable = [kept.proof for kept in one.kept if kept.proof is not None]
    runs = tuple(_run(kept, readable) for kept in one.kept[:shown_max])
    return VersionRuns(one, _tag(one.standing, one.version), runs, len(one.kept) - len(runs))


def _run(kept: KeptProof, others: Sequence[Proof]) -> RunLine:
    found = kept.proof
    if found is None:
        return RunLine(kept.row.made_at_s, kept.row.result, "warn", "", kept.unreadable, "", "", "", "")
    is_standing = stands(found, others)
    is_cleared = found.result is ProofResult.BROKEN and not is_standing
    cleared = "a later clean run has done the same, or more" if is_cleared else ""
    return RunLine(
        made_at_s=found.made_at_s,
        result=found.result.value,
        tone="bad" if is_standing else "good" if found.is_whole else "warn",
        method=method_of(found),
        text=found.did.text(),
        note=f"proves too little: {found.short_of}" if found.short_of else cleared,
        broke=found.broke,
        shown_by="\n".join(map(printable, found.shown_by.splitlines())),
        amends=found.amends,
    )
