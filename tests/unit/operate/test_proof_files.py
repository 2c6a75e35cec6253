"""A file of proofs is read as it was written, or refused with the cause and the cure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import InvalidMessage
from runtime.operate.proofs.proof_file import FILE_BYTES_MAX, PROOFS_MAX, cut_text, proof_of, read_file, row_of, text_of
from tests.unit.operate.proofs import broken, explored, proof, simulated

ALL = [
    proof(),
    broken(simulated(), broke="a \N{EXTRATERRESTRIAL ALIEN} \ud800\0"),
    proof(short_of="stopped", made_at_s=1.5),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trip.proofs.json"


def test_what_was_written_is_read_from_a_file_and_from_a_row(file: Path) -> None:
    file.write_text(text_of(ALL))
    assert read_file(file) == ALL
    assert [proof_of(row_of(one)) for one in ALL] == ALL


def test_one_proof_is_one_row_however_often_it_is_read(file: Path) -> None:
    file.write_text(text_of(ALL))
    assert [row_of(one) for one in read_file(file)] == [row_of(one) for one in ALL]
    assert len({row_of(one).id for one in ALL}) == len(ALL)


def test_a_file_has_neither_none_nor_too_many() -> None:
    with pytest.raises(InvalidMessage, match="nothing was proven, for no saga was begun"):
        text_of([])
    with pytest.raises(InvalidMessage, match="up to 200 of them, and these are 201: run fewer sagas at once"):
        text_of([proof()] * (PROOFS_MAX + 1))


def test_the_largest_file_that_can_be_written_can_be_read(file: Path) -> None:
    long = cut_text("│" * 100_000)
    assert long.endswith("characters more)")
    file.write_text(text_of([broken(broke=long, shown_by=long)] * PROOFS_MAX))
    assert len(read_file(file)) == PROOFS_MAX
    longest = cut_text("\N{EXTRATERRESTRIAL ALIEN}" * 100_000)
    with pytest.raises(InvalidMessage, match="up to 16,777,216 bytes: run fewer sagas at once"):
        text_of([broken(broke=longest, shown_by=longest)] * PROOFS_MAX)


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    whole = json.loads(text_of([proof()]))
    change(whole)
    return json.dumps(whole)


def _first(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda whole: whole["proofs"][0].update({name: value})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", r"it is no JSON .*; name a file that a run wrote with --proof"),
        ("[" * 100_000, "it is no JSON"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}".encode("latin-1"), "it is no JSON"),
        ("[1]", "does not say its format; name a file"),
        ("{}", "does not say its format"),
        (
            changed(lambda whole: whole.update(format=2)),
            "the format 2, and this Amends knows 1: add it with the Amends",
        ),
        (changed(lambda whole: whole.update(signed="yes")), "the file says 'signed', which this Amends does not know"),
        (changed(lambda whole: whole.pop("proofs")), "the file does not say proofs; have the run write it again"),
        (changed(lambda whole: whole.update(proofs=[])), "its proofs are no list of 1 to 200 objects"),
        (changed(lambda whole: whole.update(proofs=[3])), "proof 1 is no object"),
        (changed(_first("luck", 1)), "proof 1 says 'luck', which this Amends does not know; add it with a newer one"),
        (changed(lambda whole: whole["proofs"][0].pop("kind")), "proof 1 does not say kind"),
        (changed(_first("method", "prayer")), "the method 'prayer'; it is one of exploration, simulation, failpoints"),
        (changed(_first("result", "fine")), "the result 'fine'; it is clean or broken"),
        (changed(_first("result", ["clean"])), "it is clean or broken"),
        (changed(_first("did", 5)), "does not say what it did"),
        (changed(_first("method", "simulation")), "what proof 1 did says 'bounds', which this Amends does not know"),
        (changed(_first("kind", 5)), "kind of proof 1 is 5, which no run writes"),
        (changed(_first("kind", "x" * 9_000)), "kind of proof 1 is 'xxx.*, which no run writes"),
        (changed(_first("made_at_s", float("nan"))), "made_at_s of proof 1 is nan"),
        (changed(_first("made_at_s", True)), "made_at_s of proof 1 is True"),
        (changed(_first("version", "8E")), "of the version '8E', which is no fingerprint"),
        (changed(_first("kind", "book-trips")), "proof 1 was changed after it was written, as its digest tells; have"),
        (changed(lambda whole: whole["proofs"][0]["did"].update(states=10**9)), "was changed after it was written"),
        (changed(lambda whole: whole["proofs"][0]["did"].update(states=-1)), "states of what proof 1 did is -1"),
        (changed(lambda whole: whole["proofs"][0]["did"]["bounds"].update(x="y")), "bounds of what proof 1 did is"),
        (b" " * (FILE_BYTES_MAX + 1), "it has more than 16,777,216 bytes; run fewer sagas at once"),
    ],
)
def test_a_file_that_is_no_such_file_is_refused_with_the_cause(file: Path, content: str | bytes, why: str) -> None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidMessage, match=rf"trip.proofs.json is no file of proofs that can be added: .*{why}"):
        read_file(file)


def test_a_file_that_cannot_be_read_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidMessage, match=r"nothing.json cannot be read: No such file"):
        read_file(tmp_path / "nothing.json")
    with pytest.raises(InvalidMessage, match="cannot be read: Is a directory"):
        read_file(tmp_path)


def test_bounds_of_a_newer_explorer_are_read_like_those_of_today(file: Path) -> None:
    newer = proof(explored(storms_max=4))
    file.write_text(text_of([newer]))
    assert read_file(file) == [newer]
