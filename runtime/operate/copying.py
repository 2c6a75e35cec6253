"""Copies all of a store into an empty one of any engine, page by page, and checks at the end that nothing differs.

    source ──every_mail, every_actor, every_handled──▶ copy_store ──commit──▶ target
                                  counts and digests of both ──▶ StoreCopied, or CopyRefused

No node may run meanwhile. The copy is a cluster of its own, with an identity of its own. It has whatever waits: mail,
dead letters, timers, processes in the middle, the history by which copies of messages die, definitions, what was proven
of them, subscriptions, and the slices of each kind, which nobody owns.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from runtime.errors import CommitUnknown, StoreError
from runtime.store.port import Store
from runtime.store.proofs import ProofPlace, ProofRow
from runtime.store.records import ActorRow, ClusterView, Expected, HistoryRow, MailRow, ShardRow, Transition, Verdict

__all__ = ["CopyRefused", "StoreCopied", "copy_store"]

_PAGE = 500
_COMMIT_BYTES = 1_048_576
_NO_ROW = Expected(0, b"")

Told = Callable[[str, int], object]
"""Hears of each page: the name of the table, and how many of its rows are copied by now."""


class CopyRefused(StoreError):
    """The stores are not as a copy needs them, or the copy is not the same; the text says what to do."""


@dataclass(frozen=True, slots=True)
class StoreCopied:
    """How many rows of each there are, in both stores alike."""

    actors: int
    mail: int
    history: int
    definitions: int
    proofs: int
    subscriptions: int


@dataclass(slots=True)
class _RowsSeen:
    """How many rows there were, and a digest over them in their order."""

    count: int = 0
    digest: Any = field(default_factory=sha256)

    def add(self, rows: Sequence[object]) -> None:
        self.count += len(rows)
        for row in rows:
            self.digest.update(repr(row).encode("utf-8", "backslashreplace"))

    @property
    def mark(self) -> tuple[int, str]:
        return self.count, self.digest.hexdigest()


async def copy_store(source: Store, target: Store, told: Told) -> StoreCopied:
    """Copy an open store into another open one. Raises CopyRefused, StoreError; then nobody can open the target."""
    before = await source.cluster()
    _check_at_rest(before)
    await _check_empty(target)
    await target.mark_half_copied(True)
    mail = await _copied(_mail(source), lambda row: Transition(mail=(row,)), target, told, "mail")
    actors = await _copied(_actors(source), _as_new, target, told, "actors")
    history = await _copied(_history(source), lambda row: Transition(history=(row,)), target, told, "history")
    definitions = await source.definitions()
    await target.keep_definitions(definitions)
    proofs = await _copied_proofs(source, target)
    await _copy_cluster(before, target)
    await target.put_lived(await source.lived())
    after = await source.cluster()
    _check_at_rest(after)
    if after.shards != before.shards:
        raise CopyRefused("nodes have run on the source during the copy; stop them, and copy anew into an empty store")
    for table, seen, rows in (
        ("mail", mail, _mail(target)),
        ("actors", actors, _actors(target)),
        ("history", history, _history(target)),
        ("proofs", proofs, _proofs(target)),
    ):
        await _check_same(table, seen, rows)
    there = await target.cluster()
    if (await target.definitions(), there.subscriptions) != (definitions, before.subscriptions):
        raise _differs("the definitions or the subscriptions of both differ")
    await target.mark_half_copied(False)
    counts = (actors.count, mail.count, history.count, len(definitions), proofs.count, len(before.subscriptions))
    return StoreCopied(*counts)


# --- what is there ---


def _check_at_rest(view: ClusterView) -> None:
    alive = [node.name for node in view.nodes if node.lease_until_s > view.now_s]
    if alive:
        raise CopyRefused(f"nodes run on the source: {', '.join(alive)}; stop them first, and what they do now is kept")


async def _check_empty(target: Store) -> None:
    view = await target.cluster()
    found = {
        "actors": await target.every_actor(limit=1),
        "mail": await target.every_mail(limit=1),
        "history": await target.every_handled(limit=1),
        "definitions": await target.definitions(),
        "proofs": await target.proofs(limit=1),
        "nodes": view.nodes,
        "shards": view.shards,
        "subscriptions": view.subscriptions,
    }
    if there := [name for name, rows in found.items() if rows]:
        raise CopyRefused(
            f"the target is not empty, it has {', '.join(there)}; name a new store, or remove what an earlier copy left"
        )


async def _actors(store: Store) -> AsyncIterator[list[ActorRow]]:
    after = ("", "")
    while page := await store.every_actor(limit=_PAGE, after=after):
        after = page[-1].address
        yield page


async def _mail(store: Store) -> AsyncIterator[list[MailRow]]:
    after: MailRow | None = None
    while page := await store.every_mail(limit=_PAGE, after=after):
        after = page[-1]
        yield page


async def _history(store: Store) -> AsyncIterator[list[HistoryRow]]:
    after = (b"", b"")
    while page := await store.every_handled(limit=_PAGE, after=after):
        after = (page[-1].conversation, page[-1].id)
        yield page


async def _proofs(store: Store) -> AsyncIterator[list[ProofRow]]:
    after: ProofPlace | None = None
    while page := await store.proofs(limit=_PAGE, after=after):
        after = ProofPlace.of(page[-1])
        yield page


# --- the copy ---


def _as_new(row: ActorRow) -> Transition:
    return Transition(actor=row, expected=_NO_ROW)


async def _copied(
    pages: AsyncIterator[list[Any]],
    as_transition: Callable[[Any], Transition],
    target: Store,
    told: Told,
    table: str,
) -> _RowsSeen:
    """Mail goes before history, which would refuse what waits beside a tombstone of its own."""
    seen = _RowsSeen()
    async for page in pages:
        for batch in _batches([as_transition(row) for row in page]):
            await _write(target, batch, table)
        seen.add(page)
        told(table, seen.count)
    return seen


def _batches(transitions: Sequence[Transition]) -> Iterator[list[Transition]]:
    batch: list[Transition] = []
    weight = 0
    for transition in transitions:
        if batch and weight + transition.weight_bytes > _COMMIT_BYTES:
            yield batch
            batch, weight = [], 0
        batch.append(transition)
        weight += transition.weight_bytes
    if batch:
        yield batch


async def _write(target: Store, batch: Sequence[Transition], table: str) -> None:
    """A commit of unknown outcome is asked for, and what is missing is written once more."""
    try:
        verdicts = await target.commit(batch)
    except CommitUnknown:
        there = await target.settle(batch)
        missing = [one for one, is_there in zip(batch, there, strict=True) if not is_there]
        verdicts = await target.commit(missing)
    if any(verdict is not Verdict.COMMITTED for verdict in verdicts):
        raise CopyRefused(f"somebody else writes {table} to the target; see to it that nobody does, and begin anew")


async def _copied_proofs(source: Store, target: Store) -> _RowsSeen:
    seen = _RowsSeen()
    async for page in _proofs(source):
        await target.keep_proofs(page)
        seen.add(page)
    return seen


async def _copy_cluster(view: ClusterView, target: Store) -> None:
    kinds = dict.fromkeys(one.kind for one in view.subscriptions)
    for kind in kinds:
        await target.subscribe([one for one in view.subscriptions if one.kind == kind], kind=kind)
    await target.assign_many([ShardRow(row.kind, row.shard, owner="", epoch=0) for row in view.shards])


async def _check_same(table: str, seen: _RowsSeen, pages: AsyncIterator[list[Any]]) -> None:
    found = _RowsSeen()
    async for page in pages:
        found.add(page)
    if found.mark != seen.mark:
        raise _differs(f"the {table} of both differs: {seen.count} rows in the source, {found.count} in the target")


def _differs(what: str) -> CopyRefused:
    return CopyRefused(f"the copy is of no use, since {what}; remove it, and report this")
