"""Who calls is known by a token, or by the name that a proxy on this machine gives; anybody else is nobody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.errors import InvalidMessage, InvalidSettings
from runtime.gateway.desk.rights import is_loopback
from runtime.gateway.operators.authenticator import (
    Authenticator,
    CannotTell,
    NotKnown,
    OperatorsUnreadable,
    acts_as,
)
from runtime.gateway.operators.operator import Operator
from runtime.ports import Fact
from tests.unit.gateway.operators.test_operators_file import ANN, BOB, TOKEN, written

USER = "x-forwarded-user"


def caller(folder: Path, headers: Mapping[str, str], *, proxy: str = USER, from_loopback: bool = True) -> str:
    asked = Authenticator(written(folder, ANN + BOB), system_ports(), proxy_header=proxy)
    return asked.of(lambda name: headers.get(name, ""), from_loopback=from_loopback).name


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_a_token_tells_who_calls(tmp_path: Path, scheme: str) -> None:
    assert caller(tmp_path, {"authorization": f"{scheme} {TOKEN}"}) == "ann"


def test_a_proxy_on_this_machine_tells_who_calls(tmp_path: Path) -> None:
    assert caller(tmp_path, {USER: "bob@example.test"}) == "bob@example.test"
    assert caller(tmp_path, {USER: "bob@example.test"}, proxy="X-Forwarded-User") == "bob@example.test"


def test_the_token_counts_where_there_are_both(tmp_path: Path) -> None:
    assert caller(tmp_path, {USER: "bob@example.test", "authorization": f"Bearer {TOKEN}"}) == "ann"
    with pytest.raises(NotKnown, match="no operator has this token"):
        caller(tmp_path, {USER: "bob@example.test", "authorization": "Bearer amends_x"})


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": TOKEN}, {"authorization": f"Basic {TOKEN}"}, {"authorization": "Bearer"}, {USER: ""}],
)
def test_without_a_name_and_a_token_nobody_is_known(tmp_path: Path, headers: Mapping[str, str]) -> None:
    with pytest.raises(NotKnown, match="amends admin token"):
        caller(tmp_path, headers)


def test_a_name_that_comes_from_elsewhere_or_that_nobody_has_declared_counts_for_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotKnown):
        caller(tmp_path, {USER: "ann"}, from_loopback=False)
    with pytest.raises(NotKnown):
        caller(tmp_path, {USER: "ann"}, proxy="")
    with pytest.raises(NotKnown, match="'ann,bob', as the proxy says, is not among"):
        caller(tmp_path, {USER: "ann,bob"})


def test_an_unreadable_file_is_told_to_the_log_and_not_to_the_caller(tmp_path: Path) -> None:
    facts: list[Fact] = []
    asked = Authenticator(written(tmp_path, ANN), system_ports(report=facts.append))
    written(tmp_path, "[")
    with pytest.raises(CannotTell) as told:
        asked.of_token(TOKEN)
    assert str(tmp_path) not in str(told.value)
    (fact,) = facts
    assert isinstance(fact, OperatorsUnreadable) and str(tmp_path) in fact.error


@pytest.mark.parametrize("header", ["authorization", "a b", "-x", "x\n"])
def test_what_cannot_name_a_caller_is_no_header_of_a_proxy(tmp_path: Path, header: str) -> None:
    with pytest.raises(InvalidSettings, match="is no header"):
        caller(tmp_path, {}, proxy=header)


def test_nobody_acts_in_the_name_of_another() -> None:
    ann = Operator("ann", may_act=True)
    assert acts_as(None, "eve") == "eve"
    assert acts_as(ann, "") == acts_as(ann, "ann") == "ann"
    with pytest.raises(InvalidMessage, match="ann cannot act in the name of 'bob'"):
        acts_as(ann, "bob")


@pytest.mark.parametrize(
    ("peer", "is_own"),
    [
        ("ipv4:127.0.0.1:4711", True),
        ("ipv6:%5B::1%5D:4711", True),
        ("ipv6:[::ffff:127.0.0.1]:4711", True),
        ("ipv4:10.0.0.1:4711", False),
        ("ipv6:%5Bfe80::1%25eth0%5D:4711", False),
        ("unix:/tmp/x", False),
        ("", False),
    ],
)
def test_a_peer_as_grpc_names_it_is_of_this_machine_or_not(peer: str, is_own: bool) -> None:
    assert is_loopback(peer) is is_own
