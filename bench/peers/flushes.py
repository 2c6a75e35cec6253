"""How often an order has the disk flushed when nothing else goes on: counted by strace, so whatever the machine does.

Orders are placed one at a time, so no two share a flush. strace slows a system down: this is a run of its own.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from bench.peers.customer_process import CustomerProcess
from bench.peers.environment import PeerMissing
from bench.peers.system import DurableSystem

__all__ = ["count_flushes", "flushes_in"]

_ORDERS = 20
_ATTACH_S = 30.0
_END_S = 30.0
_CALL = re.compile(r"^\d+ +(?:fsync|fdatasync)\(", re.MULTILINE)  # the line on which a call begins, with its thread


async def count_flushes(system: DurableSystem) -> float:
    """Calls of fsync and fdatasync for each order, by all processes. Raises PeerMissing without strace."""
    if shutil.which("strace") is None:
        raise PeerMissing("flushes are counted by strace, which is not here: install it, or leave --flushes out")
    async with system:
        assert system.customer is not None, "a system without a customer"
        await system.customer.ask("restock", sku="sku-0", units=_ORDERS * 2)
        await _place(system.customer, "warm")
        trace = system.directory / "flushes"
        processes = [one.pid for one in psutil.Process().children(recursive=True)]
        tracer = await _attach(processes, trace)
        try:
            await _place(system.customer, "counted")
        finally:
            tracer.send_signal(signal.SIGINT)
            await asyncio.wait_for(tracer.wait(), _END_S)
        return round(flushes_in(trace.read_text(errors="replace")) / _ORDERS, 1)


def flushes_in(trace: str) -> int:
    """Calls in what strace has written. One that another thread cuts in two lines counts once."""
    return len(_CALL.findall(trace))


async def _place(customer: CustomerProcess, prefix: str) -> None:
    await customer.ask("load", prefix=prefix, count=_ORDERS, concurrency=1, skus=["sku-0"], seconds_max=120.0)


async def _attach(processes: Sequence[int], trace: Path) -> asyncio.subprocess.Process:
    """Returns once each of them is traced."""
    chosen = [argument for pid in processes for argument in ("-p", str(pid))]
    options = ("-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", str(trace))
    tracer = await asyncio.create_subprocess_exec("strace", *options, *chosen, process_group=0)
    deadline_s = time.monotonic() + _ATTACH_S
    while not all(_is_traced(pid) for pid in processes):
        if tracer.returncode is not None or time.monotonic() > deadline_s:
            if tracer.returncode is None:
                tracer.kill()
            raise PeerMissing("strace cannot attach to processes here: allow it, or leave --flushes out")
        await asyncio.sleep(0.02)
    return tracer


def _is_traced(pid: int) -> bool:
    """A process that has ended needs no tracer."""
    try:
        statuses = [one.read_text() for one in Path(f"/proc/{pid}/task").glob("*/status")]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return not any("\nTracerPid:\t0\n" in one for one in statuses)
