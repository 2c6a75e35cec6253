"""Of each version the page tells what it passed and when, or that it is not proven; a broken promise comes first."""

from __future__ import annotations

import re
from dataclasses import replace

from runtime.operate.proofs.kept import add_proofs
from runtime.operate.proofs.proof_file import row_of
from runtime.store.definitions import DefinitionRow
from tests.unit.operate.proofs import VERSION, broken, explored, proof, simulated
from tests.unit.operate.rows import fill, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.seen import SeenPage

BAD, RUNNING, STRANGE = "bb" * 16, "cd" * 16, "ab" * 16
ADDRESS = "/proof?version="


async def fill_proofs(place: PageStore) -> None:
    """A version that has passed, one that is broken, one that runs unproven, and a proof of a stranger."""
    async with place.writing() as store:
        told = [
            DefinitionRow(kind, version, 5.0, b"") for kind, version in (("order-process", VERSION), ("b<b>d", BAD))
        ]
        await store.keep_definitions(told)
        await fill(store, saga("ORD-1", version=bytes.fromhex(RUNNING)), saga("ORD-2", version=bytes.fromhex(VERSION)))
        bad = broken(made_at_s=2_000.0, broke="I5: <i>left\N{RIGHT-TO-LEFT OVERRIDE}", shown_by="a\x1b[2J\nb")
        old = proof(simulated(3, 9), made_at_s=1_000.0, short_of="a calm run has no faults")
        await add_proofs(store, [proof(), replace(bad, version=BAD), replace(old, version=BAD)])
        await add_proofs(store, [replace(bad, version=STRANGE, kind="old-trip")])
        later = proof(explored(faults_max=9), made_at_s=3_000.0)
        await add_proofs(store, [replace(later, version=STRANGE, kind="old-trip")])


async def test_each_version_stands_with_what_it_passed_the_broken_ones_first(
    place: PageStore, browser: Browser
) -> None:
    await fill_proofs(place)
    page = SeenPage((await browser.get("/proof")).text)
    assert "Of 4 versions of sagas 1 is broken, 2 have passed, 1 is not proven." in page.text
    told = re.findall(r"\b(bb|8e|cd|ab)\w{30}\b(?: not in this store)? (broken|passed|not proven)", page.text)
    assert told == [("bb", "broken"), ("cd", "not proven"), ("8e", "passed"), ("ab", "passed")]
    assert "exploration: every schedule within bounds: 767 states" in page.text
    assert "simulation: 7 seeds (3 to 9) of the workload trips" in page.text
    assert "(proves too little: a calm run has no faults)" in page.text
    assert "broken exploration: I5: <i>left\\u202e" in page.text, "as text, and it turns no line around"
    assert "(a later clean run has done the same, or more)" in page.text
    assert page.links[VERSION] == ADDRESS + VERSION and page.links["Proof"] == "/proof"
    assert f"{STRANGE} not in this store" in page.text


async def test_one_version_is_shown_with_each_run_and_what_broke_it(place: PageStore, browser: Browser) -> None:
    await fill_proofs(place)
    page = SeenPage((await browser.get(ADDRESS + BAD)).text)
    assert "broken on 1970-01-01 00:33:20.000 UTC" in page.text
    assert page.rows == 3, "a heading, and a row for each run"
    assert "a\\x1b[2J b" in page.text, "the schedule, line by line"
    passed = SeenPage((await browser.get(ADDRESS + STRANGE)).text)
    assert "passed on 1970-01-01 00:50:00.000 UTC" in passed.text
    assert "No saga in this store runs by this version" in passed.text
    assert "Nothing was proven of this version." in (await browser.get(ADDRESS + RUNNING)).text


async def test_what_a_newer_version_has_added_is_said_to_be_unreadable(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await store.keep_proofs([replace(row_of(proof()), body=b'{"method": "oracle"}')])
    page = SeenPage((await browser.get("/proof")).text)
    assert "not proven" in page.text and "a proof in the store does not say" in page.text


async def test_a_saga_and_a_version_of_the_cluster_lead_to_what_was_proven(place: PageStore, browser: Browser) -> None:
    await fill_proofs(place)
    for key, words, version in (("ORD-1", "not proven", RUNNING), ("ORD-2", "passed", VERSION)):
        page = SeenPage((await browser.get(f"/sagas/order-process/{key}")).text)
        assert page.links[words] == ADDRESS + version
    cluster = SeenPage((await browser.get("/cluster")).text)
    assert cluster.links[RUNNING] == ADDRESS + RUNNING


async def test_a_store_without_versions_and_a_version_that_nobody_knows(place: PageStore, browser: Browser) -> None:
    empty = SeenPage((await browser.get("/proof")).text)
    assert "nothing was proven of one" in empty.text and empty.rows == 0
    unknown = await browser.get(ADDRESS + "zz")
    assert unknown.status_code == 404 and "has never heard of the version" in unknown.text
