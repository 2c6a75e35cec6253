"""A file of operators lets in those who are in it, at once when it changes, and nobody while it cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.adapters import SystemIds
from runtime.errors import InvalidSettings
from runtime.gateway.operators.operator import Operator, digest_of, new_token
from runtime.gateway.operators.operators_file import OperatorsFile

TOKEN = new_token(SystemIds())
ANN = f'[ann]\nrights = "act"\ntoken = "{digest_of(TOKEN)}"\n'
BOB = '["bob@example.test"]\nrights = "read"\n'


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "operators.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return path


def test_an_operator_is_found_by_the_digest_of_his_token_and_by_his_name(tmp_path: Path) -> None:
    file = OperatorsFile(written(tmp_path, ANN + BOB))
    assert file.by_digest(digest_of(TOKEN)) == file.by_name("ann") == Operator("ann", may_act=True)
    assert file.by_name("bob@example.test") == Operator("bob@example.test", may_act=False)
    assert file.by_digest(digest_of(new_token(SystemIds()))) is None and file.by_name("eve") is None


def test_one_without_a_token_is_not_found_by_an_empty_one(tmp_path: Path) -> None:
    file = OperatorsFile(written(tmp_path, BOB))
    assert file.by_digest("") is None and file.by_digest(digest_of("")) is None


def test_who_is_taken_out_of_the_file_is_not_found_any_more(tmp_path: Path) -> None:
    file = OperatorsFile(written(tmp_path, ANN + BOB))
    assert file.by_name("ann") is not None
    written(tmp_path, BOB)
    assert file.by_name("ann") is None and file.by_name("bob@example.test") is not None


def test_while_the_file_cannot_be_used_nobody_is_found_and_then_all_are(tmp_path: Path) -> None:
    file = OperatorsFile(written(tmp_path, ANN))
    written(tmp_path, ANN + "[")
    for _ in range(2):
        with pytest.raises(InvalidSettings, match=r"operators\.toml cannot be used: it is no TOML"):
            file.by_name("ann")
    (tmp_path / "operators.toml").unlink()
    with pytest.raises(InvalidSettings, match="cannot be read: No such file"):
        file.by_name("ann")
    written(tmp_path, ANN)
    assert file.by_name("ann") is not None


def test_a_file_that_others_may_write_lets_nobody_in(tmp_path: Path) -> None:
    path = written(tmp_path, ANN)
    file = OperatorsFile(path)
    path.chmod(0o620)
    with pytest.raises(InvalidSettings, match="chmod go-w"):
        file.by_name("ann")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ann = 3", r"ann is no table; write \[ann\]"),
        ("[ann]", "rights of ann are None"),
        ('[ann]\nrights = "all"', 'they are "read" or "act"'),
        ('[ann]\nrights = ["read"]', 'they are "read" or "act"'),
        ('[ann]\nrights = "read"\nright = 1', "ann has 'right'"),
        ('[ann]\nrights = "read"\ntoken = "hunter2"', "token of ann is no digest; make a token"),
        ('[ann]\nrights = "read"\ntoken = 7', "token of ann is no digest"),
        ('[""]\nrights = "read"', "'' is no name"),
        ('["a\\u202eb"]\nrights = "read"', "is no name"),
        (f'{ANN}[bob]\nrights = "read"\ntoken = "{digest_of(TOKEN)}"', "ann and bob have the same token"),
        (b"\xff\xfe", "it is no TOML"),
        (b"#" * 1_048_577, "more than 1,048,576 bytes"),
    ],
)
def test_what_makes_no_sense_in_the_file_is_told_with_its_place(tmp_path: Path, text: str | bytes, why: str) -> None:
    with pytest.raises(InvalidSettings, match=why):
        OperatorsFile(written(tmp_path, text))


def test_a_secret_that_was_put_in_place_of_its_digest_is_not_told_again(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as told:
        OperatorsFile(written(tmp_path, f'[ann]\nrights = "read"\ntoken = "{TOKEN}"'))
    assert TOKEN not in str(told.value)
