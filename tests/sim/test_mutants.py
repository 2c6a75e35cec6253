"""The harness is tested by bugs that are planted: a share of them in every build, each to its first broken promise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.proof.commands.group import laboratory
from tests.proof.commands.mutants import hunter_named
from tests.proof.mutants.hunt import Hunt, hunt
from tests.proof.mutants.hunters import Hunter, Simulated
from tests.proof.mutants.page import Row, page, read_page
from tests.proof.mutants.registry import MUTANTS, UNHUNTED
from tests.proof.mutants.report import Report
from tests.proof.workloads.orders import Orders
from tests.sim.test_commands import CarelessOrders
from tests.sim.with_mutant import ForkingRunner

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "proof" / "planted-bugs.md"
ROWS = read_page(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
EARLY = 2  # seeds that the page says it took, of a mutant that is hunted in every build
SEEDS = 25  # that it may take now
SLOW = ("I4", "livelock")  # seen only when the time for everything to end is over
FOUND_SHARE = 0.95


def share() -> list[str]:
    rows = (row for row in ROWS.values() if row.found_by and row.seeds <= EARLY)
    return [row.name for row in rows if not row.invariants.startswith(SLOW)]


@cache
def hunter(name: str) -> Hunter:
    return hunter_named(name)


@pytest.mark.parametrize("name", share())
def test_a_planted_bug_is_found_at_once(name: str) -> None:
    found = hunt(MUTANTS[name], {ROWS[name].found_by: hunter(ROWS[name].found_by)}, range(SEEDS))
    assert found.found, f"{name}: not in {found.seeds} {found.counts}s {found.control}"


def test_the_page_tells_of_every_mutant_in_its_own_words() -> None:
    assert set(ROWS) == set(MUTANTS), "run: python -m tests.proof mutants --only NAME --page docs/proof/planted-bugs.md"
    assert {name: row.breaks for name, row in ROWS.items()} == {name: one.breaks for name, one in MUTANTS.items()}


def test_enough_is_found_and_the_rest_is_explained() -> None:
    found = [name for name, row in ROWS.items() if row.found_by]
    assert len(found) >= FOUND_SHARE * len(MUTANTS)
    assert all(ROWS[name].invariants == MUTANTS[name].excuse != "" for name in ROWS if name not in found)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkingRunner]:
    runner = ForkingRunner(tmp_path_factory.mktemp("mutants") / "told.txt")
    yield runner
    runner.close()


@pytest.mark.parametrize("name", [*(mutant.name for mutant in MUTANTS.values() if mutant.unseen), *UNHUNTED])
def test_what_no_seed_is_expected_to_show_is_held_by_the_tests_that_the_page_names(
    name: str, runner: ForkingRunner
) -> None:
    code, told = runner.run(name, {**MUTANTS, **UNHUNTED}[name].held_by)
    assert code == pytest.ExitCode.TESTS_FAILED, told


def test_a_seed_that_is_not_clean_without_the_mutant_finds_nothing() -> None:
    done = hunt(MUTANTS["no-dedup"], {"careless": Simulated(CarelessOrders())}, range(1))
    assert done.control and not done.found


def test_no_seed_finds_what_is_not_broken() -> None:
    done = hunt(MUTANTS["release-while-turn-runs"], {"orders": Simulated(Orders())}, range(2))
    assert (done.found, done.seeds, done.control) == (False, 2, ())


def command(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(laboratory, ["mutants", "--workload", "orders", *arguments])
    return done.exit_code, done.stdout if done.exit_code != 2 else done.output


def test_the_command_ends_with_one_object_of_figures() -> None:
    code, output = command("--only", "no-dedup", "--only", "release-while-turn-runs", "--seeds-max", "25", "--json")
    assert code == 0, output
    figures = json.loads(output.splitlines()[-1])
    assert (figures["planted"], figures["found"], figures["found_share"]) == (2, 1, 0.5)
    assert figures["seeds_to_find"] == {"no-dedup": figures["seed"]["no-dedup"] + 1, "release-while-turn-runs": None}
    assert {"I2", "I9"} & set(figures["invariants"]["no-dedup"])


def test_each_bug_is_hunted_with_the_workload_that_suits_it_where_none_is_named() -> None:
    done = CliRunner().invoke(laboratory, ["mutants", "--only", "lock-last-come-first", "--seeds-max", "20", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["workload"] == {"lock-last-come-first": "locked"}


def test_a_bug_that_has_to_be_found_and_is_not_is_a_failure() -> None:
    code, output = command("--only", "bytes-left-behind", "--seeds-max", "1")
    assert code == 1
    assert "bytes-left-behind" in output and "not found within 1 seeds" in output


def test_what_the_simulator_meets_too_rarely_the_explorer_finds_in_a_saga() -> None:
    code, output = command("--workload", "explorer", "--from", "7000", "--only", "earlier-answer-taken-for-last")
    assert code == 0, output
    assert "saga 1 of explorer: I6: firm pivot: step first is undone while the pivot firm" in output


def test_the_explorer_ends_with_its_sagas_and_the_figures_count_them() -> None:
    name = "earlier-answer-taken-for-last"
    code, output = command("--workload", "explorer", "--only", name, "--json", "--seeds-max", "1")
    assert code == 1, "one saga, the first, does not show it"
    assert json.loads(output.splitlines()[-1])["seeds_to_find"] == {name: None}
    code, output = command("--workload", "explorer", "--only", "earlier-answer-taken-for-last", "--json")
    figures = json.loads(output.splitlines()[-1])
    assert code == 0 and figures["found"] == 1
    assert figures["workload"] == {"earlier-answer-taken-for-last": "explorer"}
    assert figures["seeds_to_find"] == {"earlier-answer-taken-for-last": 2}, "two sagas were looked at"


def test_the_mutants_can_be_listed() -> None:
    code, output = command("--list")
    assert code == 0
    assert all(one.name in output and one.breaks in output for one in MUTANTS.values())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--only", "no-such-bug"), "no mutant 'no-such-bug'"),
        (("--seeds-max", "0"), "range"),
        (("--workload", "nothing"), "nothing"),
    ],
)
def test_bad_input_is_named(arguments: tuple[str, ...], says: str) -> None:
    code, output = command(*arguments)
    assert code == 2 and says in output


def test_the_page_keeps_the_rows_of_mutants_that_were_not_hunted() -> None:
    first = page([Hunt("no-dedup", 1, "orders", 0, ("I2",), "twice")], "")
    both = page([Hunt("ack-before-commit", 5000)], first)
    assert read_page(both) == {
        "no-dedup": Row("no-dedup", MUTANTS["no-dedup"].breaks, "orders", 1, "I2"),
        "ack-before-commit": Row("ack-before-commit", MUTANTS["ack-before-commit"].breaks, "", 5000, ""),
    }


def test_a_hunt_that_is_broken_off_leaves_what_it_has_found_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*_: object) -> Iterator[Hunt]:
        yield Hunt("no-dedup", 1, "orders", 0, ("I2",), "twice")
        raise KeyboardInterrupt

    monkeypatch.setattr("tests.proof.commands.mutants._hunts", broken_off)
    target = tmp_path / "page.md"
    code, _ = command("--page", str(target))
    assert code != 0
    assert list(read_page(target.read_text(encoding="utf-8"))) == ["no-dedup"]


def test_the_page_does_not_take_sagas_for_seeds() -> None:
    told = page([Hunt("facts-not-kept", 9, "explorer", 8, ("author",), "forgotten", counts="saga")], "")
    assert ": 0 of them within ten seeds, 1 by the explorer." in told
    assert read_page(told)["facts-not-kept"].found_by == "explorer"


def test_a_report_says_what_was_counted() -> None:
    seen = Hunt("facts-not-kept", 9, "explorer", 8, ("author",), "what was answered: forgotten", counts="saga")
    unclean = Hunt("facts-not-kept", 9, "explorer", 8, ("author",), "", ("author: forgotten",), counts="saga")
    found, missed, doubted, _ = Report([seen, Hunt("facts-not-kept", 9, counts="saga"), unclean]).lines()
    assert "saga 8 of explorer: author: what was answered: forgotten" in found
    assert missed.endswith("not found within 9 sagas")
    assert "saga 8 of explorer is not clean without it: author: forgotten" in doubted


def test_a_report_holds_when_all_is_found_or_explained() -> None:
    report = Report()
    report.add(Hunt("no-dedup", 1, "orders", 0, ("I2",), "twice"))
    report.add(Hunt("release-while-turn-runs", 5))
    assert report.holds
    missed = Report([*report.hunts, Hunt("gap-forgotten", 5)])
    assert [one.name for one in missed.missed] == ["gap-forgotten"]
    assert not missed.holds
    assert not Report([Hunt("no-dedup", 1, "orders", 0, ("I2",), "twice", ("I2: twice",))]).holds
