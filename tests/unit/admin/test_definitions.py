"""`definitions` shows the versions that a store has seen, and `check` what a build cannot carry on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from actors.catalogue import catalogue
from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.durable.behaviour import carried
from runtime.operate.definitions import uncarried
from runtime.protos.definition_pb2 import NodeShape, NodeTerms
from runtime.saga.diagram import draw_saga
from runtime.saga.shape import fingerprint_of
from runtime.saga.stored import described
from runtime.store.definitions import DefinitionRow
from runtime.store.memory import MemoryStore
from runtime.store.open import open_store
from runtime.store.port import Store
from tests.unit.operate.rows import SAGA, fill, saga

ROOT = Path(__file__).parents[3]
[NOW] = catalogue().sagas
KIND = NOW.name
UNKNOWN = b"?" * 16


def run(store: Store | None, *arguments: str) -> Result:
    session = Session() if store is None else Session(store=store)
    return CliRunner().invoke(admin, list(arguments), obj=session)


def older() -> DefinitionRow:
    """What a build before told, in which the order was weighed first."""
    told = described(NOW)
    told.shape.nodes.insert(0, NodeShape(name="weigh", kind="step", command="shop.Weigh"))
    told.terms.nodes.insert(0, NodeTerms(timeout_s=3.0))
    for node in told.shape.nodes[1:]:
        node.before[:] = [place + 1 for place in node.before]
    return DefinitionRow(KIND, fingerprint_of(told.shape).hex(), 5.0, told.SerializeToString())


def newer() -> DefinitionRow:
    return DefinitionRow(KIND, NOW.fingerprint.hex(), 9.0, described(NOW).SerializeToString())


async def filled(store: Store) -> None:
    await store.keep_definitions([older(), newer()])
    old = bytes.fromhex(older().version)
    rows = [saga(f"OLD-{n}", version=old) for n in range(3)]
    rows.append(saga("OLD-4", version=old, status=SAGA.STUCK))
    rows.append(saga("OLD-5", version=old, status=SAGA.COMPLETED))
    rows += [saga("NEW-1", version=NOW.fingerprint), saga("ODD", version=UNKNOWN), saga("X", kind="x", version=UNKNOWN)]
    await fill(store, *rows)


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_versions_are_listed_with_how_many_instances_they_have(store: MemoryStore) -> None:
    assert "no version of a saga" in run(store, "definitions").output
    asyncio.run(filled(store))
    found = json.loads(run(store, "definitions", "--kind", KIND, "--json").output)
    assert [(one["version"], one["kept_at_s"], one["open"], one["ended"]) for one in found] == [
        (UNKNOWN.hex(), 0.0, 1, 0),
        (older().version, 5.0, 4, 1),
        (newer().version, 9.0, 1, 0),
    ]
    table = run(store, "definitions").output
    assert older().version in table and "never" in table


def test_a_stored_definition_is_drawn_by_the_beginning_of_its_version(store: MemoryStore) -> None:
    asyncio.run(filled(store))
    assert run(store, "definitions", "draw", newer().version[:8]).output == draw_saga(NOW)
    assert 'state "weigh: Weigh" as weigh' in run(store, "definitions", "draw", older().version).output


def test_a_version_that_nobody_told_and_one_that_is_not_clear_are_refused(store: MemoryStore) -> None:
    asyncio.run(filled(store))
    missing = run(store, "definitions", "draw", "zz")
    assert missing.exit_code == 4 and "no definition of a version that begins with 'zz'" in missing.output
    body = older().body
    asyncio.run(store.keep_definitions([DefinitionRow("x", version, 0.0, body) for version in ("ee01", "ee02")]))
    unclear = run(store, "definitions", "draw", "ee0")
    assert unclear.exit_code == 2 and "ee01, ee02" in unclear.output


def test_two_versions_are_compared_and_one_with_this_build(store: MemoryStore) -> None:
    asyncio.run(filled(store))
    with_this = run(store, "definitions", "compare", older().version)
    assert with_this.output == run(store, "definitions", "compare", older().version, newer().version).output
    assert with_this.output.startswith("step weigh is gone\n")
    assert run(store, "definitions", "compare", newer().version).output == "nothing differs\n"
    back = json.loads(run(store, "definitions", "compare", newer().version, older().version, "--json").output)
    assert back["differences"][0] == "step weigh is new"


def test_s134_what_a_build_cannot_carry_on_is_named_with_kind_count_and_reason(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'amends.db'}"

    async def fill_file() -> None:
        file = open_store(url, system_ports(), create=True)
        await file.open()
        await filled(file)
        await file.close()

    asyncio.run(fill_file())
    done = run(None, "check", "--store", url)
    assert done.exit_code == 1
    assert (
        f"{KIND}: 4 instances of version {older().version} cannot be carried on:\n  step weigh is gone" in done.output
    )
    assert f"{KIND}: 1 instance of version {UNKNOWN.hex()} cannot be carried on:\n  the store does not" in done.output
    assert f"x: 1 instance of version {UNKNOWN.hex()} cannot be carried on:\n  this build has no saga" in done.output
    assert newer().version not in done.output
    told = json.loads(run(None, "check", "--store", url, "--json").stdout)["cannot_carry"]
    assert sorted((one["kind"], one["count"]) for one in told) == [(KIND, 1), (KIND, 4), ("x", 1)]


@pytest.mark.broken_by("uncarried-not-found")
def test_s134_the_same_is_found_in_memory(store: MemoryStore) -> None:
    asyncio.run(filled(store))
    mine = frozenset(carried(catalogue().behaviours))
    found = asyncio.run(uncarried(store, mine, {KIND: NOW}))
    assert sorted((one.kind, one.count) for one in found) == [(KIND, 1), (KIND, 4), ("x", 1)]


def test_a_store_whose_instances_can_all_be_carried_on_is_fine(store: MemoryStore) -> None:
    asyncio.run(fill(store, saga(version=NOW.fingerprint), saga("B", version=UNKNOWN, status=SAGA.COMPENSATED)))
    done = run(store, "check", "--store", "any")
    assert done.exit_code == 0 and "all can be carried on" in done.output


def test_a_catalogue_is_checked_and_its_whole_flow_is_drawn() -> None:
    done = run(None, "check")
    assert done.exit_code == 0 and "1 saga, 1 choreography: the catalogue fits together" in done.stdout
    assert "warning: OrderProcess.closing: shop.CancelOrder may be answered with" in done.stderr
    assert run(None, "check", "--strict").exit_code == 1
    drawing = run(None, "check", "--draw").stdout
    assert drawing.startswith("flowchart LR\n")
    assert 'kind_order_process -->|"bill: BillOrder"| kind_billing' in drawing
    assert 'kind_sales -.->|"OrderPlaced, order-choreography: BillOrder"| kind_billing' in drawing
    assert run(None, "check", "--strict", "--catalogue", "examples.trip.catalogue:catalogue").exit_code == 0


def test_the_whole_flow_is_written_as_a_picture(tmp_path: Path) -> None:
    assert run(None, "check", "--svg", str(tmp_path / "flow.svg")).exit_code == 0
    assert (tmp_path / "flow.svg").read_text(encoding="utf-8").startswith("<svg ")
    nowhere = run(None, "check", "--svg", str(tmp_path / "none" / "flow.svg"))
    assert (nowhere.exit_code, "the drawing cannot be written" in " ".join(nowhere.output.split())) == (1, True)


def test_a_catalogue_that_does_not_fit_together_fails_the_check() -> None:
    done = run(None, "check", "--catalogue", "tests.unit.cli.odd:unfit")
    assert done.exit_code == 1 and "does not fit together" in done.output
