"""A small script in place of a node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from runtime.testing.processes.harness import NodeProcess

SCRIPT = """
import json, os, signal, sys, time

def end(*_):
    print("drained", flush=True)
    sys.exit(int(os.environ.get("AMENDS_EXIT_CODE", "0")))

def refuse(*_):
    print("not now", flush=True)

deaf = os.environ.get("AMENDS_DEAF")
signal.signal(signal.SIGTERM, refuse if deaf else end)
print("words before the log", flush=True)
print(json.dumps({"event": "ready", "address": "127.0.0.1:4711", "arguments": sys.argv[1:]}), flush=True)
if os.environ.get("AMENDS_ENDS"):
    sys.exit(7)
while True:
    if not deaf:
        print(json.dumps({"event": "beat"}), flush=True)
    time.sleep(0.01)
"""


async def ready(node: NodeProcess) -> str | None:
    return next((str(line["address"]) for line in node.log_records() if line["event"] == "ready"), None)


def gone(pid: int) -> bool:
    """Whether no such process runs any more; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def beats(node: NodeProcess) -> int:
    return sum(record["event"] == "beat" for record in node.log_records())


def beats_again(node: NodeProcess) -> Callable[[], bool]:
    seen = beats(node)
    return lambda: beats(node) > seen
