"""Proofs as a file of JSON, which the test kit writes and `amends admin proofs add` reads, and as bytes in a store.

    {"format": 1, "proofs": [{"kind": ..., "method": "exploration", "did": {...}, "digest": ...}, ...]}

The digest is over all else that a proof says. It finds what was cut or changed since, by hand or on the way. It is no
signature: whoever may add proofs to a store is believed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from runtime.durations import shown
from runtime.errors import InvalidMessage
from runtime.operate.proofs.proof import CrashesTried, Did, Proof, ProofResult, SchedulesExplored, SeedsSimulated
from runtime.store.proofs import ProofRow

__all__ = [
    "FILE_BYTES_MAX",
    "PROOFS_MAX",
    "cut_text",
    "method_of",
    "object_of",
    "proof_of",
    "read_file",
    "row_of",
    "text_of",
]

FORMAT = 1
FILE_BYTES_MAX = 16 * 1024 * 1024
PROOFS_MAX = 200  # in one file
_TEXT_MAX = 4_000  # characters of one text
_NUMBER_MAX = 2**53
_BOUNDS_MAX = 50
_ID_BYTES = 16

_METHODS: Mapping[str, type[Did]] = {
    "exploration": SchedulesExplored,
    "simulation": SeedsSimulated,
    "failpoints": CrashesTried,
}
_AGAIN = "have the run write it again"


def method_of(proof: Proof) -> str:
    """How it was proven, in a word."""
    return next(name for name, made in _METHODS.items() if type(proof.did) is made)


def cut_text(text: str) -> str:
    """A text that fits into a proof; what is left out of a long one is counted."""
    more = len(text) - _TEXT_MAX + 100
    return text if more <= 100 else f"{text[: _TEXT_MAX - 100]}\n... ({more:,} characters more)"


# --- written ---


def text_of(proofs: Sequence[Proof]) -> str:
    """The file. Raises InvalidMessage for more than one may have, and for nothing."""
    if not proofs:
        raise InvalidMessage("nothing was proven, for no saga was begun: run more seeds, or a workload that begins one")
    if len(proofs) > PROOFS_MAX:
        raise InvalidMessage(
            f"a file of proofs has up to {PROOFS_MAX} of them, and these are {len(proofs):,}: run fewer sagas at once"
        )
    text = json.dumps({"format": FORMAT, "proofs": [object_of(one) for one in proofs]}, indent=2) + "\n"
    if len(text) > FILE_BYTES_MAX:  # Each of its characters is one byte.
        raise InvalidMessage(f"a file of proofs has up to {FILE_BYTES_MAX:,} bytes: run fewer sagas at once")
    return text


def object_of(proof: Proof) -> dict[str, Any]:
    """A proof as JSON has it, with its digest."""
    told = {"method": method_of(proof), **asdict(proof)}
    return {**told, "digest": _digest(told)}


def row_of(proof: Proof) -> ProofRow:
    told = object_of(proof)
    body = json.dumps(told, separators=(",", ":")).encode()
    id = bytes.fromhex(told["digest"])[:_ID_BYTES]
    return ProofRow(proof.kind, proof.version, proof.made_at_s, id, proof.result.value, body)


def _digest(told: Mapping[str, Any]) -> str:
    return sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


# --- read ---


def read_file(path: Path) -> list[Proof]:
    """The proofs of a file. Raises InvalidMessage with what is wrong with it, and the cure."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidMessage(f"the file of proofs {path} cannot be read: {error.strerror or error}") from error
    try:
        return _proofs(content)
    except InvalidMessage as error:
        raise InvalidMessage(f"{path} is no file of proofs that can be added: {error}") from error


def _proofs(content: bytes) -> list[Proof]:
    if len(content) > FILE_BYTES_MAX:
        raise InvalidMessage(f"it has more than {FILE_BYTES_MAX:,} bytes; run fewer sagas at once")
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"it is no JSON ({error}); name a file that a run wrote with --proof") from error
    if not isinstance(whole, dict) or "format" not in whole:
        raise InvalidMessage("it does not say its format; name a file that a run wrote with --proof")
    if whole["format"] != FORMAT:
        raise InvalidMessage(
            f"it has the format {shown(whole['format'])}, and this Amends knows {FORMAT}: add it with the Amends that "
            "wrote it, or a newer one"
        )
    _check_names("the file", whole, ("format", "proofs"))
    listed = whole["proofs"]
    if not isinstance(listed, list) or not listed or len(listed) > PROOFS_MAX:
        raise InvalidMessage(f"its proofs are no list of 1 to {PROOFS_MAX} objects; {_AGAIN}")
    return [_proof(f"proof {number}", one) for number, one in enumerate(listed, start=1)]


def proof_of(row: ProofRow) -> Proof:
    """Raises InvalidMessage for a proof that a newer version has put into the store.

    Its digest was checked when it was added. To check that of each again would take most of the time of a listing.
    """
    try:
        return _read("a proof in the store", json.loads(row.body))
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"a proof in the store is no JSON: {error}") from error


def _proof(where: str, told: object) -> Proof:
    proof = _read(where, told)
    if not isinstance(told, dict) or told["digest"] != object_of(proof)["digest"]:
        raise InvalidMessage(f"{where} was changed after it was written, as its digest tells; {_AGAIN}")
    return proof


def _read(where: str, told: object) -> Proof:
    if not isinstance(told, dict):
        raise InvalidMessage(f"{where} is no object; {_AGAIN}")
    _check_names(where, told, ("method", *(one.name for one in fields(Proof)), "digest"))
    method = told["method"]
    if not isinstance(method, str) or method not in _METHODS:
        raise InvalidMessage(f"{where} has the method {shown(method)}; it is one of {', '.join(_METHODS)}")
    if told["result"] not in [*ProofResult]:
        raise InvalidMessage(f"{where} has the result {shown(told['result'])}; it is clean or broken")
    if not isinstance(told["did"], dict):
        raise InvalidMessage(f"{where} does not say what it did; {_AGAIN}")
    did = _METHODS[method](**_checked(f"what {where} did", _METHODS[method], told["did"]))
    values = {name: value for name, value in told.items() if name not in ("digest", "method", "did", "result")}
    proof = Proof(**_values(where, Proof, values), result=ProofResult(told["result"]), did=did)
    if len(proof.version) != 32 or set(proof.version) - set("0123456789abcdef"):
        raise InvalidMessage(f"{where} is of the version {shown(proof.version)}, which is no fingerprint; {_AGAIN}")
    return proof


def _checked(where: str, made: type[Any], told: Mapping[str, object]) -> dict[str, Any]:
    _check_names(where, told, [one.name for one in fields(made)])
    return _values(where, made, told)


def _check_names(where: str, told: Mapping[str, object], wanted: Iterable[str]) -> None:
    names = [*wanted]
    if unknown := sorted(set(told).difference(names)):
        raise InvalidMessage(
            f"{where} says {shown(unknown[0])}, which this Amends does not know; add it with a newer one"
        )
    if missing := [name for name in names if name not in told]:
        raise InvalidMessage(f"{where} does not say {missing[0]}; {_AGAIN}")


def _values(where: str, made: type[Any], told: Mapping[str, object]) -> dict[str, Any]:
    types = {one.name: str(one.type) for one in fields(made)}
    return {name: _value(f"{name} of {where}", types[name], value) for name, value in told.items()}


def _value(where: str, type_: str, value: object) -> object:
    match type_:
        case "str" if isinstance(value, str) and len(value) <= _TEXT_MAX:
            return value
        case "bool" if isinstance(value, bool):
            return value
        case "int" if _is_count(value):
            return value
        case "float" if isinstance(value, float) and math.isfinite(value) and 0 <= value < _NUMBER_MAX:
            return value
        case "Mapping[str, int]" if _are_counts(value):
            return value
    raise InvalidMessage(f"{where} is {shown(value)}, which no run writes; {_AGAIN}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _NUMBER_MAX


def _are_counts(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= _BOUNDS_MAX
        and all(len(name) <= 100 and _is_count(count) for name, count in value.items())
    )
