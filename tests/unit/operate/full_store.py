"""A store that has something of everything, and all that a store has."""

from __future__ import annotations

from runtime.store.definitions import DefinitionRow
from runtime.store.lived import Lived
from runtime.store.port import Store
from runtime.store.proofs import ProofRow
from runtime.store.records import Outcome, ShardRow, Subscription, Transition
from runtime.store.summaries import ActorSummary
from runtime.testing.conformance.samples import EMPTY, actor_row, history_row, mail_row, post

ROWS = 23


async def fill(store: Store) -> None:
    summary = ActorSummary("stuck", "bill", "1", 1.0, 2.0, "no \0")
    for number in range(ROWS):
        kind = ("a", "b", "é")[number % 3]
        row = actor_row(f"k{number}", kind=kind, revision=number + 1, state=bytes([number]), summary=summary)
        await store.commit([Transition(actor=row, expected=EMPTY)])
        parked = "boom" if number % 4 == 0 else ""
        await store.commit([post(mail_row(number, f"m{number}", parked=parked, due_at_s=float(number)))])
        await store.commit([Transition(history=(history_row(100 + number, f"h{number}", outcome=Outcome.FAULTED),))])
    await store.commit([Transition(history=(history_row(1, "m1", outcome=Outcome.UNDONE),))])  # beside what waits
    await store.keep_definitions([DefinitionRow("process", version, 5.0, b"body") for version in ("1", "2")])
    made = [("1", 6.0, "clean"), ("1", 7.0, "broken"), *(("2", float(at_s), "clean") for at_s in range(9))]
    await store.keep_proofs([ProofRow("process", one, at_s, b"id", result, b"{}") for one, at_s, result in made])
    of_billing = [Subscription("Paid", "billing", "id", where_value="x"), Subscription("Sent", "billing", "")]
    await store.subscribe(of_billing, kind="billing")
    await store.subscribe([Subscription("Paid", "sales", "id", starts=True)], kind="sales")
    await store.assign_many([ShardRow("billing", shard, "one", 0) for shard in range(16)])
    await store.put_lived(Lived().on(5.0, 1_000.0))


async def everything(store: Store) -> list[object]:
    view = await store.cluster()
    return [
        await store.every_actor(limit=999),
        await store.every_mail(limit=999),
        await store.every_handled(limit=999),
        await store.definitions(),
        await store.proofs(limit=999),
        await store.lived(),
        view.subscriptions,
        [(row.kind, row.shard) for row in view.shards],
    ]
