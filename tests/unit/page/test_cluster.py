"""The cluster as the store knows it: leases, shards, and versions that no live node carries."""

from __future__ import annotations

from runtime.operate.definitions import VersionEntry
from runtime.page.cluster import lease_told, sentence, versions_of
from runtime.store.definitions import DefinitionRow
from runtime.store.records import ClusterView, NodeRow, ShardRow
from tests.unit.operate.rows import SAGA, fill, join, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.seen import SeenPage

OLD, NEW = b"\xaa" * 8, b"\xbb" * 8


def node(name: str, *, left_s: float = 5.0, carries: tuple[str, ...] = (), kinds: tuple[str, ...] = ()) -> NodeRow:
    return NodeRow(name, "abc", "127.0.0.1:7650", kinds, "0.1.0", 100.0 + left_s, 6.0, carries=carries)


def test_a_lease_is_told_in_words_that_stay_while_it_is_renewed() -> None:
    assert lease_told(node("one"), 5.9) == lease_told(node("one"), 3.1) == ("holds, more than half of 6 s left", "good")
    assert lease_told(node("one"), 2.5) == ("holds, more than a third of 6 s left", "good")
    assert lease_told(node("one"), 1.0) == ("holds, less than a third of 6 s left", "warn")
    assert lease_told(node("one"), 0.0) == lease_told(node("one"), -60.0) == ("expired", "bad")
    assert lease_told(NodeRow("old", "abc", "127.0.0.1:1", (), "0.1.0", 101.0), 1.0) == ("holds", "good")


def test_who_carries_a_version_is_told_as_far_as_nodes_have_said_it() -> None:
    entries = [VersionEntry("trip", version, 1.0, 2, 0) for version in ("aa", "bb", "cc")]
    entries += [VersionEntry("gone", "dd", 1.0, 0, 7), VersionEntry("silent", "ee", 1.0, 1, 0)]
    nodes = (
        node("one", kinds=("trip", "silent"), carries=("trip/aa", "trip<t.Start")),
        node("two", kinds=("trip",), carries=("trip/aa", "trip/bb")),
        node("dead", left_s=0.0, kinds=("trip", "gone"), carries=("trip/cc", "gone/dd")),
    )
    lines = {line.entry.version: line for line in versions_of(ClusterView(100.0, nodes), entries)}
    assert [lines["aa"].carriers, lines["bb"].carriers, lines["cc"].carriers] == [("one", "two"), ("two",), ()]
    assert lines["cc"].missing == "no live node carries it" and lines["cc"].is_owed
    assert lines["dd"].missing == "no live node has this kind" and not lines["dd"].is_owed
    assert lines["ee"].missing.startswith("not known") and not lines["ee"].is_owed
    assert [*lines] == ["cc", "aa", "bb", "ee", "dd"]


def test_the_sentence_counts_what_is_wrong() -> None:
    view = ClusterView(100.0, (node("one"),), (ShardRow("trip", 0, "one", 1), ShardRow("trip", 1, "dead", 1)))
    lines = versions_of(view, [VersionEntry("trip", "aa", 1.0, 3, 0)])
    told = sentence(view, lines)
    assert told.startswith(
        "1 of 1 node has a lease; 1 shard of 2 is owned by no live node; 1 version with 3 open sagas "
    )
    assert told.endswith(" is carried by no live node.")
    assert sentence(ClusterView(100.0, (node("one"), node("two"))), []) == "2 of 2 nodes have a lease."
    assert sentence(ClusterView(100.0), []) == "No node has joined."


async def test_the_screen_shows_what_the_store_knows_and_leads_to_the_sagas_of_a_lost_version(
    place: PageStore, browser: Browser
) -> None:
    async with place.writing() as store:
        await join(store, "alive", kinds=("order-process", "bil<b>ing"), carries=(f"order-process/{NEW.hex()}",))
        await join(store, "dead", kinds=("sales",), lease_s=0.0)
        await store.assign("sales", 4, owner="", expected_epoch=0)
        await fill(store, saga("ORD-1", version=OLD), saga("ORD-2", version=NEW, status=SAGA.COMPLETED))
        await store.keep_definitions([DefinitionRow("order-process", NEW.hex(), 1_700_000_000.0, b"")])
    seen = SeenPage((await browser.get("/cluster")).text)
    assert "1 of 2 nodes has a lease; 1 shard of 4 is owned" not in seen.text
    assert "1 of 2 nodes has a lease; 2 shards of 4 are owned by no live node; 1 version with 1 open saga" in seen.text
    assert "alive holds, more than half of 60 s left 2 127.0.0.1:7650 0.1.0 abc right" in seen.text
    assert (
        "dead expired" in seen.text and "sales dead has no lease 1 3" in seen.text and "sales nobody 1 4" in seen.text
    )
    assert f"order-process {OLD.hex()} its definition is not in the store 1 no live node carries it" in seen.text
    assert f"order-process {NEW.hex()} 2023-11-14 22:13:20.000 UTC 0 alive" in seen.text
    listed = SeenPage((await browser.get(seen.links["1"])).text)
    assert listed.links["order-process/ORD-1"] == "/sagas/order-process/ORD-1" and listed.rows == 2


async def test_an_empty_store_has_a_cluster_screen(browser: Browser) -> None:
    answer = await browser.get("/cluster")
    assert (
        answer.status_code == 200 and "No node has joined." in answer.text and "No shard was ever taken." in answer.text
    )
