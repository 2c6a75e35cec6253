"""A handler that ends processes, never returns, or leaves something behind in its task fails alone."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from protos.sales_pb2 import OrderLine
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.kind import Limits, MessageParked
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.durable.turn.unhandled import HandlerFailed
from runtime.errors import InvalidDefinition
from runtime.store.records import MailRow
from tests.unit.durable.local import LocalNode, in_virtual_time

ONCE = RetryPolicy(immediate=0, delays=(), jitter=0.0)
THRICE = RetryPolicy(immediate=1, delays=(), jitter=0.0)
_SKIN: contextvars.ContextVar[str] = contextvars.ContextVar("skin", default="clean")


def service(
    act: Callable[[BillOrder], Awaitable[object]], retries: RetryPolicy = ONCE, **options: Any
) -> ServiceBehaviour:
    class Unruly(Service[BillState], kind="billing", retries=retries, **options):
        async def bill(self, command: BillOrder) -> OrderBilled:
            self.state.charges += 1
            if command.line.sku:
                await act(command)
            return OrderBilled(order_id=command.order_id)

    return ServiceBehaviour(Unruly)


async def parked(node: LocalNode, key: str = "ORD-1") -> MailRow:
    (row,) = await node.mail("billing", key)
    assert row.parked
    return row


def order(key: str = "ORD-1", sku: str = "") -> BillOrder:
    return BillOrder(order_id=key, line=OrderLine(sku=sku))


async def send_bad(node: LocalNode, sku: str = "bad") -> None:
    assert await node.send(order(sku=sku)) is None


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), BaseException("odd")]
)
@pytest.mark.parametrize("waits_first", [False, True])
def test_whatever_a_handler_raises_is_a_failed_run_that_is_counted_and_parked(
    error: BaseException, waits_first: bool
) -> None:
    async def act(_: BillOrder) -> None:
        if waits_first:
            await asyncio.sleep(1)
        raise error

    async def test() -> None:
        node = await LocalNode([service(act, THRICE)]).start()
        await send_bad(node)
        row = await parked(node)
        assert type(error).__name__ in row.parked
        assert "test_unruly_handlers.py" in row.parked, "the place where it was raised is kept"
        assert row.attempts == 2
        await node.send(order("ORD-2"))
        await node.send(order())
        assert BillState.FromString((await node.row("billing", "ORD-1")).state).charges == 1
        await node.stop()

    in_virtual_time(test)


@pytest.mark.parametrize("waits_first", [False, True])
@pytest.mark.parametrize("then", ["waits", "returns", "raises", "swallows it and waits on"])
def test_a_handler_that_cancels_its_own_task_has_failed_alone(waits_first: bool, then: str) -> None:
    async def act(_: BillOrder) -> None:
        if waits_first:
            await asyncio.sleep(1)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        if then == "raises":
            raise ValueError(then)
        if then != "returns":
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                if then == "waits":
                    raise
                await asyncio.sleep(1)
                raise

    async def test() -> None:
        node = await LocalNode([service(act, THRICE)]).start()
        await send_bad(node)
        row = await parked(node)
        assert ("ValueError: raises" if then == "raises" else "CancelledError") in row.parked
        assert row.attempts == 2
        await node.send(order("ORD-2"))
        await node.send(order())
        assert BillState.FromString((await node.row("billing", "ORD-1")).state).charges == 1
        await node.stop()

    in_virtual_time(test)


def test_a_handler_that_never_returns_is_cancelled_after_its_time_and_named() -> None:
    async def act(_: BillOrder) -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        retries = RetryPolicy(immediate=0, delays=(30.0,), jitter=0.0)
        node = await LocalNode([service(act, retries)], limits=Limits(handler_timeout_s=7.0)).start()
        began_s = node.ports.clock.monotonic_s()
        await send_bad(node)
        assert node.ports.clock.monotonic_s() - began_s == pytest.approx(30 + 7, abs=2)
        row = await parked(node)
        for part in ("HandlerTimedOut", "shop.BillOrder", "billing/ORD-1", "handler_timeout_s=7", row.id.hex()):
            assert part in row.parked
        assert "test_unruly_handlers.py" in row.parked, "the place where it waited is named"
        assert "HandlerTimedOut" in str(node.facts_of(HandlerFailed))
        await node.send(order())
        await node.stop()

    in_virtual_time(test)


def test_a_handler_that_used_its_time_up_is_told_at_once_and_not_run_again_in_the_same_turn() -> None:
    async def act(_: BillOrder) -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        retries = RetryPolicy(immediate=2, delays=(2.0, 2.0), jitter=0.0)
        node = await LocalNode([service(act, retries)], limits=Limits(handler_timeout_s=7.0)).start()
        sent = asyncio.create_task(send_bad(node))
        await asyncio.sleep(8.0)
        (failed,) = node.facts_of(HandlerFailed)
        assert isinstance(failed, HandlerFailed) and failed.attempts == 1 and "HandlerTimedOut" in failed.error
        await sent
        assert (await parked(node)).attempts == retries.runs_max, "its budget of runs is the same"
        await node.stop()

    in_virtual_time(test)


def test_a_handler_that_used_its_time_up_and_has_no_later_retry_is_run_again_at_once() -> None:
    async def act(_: BillOrder) -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        node = await LocalNode([service(act, THRICE)], limits=Limits(handler_timeout_s=7.0)).start()
        await send_bad(node)
        assert (await parked(node)).attempts == 2
        await node.stop()

    in_virtual_time(test)


def test_a_service_has_a_time_of_its_own_for_its_handlers() -> None:
    async def act(command: BillOrder) -> None:
        await asyncio.sleep(float(command.line.sku))

    async def test() -> None:
        node = await LocalNode([service(act, handler_timeout=100.0)], limits=Limits(handler_timeout_s=1.0)).start()
        await node.send(order(sku="90"))
        await send_bad(node, "110")
        assert "handler_timeout_s=100" in (await parked(node)).parked
        await node.stop()

    in_virtual_time(test)


@pytest.mark.parametrize("time_s", [-1.0, float("inf"), float("nan")])
def test_a_time_that_is_none_is_refused_when_the_class_is_made(time_s: float) -> None:
    with pytest.raises(InvalidDefinition, match="handler_timeout is"):
        service(asyncio.sleep, handler_timeout=time_s)  # type: ignore[arg-type]


@pytest.mark.parametrize("ends", ["returns", "raises another error", "waits on", "waits on for ever"])
def test_a_handler_that_swallows_its_cancellation_has_failed_all_the_same(ends: str) -> None:
    async def act(_: BillOrder) -> None:
        waits = True
        while waits:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                waits = ends == "waits on for ever"
        if ends == "raises another error":
            raise ValueError(ends)
        if ends == "waits on":
            await asyncio.Event().wait()

    async def test() -> None:
        node = await LocalNode([service(act)], limits=Limits(handler_timeout_s=7.0)).start()
        await send_bad(node)
        assert "HandlerTimedOut" in (await parked(node)).parked
        await node.send(order())
        assert len(node.facts_of(MessageParked)) == 1
        await node.stop()

    in_virtual_time(test)


def test_a_handler_that_is_suspended_when_its_node_stops_is_cancelled_and_not_counted() -> None:
    async def act(_: BillOrder) -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        node = await LocalNode([service(act)], limits=Limits(handler_timeout_s=7000.0)).start()
        waits = node.ports.tasks.start(send_bad(node), name="client")
        await node.sleep(1)
        await node.stop()
        (row,) = await node.mail("billing", "ORD-1")
        assert (row.attempts, row.parked) == (0, "")
        waits.cancel()

    in_virtual_time(test)


def test_what_a_handler_sets_in_its_context_is_not_seen_by_the_next() -> None:
    seen: list[str] = []

    async def act(command: BillOrder) -> None:
        seen.append(_SKIN.get())
        _SKIN.set(command.line.sku)
        if command.line.sku == "waits":
            await asyncio.sleep(1)
        seen.append(_SKIN.get())

    async def test() -> None:
        node = await LocalNode([service(act)]).start()
        for sku in ("quick", "waits", "quick"):
            await node.send(order(sku=sku))
        assert seen == ["clean", "quick", "clean", "waits", "clean", "quick"]
        await node.stop()

    in_virtual_time(test)


def test_a_timeout_of_the_handlers_own_works_within_it() -> None:
    async def act(_: BillOrder) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.Event().wait()

    async def test() -> None:
        node = await LocalNode([service(act)]).start()
        await node.send(order(sku="x"))
        await node.stop()

    in_virtual_time(test)


def test_an_error_whose_text_ends_the_process_is_text_all_the_same() -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            sys.exit(9)

    async def act(_: BillOrder) -> None:
        raise Unspeakable

    async def test() -> None:
        node = await LocalNode([service(act)]).start()
        await send_bad(node)
        assert "Unspeakable" in (await parked(node)).parked
        await node.stop()

    in_virtual_time(test)
