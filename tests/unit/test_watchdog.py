"""A handler that keeps the loop to itself is named, with its stack, while it does so."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from runtime.adapters import HandlerBlocksLoop, Watchdog
from runtime.ports import Fact, Handling, Running
from tests.unit.durable.ledger import bill


class Facts:
    """What was reported, and a wait for the first of it."""

    def __init__(self) -> None:
        self.all: list[Fact] = []
        self.came = threading.Event()

    def report(self, fact: Fact) -> None:
        self.all.append(fact)
        self.came.set()


def block_until(facts: Facts) -> None:
    assert facts.came.wait(30)


def test_a_handler_that_blocks_the_loop_is_named_with_its_stack_while_it_blocks() -> None:
    handling, facts, message = Handling(), Facts(), bill(1)
    watchdog = Watchdog(handling, facts.report, blocked_s=0.02)
    watchdog.start()
    handling.begin(message)
    block_until(facts)
    handling.end()
    watchdog.stop()
    fact = facts.all[0]
    assert isinstance(fact, HandlerBlocksLoop)
    assert (fact.address, fact.message, fact.id) == ("billing/ORD-1", "shop.BillOrder", message.id.hex())
    assert "block_until" in fact.stack
    assert fact.conversation == message.conversation.hex()


def test_a_handler_that_gives_way_is_not_named_however_often_it_runs() -> None:
    handling, facts = Handling(), Facts()
    watchdog = Watchdog(handling, facts.report, blocked_s=1.0)
    watchdog.start()
    for now_s in range(10):
        handling.begin(bill(1))
        watchdog._look(float(now_s))
        handling.end()
        watchdog._look(now_s + 0.9)
    watchdog.stop()
    assert facts.all == []


def test_what_cannot_be_told_does_not_end_the_watch() -> None:
    handling, facts, told = Handling(), Facts(), []

    def tell(running: Sequence[Running], counts_s: float) -> None:
        told.append((len(running), counts_s))
        raise ValueError("no name for it")

    handling.tell = tell
    watchdog = Watchdog(handling, facts.report, blocked_s=1.0)
    handling.begin(bill(1))
    for now_s in range(5):
        watchdog._look(float(now_s))
    assert told == [(1, 4.0)] * 4
    handling.end()
    watchdog._look(5.0)
    watchdog._look(6.0)
    assert told[4:] == [(0, 4.0)]
