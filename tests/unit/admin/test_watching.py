"""What is watched on a real terminal: it follows the store, ends by a key, and leaves the terminal as it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import click
import pytest
from click.testing import CliRunner

from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.saga.view import Phase
from runtime.store.memory import MemoryStore
from runtime.store.open import open_store
from tests.tidy.source import ROOT
from tests.unit.admin.terminal import terminal
from tests.unit.operate.rows import SAGA, fill, join, mail, saga
from tests.unit.saga.records import task_in

ADMIN = ("-m", "runtime.admin")
LEAVES_SCREEN = "\x1b[?1049l"


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A store with a saga that owes an undo, and a node."""
    path = tmp_path / "watched.db"
    store = open_store(f"sqlite:///{path}", system_ports())
    await store.open()
    owing = saga("ORD-7", status=SAGA.STUCK, tasks=(task_in(Phase.OWED, "bill"),), stuck_reason="no bank")
    await fill(store, owing, mail(7, kind="billing", parked="torn"))
    await join(store, "sales-1", kinds=("sales",))
    await store.close()
    return path


def on(file: Path, *words: str) -> tuple[str, ...]:
    return (*ADMIN, "--store", f"sqlite:///{file}", *words)


def forget_sagas(file: Path) -> None:
    with closing(apsw.Connection(str(file))) as connection:
        connection.set_busy_timeout(5_000)
        connection.execute("delete from actors")


def test_top_shows_how_all_sagas_stand_follows_them_and_ends_by_q(file: Path) -> None:
    with terminal(*on(file, "top", "--every", "0.2"), cwd=ROOT) as seen:
        for words in (
            "1 saga owes an undo",
            "undo owed",
            "stuck, owes an undo for ",
            "order-process/ORD-7",
            "no bank",
            "sales-1",
            "q ends",
        ):
            seen.until(words)
        assert not seen.echoes()
        forget_sagas(file)
        seen.until("No saga is under way")
        seen.resize(10, 40)
        seen.drawn_again()
        seen.press("q")
        assert seen.ended() == 0
        assert seen.text.rstrip().endswith(("\x1b[?25h", LEAVES_SCREEN)) and LEAVES_SCREEN in seen.text
        assert seen.echoes()


@pytest.mark.parametrize("by", ["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_a_listing_that_is_watched(file: Path, by: str) -> None:
    with terminal(*on(file, "sagas", "--watch", "0.2"), cwd=ROOT) as seen:
        seen.until("order-process/ORD-7")
        seen.drawn_again()
        if by == "Ctrl-C":
            seen.press("\x03")
        else:
            seen.process.send_signal(signal.SIGTERM)
        assert seen.ended() == 0
        assert LEAVES_SCREEN in seen.text and seen.echoes() and "Traceback" not in seen.text


def test_a_store_that_goes_away_is_told_and_found_again(file: Path) -> None:
    away = file.with_name("away.db")
    with terminal(*on(file, "dead-letters", "--watch", "0.2"), cwd=ROOT) as seen:
        seen.until("torn")
        file.rename(away)
        seen.until("what is shown may be old: ")
        away.rename(file)
        before = seen.text.count("what is shown may be old")
        seen.drawn_again()
        seen.drawn_again()
        seen.drawn_again()
        assert seen.text.count("what is shown may be old") <= before + 2
        seen.press("q")
        assert seen.ended() == 0


def test_a_listing_that_exits_by_itself_leaves_what_it_said_and_its_code(file: Path) -> None:
    with terminal(*on(file, "sagas", "--exit-code", "--watch"), cwd=ROOT) as seen:
        assert seen.ended() == 8
        assert "order-process/ORD-7" in seen.words.rpartition(LEAVES_SCREEN)[2]


def test_a_store_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with terminal(*on(tmp_path / "nothing.db", "top"), cwd=ROOT) as seen:
        assert seen.ended() == 1 and "there is no store" in seen.words


def test_without_a_terminal_top_is_printed_once_and_a_watch_goes_on(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, *on(file, "top")], capture_output=True, text=True, check=True, cwd=ROOT, timeout=30
    )
    assert "1 saga owes an undo" in done.stdout and "\x1b" not in done.stdout
    done = subprocess.run(
        [sys.executable, *on(file, "top", "--json")], capture_output=True, text=True, check=True, cwd=ROOT, timeout=30
    )
    told = json.loads(done.stdout)
    assert [(one["kind"], one["count"]) for one in told["owed"]] == [("order-process", 1)]
    assert [(one["status"], one["count"]) for one in told["sagas"]] == [("stuck", 1)]
    command = [sys.executable, *on(file, "sagas", "--watch", "0.2", "--json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = (line for line in process.stdout if '"ORD-7"' in line)
        assert next(lines) and next(lines)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def listings(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands of a group, and of the groups in it, by their words."""
    for name, command in group.commands.items():
        yield f"{above}{name}", command
        if isinstance(command, click.Group):
            yield from listings(command, f"{name} ")


def test_each_command_that_lists_can_be_watched_and_no_command_that_acts() -> None:
    watched = {words for words, one in listings(admin) if any("--watch" in option.opts for option in one.params)}
    of_versions = {"definitions", "proofs"}
    assert watched == {
        "nodes",
        "shards",
        "sagas",
        "processes",
        "dead-letters",
        "timers",
        "pauses",
        "runs",
        *of_versions,
    }


def test_what_acts_within_a_listing_is_not_watched(store: MemoryStore) -> None:
    session = Session(store=store)
    done = CliRunner().invoke(admin, ["dead-letters", "--watch", "2", "discard", "00", "--reason", "x"], obj=session)
    assert done.exit_code == 2 and "--watch is for the listing" in done.output


def test_too_short_a_pause_is_refused(store: MemoryStore) -> None:
    done = CliRunner().invoke(admin, ["sagas", "--watch", "0"], obj=Session(store=store))
    assert done.exit_code == 2 and "0.2" in done.output
