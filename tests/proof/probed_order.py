"""The order process with a probe of its first step: for the explorer, since no saga of the examples has a probe.

python -m tests.proof explore tests.proof.probed_order:ProbedOrder
"""

from __future__ import annotations

from actors.orchestration import OrderProcess
from runtime.saga.probe import Probe

__all__ = ["ProbedOrder"]

ProbedOrder = OrderProcess.with_steps(bill={"probe": Probe()})
