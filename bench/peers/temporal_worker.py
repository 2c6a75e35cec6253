"""The worker of the order process on Temporal: `python -m bench.peers.temporal_worker HOST:PORT FILE`.

It says that it serves once it is connected. The file is the database of the services.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from bench.peers.customer import DeskOrder
from bench.peers.services_in_sqlite import BackOrderedAtWarehouse, ServicesInSqlite
from bench.peers.temporal_process import QUEUE, LocalOrderProcess, TemporalOrderProcess

__all__: list[str] = []

_THREADS = 100  # as many as the activities that a worker takes at a time unless it is told otherwise


def activities_of(services: ServicesInSqlite) -> list[Callable[[DeskOrder], None]]:
    """Each act of the services as an activity of its name."""

    @activity.defn(name="label")
    def label(order: DeskOrder) -> None:
        try:
            services.label(order)
        except BackOrderedAtWarehouse as refused:
            raise ApplicationError(str(refused), type="BackOrdered", non_retryable=True) from refused

    acts = (services.place, services.bill, services.mark_ready, services.void, services.refund, services.cancel)
    return [label, *(_activity(act) for act in acts)]


def _activity(act: Callable[[DeskOrder], None]) -> Callable[[DeskOrder], None]:
    def run(order: DeskOrder) -> None:
        act(order)

    named: Callable[[DeskOrder], None] = activity.defn(name=act.__name__)(run)
    return named


async def work(address: str, file: Path) -> None:
    """Work until the process is ended."""
    client = await Client.connect(address)
    services = ServicesInSqlite(file)
    with ThreadPoolExecutor(_THREADS) as threads:
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=[TemporalOrderProcess, LocalOrderProcess],
            activities=activities_of(services),
            activity_executor=threads,
            max_concurrent_activities=_THREADS,
            max_concurrent_local_activities=_THREADS,
            workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
            activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        )
        print("serves", flush=True)
        await worker.run()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2])))
