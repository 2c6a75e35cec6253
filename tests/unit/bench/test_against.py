"""Ratios to the yardstick, and the yardstick's own stream."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import grpc.aio

from bench.against import compare
from bench.bare_calls import BareCaller, BareCalls
from bench.yardstick import BareLoad


def test_rounds_go_in_turn_and_their_ratios_are_told_for_each_way_of_placing() -> None:
    order: list[str] = []
    costs = iter((0.003, 0.002, 0.001))

    def run() -> dict[str, Any]:
        order.append("orders")
        return {"cpu_s_per_saga": next(costs), "sagas_per_s": 500.0}

    def measure(loads: Sequence[BareLoad]) -> Sequence[Mapping[str, float]]:
        order.append(" and ".join(load.placing for load in loads))
        return [{"cpu_s_per_saga": 0.001, "sagas_per_s": 1000.0}, {"cpu_s_per_saga": 0.0005, "sagas_per_s": 2000.0}]

    figures, told = compare(run, measure, BareLoad(64, 100, "stream"), 3)
    assert order == ["orders", "unary and stream", "unary and stream", "orders", "orders", "unary and stream"]
    assert figures["cpu_ratio_to_yardstick"] == {"median": 2.0, "least": 1.0, "most": 3.0}
    assert figures["cpu_ratio_to_yardstick_by_stream"] == {"median": 4.0, "least": 2.0, "most": 6.0}
    assert figures["rate_ratio_to_yardstick_by_stream"]["median"] == 0.25
    assert figures["cpu_s_per_saga"] == 0.001 and len(told) == 3 + 4


async def test_the_stream_of_the_yardstick_answers_each_order() -> None:
    placed: list[bytes] = []

    async def place(order: bytes, _: Any) -> bytes:
        placed.append(order)
        return b""

    server = grpc.aio.server()
    handlers: dict[str, Any] = {"places": grpc.stream_stream_rpc_method_handler(BareCalls(place).serve)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("yardstick", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(30):
        caller = BareCaller(channel)
        orders = [f"order-{number}".encode() for number in range(50)]
        await asyncio.gather(*(caller.place(order) for order in orders))
        assert placed == orders
        caller.close()
    await server.stop(None)
