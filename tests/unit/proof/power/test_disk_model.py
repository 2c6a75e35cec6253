"""What is on the disk for good, and what a power cut may leave: the model by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runtime.testing.virtual.dice import Dice
from tests.proof.power.disk_model import PAGE_BYTES, Content, DiskModel
from tests.proof.power.write_fate import SECTOR_BYTES, Luck, WriteFate

SEEDS = range(300)


def remains(make: Callable[[], Content]) -> set[bytes]:
    """Everything that some power cut or other leaves."""
    return {make().remains(Luck(Dice(seed))) for seed in SEEDS}


def test_what_was_synced_stays_whatever_comes() -> None:
    def content() -> Content:
        one = Content(b"a" * 2_000)
        one.write(0, b"b" * 1_000)
        one.sync()
        one.write(1_000, b"c" * 1_000)
        return one

    assert all(left[:1_000] == b"b" * 1_000 and len(left) == 2_000 for left in remains(content))


def test_what_was_not_synced_is_kept_or_dropped_or_torn_at_sectors() -> None:
    old, new = b"a" * 2_048, b"b" * 2_048

    def content() -> Content:
        one = Content(old)
        one.write(0, new)
        return one

    left = remains(content)
    assert {old, new} < left
    torn = [one for one in left if one not in (old, new)]
    for one in torn:
        sectors = [one[at : at + SECTOR_BYTES] for at in range(0, 2_048, SECTOR_BYTES)]
        # New from one end of a sector to somewhere, never here and there.
        assert all(len(sector.lstrip(b"a").rstrip(b"a").strip(b"b")) == 0 for sector in sectors)
    assert any(one[:SECTOR_BYTES] == old[:SECTOR_BYTES] and one[-SECTOR_BYTES:] == new[:SECTOR_BYTES] for one in torn)
    assert any(0 < one[:SECTOR_BYTES].count(b"b") < SECTOR_BYTES for one in torn), "no sector was half written"


def test_bytes_beside_a_write_never_change() -> None:
    def content() -> Content:
        one = Content(b"a" * 1_500)
        one.write(700, b"b" * 24)
        return one

    assert all(left[:700] + left[724:] == b"a" * 1_476 for left in remains(content))


def test_each_write_has_a_fate_of_its_own() -> None:
    def content() -> Content:
        one = Content(b"a" * 1_024)
        one.write(0, b"b")
        one.write(1_023, b"c")
        return one

    assert {(left[:1], left[-1:]) for left in remains(content)} == {
        (first, last) for first in (b"a", b"b") for last in (b"a", b"c")
    }


def test_where_a_file_has_grown_and_its_bytes_have_not_come_anything_may_stand() -> None:
    def content() -> Content:
        one = Content(b"old " * 256)
        one.write(1_024, b"n" * 1_024)
        return one

    left = remains(content)
    assert all(one[:1_024] == b"old " * 256 for one in left)
    tails = {one[1_024:] for one in left}
    assert b"" in tails and bytes(1_024) in tails and b"n" * 1_024 in tails
    assert any(tail.startswith(b"old ") for tail in tails), "nothing that lay there before"
    assert len(tails) > 6, "no noise"


def test_a_shortening_that_was_not_synced_may_not_have_happened() -> None:
    def content() -> Content:
        one = Content(b"a" * 100)
        one.truncate(10)
        return one

    assert remains(content) == {b"a" * 100, b"a" * 10}


def test_readers_see_every_write_in_order_and_a_sync_keeps_what_they_see() -> None:
    for seed in SEEDS:
        dice, content, plain = Dice(seed), Content(b"start"), bytearray(b"start")
        for _ in range(40):
            offset, size = dice.below(9_000), 1 + dice.below(5_000)
            data = bytes([dice.below(256)]) * size
            match dice.below(5):
                case 0:
                    content.truncate(offset)
                    del plain[offset:]
                    plain.extend(bytes(offset - len(plain)))
                case 1:
                    content.sync()
                    assert content.forgotten or content.durable == plain
                case 2:
                    content.fail_sync(Luck(dice))
                case _:
                    content.write(offset, data)
                    plain.extend(bytes(max(0, offset - len(plain))))
                    plain[offset : offset + size] = data
            assert content.whole() == plain, f"seed {seed}"


def test_after_a_failed_flush_only_pages_that_are_written_again_get_to_the_disk() -> None:
    new = b"n" * PAGE_BYTES
    for seed in SEEDS:
        content = Content(bytes(3 * PAGE_BYTES))
        for page in range(3):
            content.write(page * PAGE_BYTES, new)
        content.fail_sync(Luck(Dice(seed)))
        failed = bytes(content.durable)
        assert content.whole() == new * 3, "readers see something else"
        content.write(PAGE_BYTES + 7, b"again")
        content.sync()
        assert content.durable[PAGE_BYTES : 2 * PAGE_BYTES] == b"n" * 7 + b"again" + b"n" * (PAGE_BYTES - 12)
        assert content.durable[:PAGE_BYTES] == failed[:PAGE_BYTES]
        assert content.durable[2 * PAGE_BYTES :] == failed[2 * PAGE_BYTES :]


def test_a_file_is_there_for_good_once_its_folder_was_synced() -> None:
    def model() -> DiskModel:
        one = DiskModel({"old": b"old"})
        one.create("new")
        one.content("new").write(0, b"new")
        one.content("new").sync()
        one.delete("old")
        return one

    left = [model().remains(Luck(Dice(seed))) for seed in SEEDS]
    assert {frozenset(one) for one in left} == {
        frozenset(), frozenset({"old"}), frozenset({"new"}), frozenset({"old", "new"})
    }  # fmt: skip
    assert all(one.get("new", b"new") == b"new" and one.get("old", b"old") == b"old" for one in left)
    synced = model()
    synced.sync_folder()
    assert {frozenset(synced.remains(Luck(Dice(seed))).items()) for seed in SEEDS} == {frozenset({("new", b"new")})}


def test_a_file_made_anew_under_its_old_name_may_be_the_old_one_again() -> None:
    model = DiskModel({"log": b"old"})
    model.delete("log")
    model.create("log")
    model.content("log").write(0, b"new")
    model.content("log").sync()
    left = {model.remains(Luck(Dice(seed))).get("log") for seed in SEEDS}
    assert left == {None, b"old", b"new"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_seed_leaves_the_same(seed: int) -> None:
    def left() -> tuple[dict[str, bytes], dict[WriteFate, int]]:
        model, luck = DiskModel({"file": b"a" * 5_000}), Luck(Dice(seed))
        for at in range(0, 9_000, 1_000):
            model.content("file").write(at, b"b" * 1_000)
        return model.remains(luck), dict(luck.seen)

    assert left() == left()
