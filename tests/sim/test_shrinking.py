"""Decisions on a tape: the same run again, a smaller one that breaks the same promise, and files that hold them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from actors.billing import Billing
from runtime.testing.commands.group import proving
from runtime.testing.runs.run import simulate_seed
from runtime.testing.runs.shrink import play, record, shrink
from runtime.testing.virtual.tape import BadTape, Recorder, Tape
from tests.proof.workloads.orders import Orders

SEED = 3
RUNS = 120


@pytest.fixture(scope="module")
def orders() -> Orders:
    return Orders()


@pytest.fixture
def charges_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug: one order is charged twice."""
    charge = Billing._charge

    def twice(billing: Billing, amount_cents: int) -> None:
        charge(billing, amount_cents)
        billing.state.charges *= 2 if billing.key == "ORD-7" else 1

    monkeypatch.setattr(Billing, "_charge", twice)


def test_a_tape_plays_the_run_it_was_recorded_from(orders: Orders) -> None:
    trace = simulate_seed(SEED, orders).trace
    recorded, tape = record(SEED, orders, "orders")
    assert recorded.trace == play(tape, orders).trace == trace


def test_an_empty_tape_is_a_calm_run_without_clients(orders: Orders) -> None:
    result = play(Tape(SEED, "orders"), orders)
    assert not result.violations
    assert (result.figures["started"], [name for name in result.faults if name != "drained"]) == (0, [])


@pytest.mark.usefixtures("charges_twice")
def test_a_failing_run_is_made_much_smaller_and_fails_in_the_same_way(orders: Orders) -> None:
    before, tape = record(SEED, orders, "orders")
    wanted = before.violations[0].invariant
    tried: list[int] = []
    small = shrink(tape, orders, runs_max=RUNS, tried=lambda runs, left: tried.append(left))
    assert wanted in {one.invariant for one in small.result.violations}
    assert small.after * 10 < small.before == tape.decisions
    assert small.result.figures["started"] == 1 and small.runs <= RUNS
    assert tried == sorted(tried, reverse=True), "what is left never grows"
    assert play(small.tape, orders).trace == small.result.trace


def test_a_run_that_keeps_every_promise_cannot_be_shrunk(orders: Orders) -> None:
    _, tape = record(SEED, orders, "orders")
    with pytest.raises(ValueError, match="keeps every promise"):
        shrink(tape, orders)


def test_two_dice_of_one_name_are_refused_since_they_would_roll_alike() -> None:
    dice = Recorder(1)
    dice.named("storm")
    with pytest.raises(AssertionError, match="storm"):
        dice.named("storm")


def test_a_tape_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    tape = Tape(7, "orders", {"a": [0, 0, 2**64 - 1, 0, 5], "b": [1]})
    tape.write(tmp_path / "7.tape")
    assert Tape.read(tmp_path / "7.tape") == tape


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no tape"),
        ("[]", "is no tape"),
        ('{"amends_tape": 2}', "version 2, this build reads 1"),
        ('{"amends_tape": 1, "seed": 1, "workload": "orders", "streams": {"a": ["x"]}}', "'x' is no draw"),
    ],
)
def test_a_file_that_is_no_tape_is_named_with_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "broken.tape"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadTape, match=says) as refused:
        Tape.read(path)
    assert str(path) in str(refused.value)


@pytest.mark.usefixtures("charges_twice")
def test_the_commands_shrink_a_seed_and_play_its_tape(tmp_path: Path) -> None:
    path = tmp_path / "small.tape"
    told = CliRunner().invoke(proving, ["shrink", str(SEED), "--runs", "30", "--tape", str(path), "--json"])
    assert told.exit_code == 1, told.output
    small = json.loads(told.stdout.splitlines()[-1])
    assert small["after"] < small["before"] and small["violations"]
    again = CliRunner().invoke(proving, ["replay", "--tape", str(path), "--json"])
    assert again.exit_code == 1
    assert json.loads(again.stdout.splitlines()[-1])["trace"] == small["trace"]


def test_a_recorded_seed_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "3.tape"
    first = CliRunner().invoke(proving, ["replay", str(SEED), "--record", str(path), "--json"])
    again = CliRunner().invoke(proving, ["replay", "--tape", str(path), "--json"])
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert json.loads(first.stdout)["trace"] == json.loads(again.stdout)["trace"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["shrink", str(SEED)], "there is nothing to shrink"),
        (["replay"], "name a seed, or a tape"),
        (["replay", "1", "--tape", "1.tape"], "one of them"),
        (["replay", "--tape", "no-such.tape"], "no-such.tape"),
    ],
)
def test_bad_input_is_named(arguments: list[str], says: str) -> None:
    told = CliRunner().invoke(proving, arguments)
    assert told.exit_code == 2
    assert says in told.output
