"""Power cuts under the real store: a share of every build's own, and bugs that are planted so that they are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import CliRunner

from actors.gateway import OrderService
from protos.orders_pb2 import Order, PlaceOrderRequest
from protos.sales_pb2 import PENDING
from runtime.adapters import SystemClock
from runtime.durable.node_client import NodeClient
from runtime.errors import AmendsError
from runtime.gateway.interceptors import Context
from runtime.store.sqlite.connection import connect, translated
from runtime.store.sqlite.writer import Writer
from tests.proof.commands.group import laboratory
from tests.proof.power.cuts import PowerCuts, cut_power, story
from tests.proof.power.disk import Disk, FlushFaults
from tests.proof.power.disk_model import Content, DiskModel
from tests.proof.power.life import STORE
from tests.proof.power.write_fate import SECTOR_BYTES
from tests.proof.workloads.orders import Orders

SHARES = 2  # `make sim` cuts the power of a thousand more
IN_ONE = 125
CUTS_MAX = 1_000  # of one share, until all has been met
SOON = 60  # cuts within which a planted bug has to be found


@pytest.fixture(scope="module")
def orders() -> Orders:
    return Orders()


@pytest.fixture
def cut(orders: Orders, tmp_path: Path) -> Callable[..., PowerCuts]:
    def run(cuts: int, first: int = 0, disk: type[Disk] = Disk, total: PowerCuts | None = None) -> PowerCuts:
        total = total or PowerCuts(SystemClock())
        cut_power(cuts, orders, total, first=first, keep=tmp_path / "kept", disk=disk)
        return total

    return run


@pytest.mark.parametrize("share", range(SHARES))
def test_nothing_that_was_promised_is_lost_when_the_power_goes(cut: Callable[..., PowerCuts], share: int) -> None:
    total = PowerCuts(SystemClock())
    first = 20_000 + 1_000 * share
    # A run in which nothing was at stake would prove nothing. The store's threads are real, so that a rare case is met
    # now and then only after more cuts than usual.
    while total.cuts < IN_ONE or (_not_met(total) and total.cuts < CUTS_MAX):
        cut(total.cuts + IN_ONE, first=first + total.series, total=total)
        told = "\n".join(line for failure in total.failed for line in story(failure.result))
        assert (total.lost, total.corrupt) == (0, 0), told
        assert total.cuts % IN_ONE == 0
    assert _not_met(total) == []


def _not_met(total: PowerCuts) -> list[str]:
    """What did not happen, and has to."""
    happened, figures = total.happened, total.figures
    met = {
        **{when: happened[when] for when in ("starting", "working", "closing", "at write log", "at sync log")},
        "a checkpoint": happened["at write file"] + happened["at sync file"],
        **{one: figures[one] for one in ("writes torn", "writes dropped", "writes kept")},
        **{one: figures[one] for one in ("commits unanswered, kept", "commits unanswered, dropped")},
        "more commits than cuts": figures["commits answered"] > total.cuts,
        "an order that ends": figures["completed"],
    }
    return [what for what, times in met.items() if not times]


# --- planted bugs ---


def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit is not flushed; the log is, now and then."""

    def weaker(*arguments: Any, **settings: Any) -> apsw.Connection:
        connection = connect(*arguments, **settings)
        connection.execute("pragma synchronous = normal")
        return connection

    monkeypatch.setattr("runtime.store.sqlite.writer.connect", weaker)


def test_a_store_that_does_not_flush_each_commit_loses_some(
    cut: Callable[..., PowerCuts], monkeypatch: pytest.MonkeyPatch
) -> None:
    careless(monkeypatch)
    assert cut(SOON).lost > 0


class LyingDisk(Disk):
    """Says that it has flushed, and has not."""

    def sync(self, part: str, content: Content, *, with_folder: bool) -> None:
        pass


def test_a_disk_that_lies_about_its_flushes_loses_commits(cut: Callable[..., PowerCuts]) -> None:
    assert cut(SOON, disk=LyingDisk).lost > 0


class SpoilingDisk(Disk):
    """Tears what was synced long ago: every third sector is something else."""

    def remaining(self, platter: DiskModel) -> dict[str, bytes]:
        left = super().remaining(platter)
        file = left.get(STORE, b"")
        sectors = [file[at : at + SECTOR_BYTES] for at in range(0, len(file), SECTOR_BYTES)]
        sectors[1::3] = [b"\xa5" * SECTOR_BYTES for _ in sectors[1::3]]
        left[STORE] = b"".join(sectors)
        return left


def test_a_disk_that_spoils_what_was_flushed_is_found_corrupt(cut: Callable[..., PowerCuts]) -> None:
    assert cut(SOON, disk=SpoilingDisk).corrupt > 0


def test_a_commit_that_is_answered_before_it_is_made_is_lost(
    cut: Callable[..., PowerCuts], monkeypatch: pytest.MonkeyPatch
) -> None:
    def early(self: Writer, work: Callable[[apsw.Connection], Any]) -> Any:
        """Commits when the next one comes."""
        with translated(self._path):
            connection = self._connected()
            if connection.in_transaction:
                self._commit(connection)
            connection.execute("begin immediate")
            return work(connection)

    monkeypatch.setattr(Writer, "_transaction", early)
    assert cut(SOON).lost > 0


def test_an_order_that_is_acknowledged_before_it_is_stored_is_missed(
    cut: Callable[..., PowerCuts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store does all it says; it is the answer that comes too soon, which only the clients' own books show."""
    place = OrderService.PlaceOrder

    async def hasty(self: OrderService, request: PlaceOrderRequest, context: Context) -> Order:
        async def later() -> None:
            with suppress(AmendsError):
                await place(self, request, context)

        assert isinstance(self._client, NodeClient)
        self._client._ports.tasks.start(later(), name="place later")
        return Order(order_id=request.order_id, status=PENDING)

    monkeypatch.setattr(OrderService, "PlaceOrder", hasty)
    total = cut(SOON)
    assert total.lost > 0
    assert any("was placed, and is not there" in line for line in story(total.failed[0].result))


def test_a_commit_whose_flush_failed_and_that_is_taken_for_made_is_lost(
    cut: Callable[..., PowerCuts], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hopeful(self: Writer, connection: apsw.Connection) -> None:
        with suppress(apsw.IOError):
            connection.execute("commit")

    monkeypatch.setattr(Writer, "_commit", hopeful)
    faults = FlushFaults(fails={"log": 0.05}, forgets={"log": 0.05})
    monkeypatch.setattr("tests.proof.power.series.draw_flush_faults", lambda dice: faults)
    monkeypatch.setattr("tests.proof.power.series.REST_S", 1.0)  # what waits for a lost message waits for ever
    assert cut(SOON).lost > 0


# --- the command ---


def test_the_command_ends_with_one_object_of_figures() -> None:
    done = CliRunner().invoke(laboratory, ["powercuts", "12", "--from", "3", "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["cuts"], figures["lost"], figures["corrupt"], figures["failed"]) == (12, 0, 0, [])
    assert figures["figures"]["commits answered"] > 0 and sum(figures["happened"].values()) == 24


def test_a_failing_cut_is_shown_and_what_it_left_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    careless(monkeypatch)
    done = CliRunner().invoke(laboratory, ["powercuts", str(SOON), "--keep", str(tmp_path), "--json"])
    assert done.exit_code == 1
    figures = json.loads(done.stdout.splitlines()[-1])
    failed = figures["failed"][0]
    assert figures["lost"] >= 1 and failed["violations"][0]["what"].startswith("committed, and not there")
    image = Path(failed["image"])
    assert image.parent == tmp_path and {"store.db", "story.txt"} <= {one.name for one in image.iterdir()}
    assert f"seed {failed['seed']}, cut {failed['cut']}" in (image / "story.txt").read_text(encoding="utf-8")
    again = f"powercuts {failed['cut']} --from {failed['seed']} --workload orders"
    assert again in done.stderr and str(image) in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["many"], "not a valid integer"),
        (["0"], "range"),
        ([], "Missing argument 'N'"),
        (["1", "--from", "-1"], "range"),
        (["1", "--workload", "nothing"], "no workload 'nothing'"),
        (["1", "--keep", __file__], "is a file"),
    ],
)
def test_bad_input_is_named(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(laboratory, ["powercuts", *arguments])
    assert done.exit_code == 2
    assert says in done.output
