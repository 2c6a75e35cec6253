"""The comparison with other systems: what it measures, what it refuses to call measured, and how it tells of it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.peers import measure as measuring
from bench.peers.__main__ import in_turn, main
from bench.peers.amends_system import AmendsSystem
from bench.peers.customer import DeskOrder, KeptOrder, KeptStock
from bench.peers.environment import PINS, pinned
from bench.peers.flushes import flushes_in
from bench.peers.measure import PeerFigures, PeerPlan, WrongBooks, measure
from bench.peers.services_in_sqlite import BackOrderedAtWarehouse, ServicesInSqlite
from bench.peers.system import DurableSystem
from bench.peers.table import comparison, lines_of
from runtime.testing.processes.process import ProcessFailed

PLAN = PeerPlan(orders=30, concurrency=8, singles=5, killed=0, skus=1, seconds_max=60.0)
FIGURES = PeerFigures(
    system="amends",
    versions={"amends": "1.0"},
    orders=100,
    sagas_per_s=200.0,
    p50_ms=10.0,
    p99_ms=20.0,
    cpu_s_per_order=0.002,
    single_p50_ms=4.0,
    single_p99_ms=8.0,
    single_cpu_s_per_order=0.003,
    refused_is_refunded=True,
    killed_under_way=7,
    killed_accepted=20,
    restarted_s=2.5,
    resumed_s=1.5,
    machine={},
)


class SmallSystem(DurableSystem):
    """Nothing but a customer over a file, see small_customer.py."""

    name = "small"

    def __init__(self, fault: str) -> None:
        super().__init__()
        self._fault = fault

    @property
    def versions(self) -> dict[str, str]:
        return {}

    async def serve(self) -> None: ...

    async def work(self) -> None: ...

    async def under_way(self) -> int:
        return len(ServicesInSqlite(self.directory / "services.db").pending())

    def customer_command(self) -> Sequence[str]:
        file = str(self.directory / "services.db")
        return [sys.executable, "-m", "tests.unit.bench.small_customer", file, self._fault]


class TestARun:
    async def test_figures_are_those_of_orders_that_got_ready_and_of_a_kill_that_broke_some_off(self) -> None:
        system = SmallSystem("print")  # what a library prints is no answer
        figures = await measure(system, replace(PLAN, killed=60))
        assert figures.orders == PLAN.orders
        assert figures.killed_under_way > 0 and 20 <= figures.killed_accepted <= 60
        assert figures.cpu_s_per_order > 0
        assert not system.directory.exists()

    async def test_amends_is_measured_like_the_others(self) -> None:
        figures = await measure(AmendsSystem(), replace(PLAN, orders=10))
        assert (figures.system, figures.orders, figures.killed_accepted) == ("amends", 10, 0)

    async def test_a_system_that_forgets_a_refund_has_no_figures(self) -> None:
        with pytest.raises(WrongBooks, match="refunds': 0"):
            await measure(SmallSystem("refund"), PLAN)

    async def test_a_system_that_does_not_go_on_after_a_kill_has_no_figures(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(measuring, "_RESUME_S", 0.3)
        with pytest.raises(WrongBooks, match="not ready"):
            await measure(SmallSystem("resume"), replace(PLAN, killed=60))

    async def test_a_customer_that_fails_ends_the_run_with_what_it_said(self) -> None:
        with pytest.raises(ProcessFailed, match="no order can be placed here"):
            await measure(SmallSystem("fail"), PLAN)


class TestTheServicesOfTemporal:
    """It may carry out each act twice."""

    def test_an_act_that_comes_twice_is_done_once(self, tmp_path: Path) -> None:
        services, order = ServicesInSqlite(tmp_path / "services.db"), DeskOrder("ORD-1", "HAT", 2)
        services.restock("HAT", 5)
        acts = (services.place, services.bill, services.label, services.void, services.refund, services.cancel)
        for act in acts:
            act(order)
            if act == services.label:
                act(order)
                assert services.stock_books("HAT") == KeptStock(5, 3)
            act(order)
        assert services.stock_books("HAT") == KeptStock(5, 5)
        assert services.order_books("ORD-1") == KeptOrder("cancelled", 1, 1)

    def test_the_warehouse_refuses_what_it_does_not_have_and_has_nothing_to_void(self, tmp_path: Path) -> None:
        services, order = ServicesInSqlite(tmp_path / "services.db"), DeskOrder("ORD-1", "HAT", 6)
        services.restock("HAT", 5)
        with pytest.raises(BackOrderedAtWarehouse):
            services.label(order)
        services.void(order)
        services.refund(order)
        assert services.stock_books("HAT") == KeptStock(5, 5)
        assert services.order_books("ORD-1") == KeptOrder()


class TestWhatIsTold:
    def test_rounds_are_told_by_their_median_and_by_ratios_within_the_same_round(self) -> None:
        rounds = [
            {"amends": FIGURES, "dbos": replace(FIGURES, sagas_per_s=100.0)},
            {"amends": replace(FIGURES, sagas_per_s=100.0), "dbos": replace(FIGURES, sagas_per_s=10.0)},
            {"amends": replace(FIGURES, sagas_per_s=400.0), "dbos": replace(FIGURES, sagas_per_s=80.0)},
        ]
        told = list(comparison(rounds))
        assert told[0] == "| 3 rounds | amends | dbos |"
        assert told[2] == "| order sagas a second, at a time | 200 (100 to 400) | 80 (10 to 100) |"
        assert told[3] == "| by that of Amends | 1.00 (1.00 to 1.00) | 0.20 (0.10 to 0.50) |"
        assert told[-1] == "| s more until all accepted orders were ready | 1.5 (1.5 to 1.5) | 1.5 (1.5 to 1.5) |"

    def test_without_amends_there_are_no_ratios_and_without_a_kill_nothing_is_said_of_one(self) -> None:
        alone = replace(FIGURES, system="dbos", killed_accepted=0)
        told = "\n".join([*comparison([{"dbos": alone}]), *lines_of(alone)])
        assert "Amends" not in told and "kill" not in told

    def test_another_system_goes_first_in_each_round(self) -> None:
        assert [in_turn(["a", "b", "c"], number)[0] for number in range(4)] == ["a", "b", "c", "a"]

    def test_a_flush_that_strace_tells_in_two_lines_counts_once(self) -> None:
        trace = """
12 fdatasync(7</data/wal>) = 0
13 fsync(8</data/log> <unfinished ...>
12 fdatasync(7</data/wal>) = 0
13 <... fsync resumed>) = 0
""".lstrip()
        assert flushes_in(trace) == 3


class TestTheCommandLine:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["kafka"], "'kafka' is not one of"),
            (["dbos", "--server", "x"], "dbos has no program to choose"),
            (["all", "--server", "x"], "--server is for restate"),
            (["temporal", "--server", "/nowhere/temporal"], "--server /nowhere/temporal is no program that can be run"),
            (["restate", "--server", "/nowhere/restate"], "--server /nowhere/restate is no program that can be run"),
        ],
    )
    def test_what_cannot_be_run_is_refused_before_anything_is_installed(self, arguments: list[str], said: str) -> None:
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code != 0 and said in done.output


class TestPins:
    @pytest.mark.parametrize("file", ["dbos.txt", "restate.txt", "temporal.txt", "temporal-server.txt"])
    def test_each_package_is_named_once_with_its_exact_version(self, file: str) -> None:
        lines = (PINS / file).read_text(encoding="utf-8").splitlines()
        assert lines and all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
        assert len(pinned(file)) == len(lines)

    def test_the_server_of_restate_has_its_exact_version(self) -> None:
        package = json.loads((PINS / "restate-server.json").read_text(encoding="utf-8"))
        assert re.fullmatch(r"[\d.]+", package["dependencies"]["@restatedev/restate-server"])

    def test_the_project_itself_needs_none_of_the_other_systems(self) -> None:
        needed = (PINS.parents[2] / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.")[0]
        assert not re.search(r"dbos|restate|temporal", needed)
