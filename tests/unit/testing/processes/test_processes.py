"""The process harness, with small scripts in place of nodes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from runtime.errors import InvalidSettings, StoreError
from runtime.testing.processes.harness import Harness, NodeProcess, NotInTime, ProcessFailed
from tests.unit.testing.processes.scripted import beats, beats_again, ready


async def never(node: NodeProcess) -> str | None:
    return None


async def test_a_started_node_gets_its_services_store_name_and_a_free_port(harness: Harness) -> None:
    async with harness:
        node = await harness.start("billing-1", ["billing", "sales"])
        assert node.alive
        assert node.address == "127.0.0.1:4711"
        assert node.log_records()[0]["arguments"] == [
            *("billing", "sales", "--store", f"sqlite:///{harness.directory / 'amends.db'}"),
            *("--listen", "127.0.0.1:0", "--name", "billing-1"),
        ]


async def test_stopping_gives_the_exit_code_of_the_drain(harness: Harness) -> None:
    async with harness:
        node = await harness.start("billing-1", settings={"exit_code": 5})
        assert await node.stop() == 5
        assert node.log_lines()[-1] == "drained"
        assert node.describe() == "ended with exit code 5"


async def test_settings_of_the_harness_hold_for_all_and_those_of_a_node_come_first(
    harness: Harness, tmp_path: Path
) -> None:
    command = [sys.executable, str(tmp_path / "script.py")]
    async with Harness(
        command=command, directory=tmp_path / "other", ready=ready, settings={"exit_code": 5}
    ) as configured:
        one, two = await asyncio.gather(configured.start("one"), configured.start("two", settings={"exit_code": 6}))
        assert (await one.stop(), await two.stop()) == (5, 6)


async def test_settings_of_the_environment_do_not_leak_into_nodes(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMENDS_EXIT_CODE", "9")
    async with harness:
        node = await harness.start("billing-1")
        assert await node.stop() == 0


async def test_a_killed_node_says_nothing_more_and_starts_again_by_name(harness: Harness) -> None:
    async with harness:
        node = await harness.start("billing-1")
        first = node.pid
        node.kill()
        assert node.exit_code == -signal.SIGKILL
        assert "drained" not in node.log_lines()
        again = await harness.restart("billing-1")
        assert again is node
        assert again.alive
        assert again.pid != first
        assert len(list((harness.directory / "logs").iterdir())) == 2


async def test_restarting_a_live_node_stops_it_first(harness: Harness) -> None:
    async with harness:
        node = await harness.start("billing-1")
        await harness.restart("billing-1")
        assert "drained" in node.log_lines()
        assert node.alive


async def test_a_frozen_node_does_nothing_until_it_is_thawed(harness: Harness) -> None:
    async with harness:
        node = await harness.start("billing-1")
        node.freeze()
        await harness.eventually(lambda: is_stopped(node.pid), timeout_s=30, what="the process is stopped")
        seen = beats(node)
        other = await harness.start("clock")
        await harness.eventually(beats_again(other), timeout_s=30, what="another one goes on")
        assert beats(node) == seen
        assert node.frozen
        node.thaw()
        await harness.eventually(beats_again(node), timeout_s=30, what="the thawed one goes on")


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def test_a_frozen_node_can_be_stopped(harness: Harness) -> None:
    async with harness:
        node = await harness.start("billing-1")
        node.freeze()
        assert await node.stop() == 0


async def test_a_node_that_ignores_the_request_to_stop_is_killed_and_named(harness: Harness) -> None:
    async with harness:
        node = await harness.start("deaf", settings={"deaf": "yes"})
        os.kill(node.pid, signal.SIGTERM)
        await harness.eventually(lambda: "not now" in node.log_lines(), timeout_s=30, what="it has refused")
        with pytest.raises(ProcessFailed, match=r"deaf did not end within 0\.2 s; at last it said:\n(.*\n)*not now"):
            await node.stop(timeout_s=0.2)
        assert not node.alive


async def test_a_node_that_ends_while_it_starts_is_an_error_with_its_output(harness: Harness, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys; print('port taken'); sys.exit(3)")
    async with harness:
        with pytest.raises(ProcessFailed, match="billing-1 ended while it started: ended with exit code 3\nport taken"):
            await harness.start("billing-1")


async def test_a_node_that_never_serves_is_an_error_in_time(harness: Harness, tmp_path: Path) -> None:
    command = [sys.executable, str(tmp_path / "script.py")]
    async with Harness(command=command, directory=tmp_path / "slow", ready=never, start_timeout_s=0.3) as slow:
        with pytest.raises(NotInTime, match=r"billing-1 does not serve after 0\.3 s"):
            await slow.start("billing-1")


async def test_waiting_shows_what_was_waited_for_the_last_answer_and_the_logs(harness: Harness) -> None:
    async with harness:
        node = await harness.start("billing-1")
        await harness.eventually(lambda: beats(node), timeout_s=30, what="it has logged something")
        with pytest.raises(NotInTime, match=r"not within 0\.2 s: the moon is blue; last seen: 0") as caught:
            await harness.eventually(lambda: 0, timeout_s=0.2, what="the moon is blue")
        assert "--- billing-1: runs as pid" in str(caught.value)
        assert '{"event": "beat"}' in str(caught.value)


async def test_waiting_takes_a_coroutine_and_a_failed_assertion_for_not_yet(harness: Harness) -> None:
    asked = []

    async def third_time() -> str:
        asked.append(1)
        assert len(asked) == 3, "too early"
        return "done"

    async with harness:
        assert await harness.eventually(third_time, timeout_s=30, what="the third time") == "done"


async def test_waiting_ends_at_once_when_a_node_ends_unasked(harness: Harness) -> None:
    async with harness:
        node = await harness.start("brief", settings={"ends": "yes"})
        with pytest.raises(ProcessFailed, match="brief ended by itself: ended with exit code 7"):
            await harness.eventually(lambda: False, timeout_s=60, what="never")
        assert await node.exited() == 7


async def test_any_command_can_be_run_to_its_end(harness: Harness) -> None:
    async with harness:
        finished = await harness.run([sys.executable, "-c", "print('hello'); raise SystemExit(4)"])
    assert (finished.code, finished.output) == (4, "hello\n")


async def test_a_command_that_does_not_end_is_killed_and_shown(harness: Harness) -> None:
    async with harness:
        with pytest.raises(ProcessFailed, match=r"still runs after 2 s; it said:\nbusy"):
            await harness.run(["sh", "-c", "echo busy; exec sleep 600"], timeout_s=2.0)


async def test_a_node_can_be_run_with_arguments_it_must_refuse(harness: Harness) -> None:
    async with harness:
        finished = await harness.run_node("--nonsense", settings={"ends": "yes"})
    assert finished.code == 7
    assert '"arguments": ["--nonsense"]' in finished.output


async def test_a_temporary_folder_goes_unless_something_failed() -> None:
    async with Harness(command=["true"]) as clean:
        assert clean.directory.is_dir()
    assert not clean.directory.exists()
    with pytest.raises(KeyError):
        async with Harness(command=["true"]) as failed:
            raise KeyError("a test fails")
    assert (failed.directory / "logs").is_dir()
    (failed.directory / "logs").rmdir()
    failed.directory.rmdir()


async def test_the_same_name_is_not_started_twice(harness: Harness) -> None:
    async with harness:
        await harness.start("one")
        with pytest.raises(ValueError, match="one runs already"):
            await harness.start("one")


def test_a_store_in_memory_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="cannot be shared by several"):
        Harness(command=["true"], store_url="memory:")
    with pytest.raises(InvalidSettings, match="command has to be a list, as in"):
        Harness(command="python node.py")


def test_there_is_no_store_to_look_into_before_a_node_made_one(harness: Harness) -> None:
    with pytest.raises(StoreError, match="start a node first"):
        harness.store  # noqa: B018 - reading it is what is tested
