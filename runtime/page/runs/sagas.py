"""One act on many sagas: chosen in a list, previewed one by one, and begun as a run that is kept in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

from runtime.envelope import Address, address_of, parse_address
from runtime.errors import AmendsError, InvalidMessage
from runtime.operate import repair_runs
from runtime.operate.repairs import look_ahead
from runtime.operate.run import COUNTED_FROM, run_name
from runtime.operate.saga_record import record_of
from runtime.operate.survey import Wanted, sagas
from runtime.page.acts.drafted import act_named
from runtime.page.desk import Acting, PageDesk
from runtime.page.forms import FormRefused, FormShape
from runtime.page.links import PageAddress, link
from runtime.page.runs.saying import SAID, check_count, is_known, run_link
from runtime.page.saga_list import FIELDS, wanted_of
from runtime.page.screen import ROWS_MAX, Screen
from runtime.protos.saga_pb2 import RepairSaga
from runtime.store.port import OperatorStore

__all__ = ["BEGIN_FORM", "SELECT_FORM", "begin_repairs", "preview_repairs", "select_sagas"]

_SELECT, _CONFIRM = "sagas to repair", "sagas chosen"
_ACTS = ("retry", "mark-done", "mark-undone", "skip", "force", "cancel", "suspend", "resume", "abandon")
_SEALED = ("act", "task", "name", "chosen_by", "items")
_ALL_MAX = 5_000
_PREVIEWED_MAX = 200
_REFUSED_MAX = 50

SELECT_FORM = FormShape(names=frozenset((*FIELDS, "act", "task", "all", "item", "seal")), many=frozenset(("item",)))
BEGIN_FORM = FormShape(names=frozenset((*_SEALED, *SAID, "seal")), lines=frozenset(("items",)))


async def select_sagas(desk: PageDesk, target: PageAddress) -> Screen:
    """Those that fit the filter, to be marked. Raises FormRefused, InvalidMessage for no filter, and StoreError."""
    acting, chosen = desk.must_act(), {name: target.query.get(name, "") for name in FIELDS}
    wanted = wanted_of(chosen)
    async with desk.view() as store:
        now_s = await store.now_s()
        page = await sagas(store, wanted, limit=ROWS_MAX)
    values = {
        "entries": [(one, _item((one.kind, one.key))) for one in page.entries],
        "more": page.next is not None,
        "chosen": chosen,
        "acts": _ACTS,
        "seal": acting.seal.of(_SELECT, chosen),
        "has_filter": wanted != Wanted(),
        "back": link("/sagas", chosen),
        "now_s": now_s,
    }
    return Screen("operations", "Repair several sagas", still=("select",), values=values)


async def preview_repairs(desk: PageDesk, fields: Mapping[str, str]) -> Screen:
    """Raises FormRefused, InvalidMessage when nothing is chosen, or no filter is to mean all sagas, and StoreError."""
    acting, chosen = desk.must_act(), {name: fields.get(name, "") for name in FIELDS}
    _check_seal(acting, fields, _SELECT, chosen)
    act = RepairSaga(act=act_named(fields.get("act", "")), task=fields.get("task", "").strip())
    is_all = fields.get("all") == "yes"
    async with desk.view() as store:
        found = await _fitting(store, wanted_of(chosen)) if is_all else _marked(fields.get("item", ""))
        items = await _with_revisions(store, found)
        seen = await _foretold(store, acting, act, items[:_PREVIEWED_MAX])
    by = ", ".join(f"{name}={value}" for name, value in chosen.items() if value) if is_all else "chosen by hand"
    lines = "\n".join(f"{revision}/{_item(saga)}" for saga, revision in items)
    task = act.task
    name = run_name(fields["act"], acting.clock.now_s(), acting.ids.new_id())
    settled = dict(zip(_SEALED, (fields["act"], task, name, by, lines), strict=True))
    values = {
        **seen,
        "act": f"{fields['act']} {task}".rstrip(),
        "count": len(items),
        "previewed": min(len(items), _PREVIEWED_MAX),
        "shown": [address_of(*saga) for saga, _ in items[:ROWS_MAX]],
        "must_count": len(items) > COUNTED_FROM,
        "fields": settled,
        "seal": acting.seal.of(_CONFIRM, settled),
        "who": acting.who,
        "is_known": acting.operator is not None,
        "back": link("/repair", chosen),
    }
    return Screen("operations", f"Preview: {values['act']} of {len(items):,} sagas", still=("preview",), values=values)


async def begin_repairs(desk: PageDesk, fields: Mapping[str, str]) -> Screen:
    """Raises FormRefused, InvalidMessage without who or why or with a wrong count, and StoreError."""
    acting, settled = desk.must_act(), {name: fields.get(name, "") for name in _SEALED}
    _check_seal(acting, fields, _CONFIRM, settled)
    chosen = [_chosen(line) for line in settled["items"].split("\n")]
    check_count(fields, len(chosen))
    act = RepairSaga(act=act_named(settled["act"]), task=settled["task"])
    act.who, act.reason = fields.get("who", "").strip(), fields.get("reason", "").strip()
    name, now_s = settled["name"], acting.clock.now_s()
    async with acting.store() as store:
        if not await is_known(store, repair_runs.KIND, name):  # as after the same form was sent before
            await repair_runs.begin_with(store, name, act, chosen, chosen_by=settled["chosen_by"], now_s=now_s)
    acting.runs.carry(repair_runs.KIND, name)
    return Screen("operations", "Begun", elsewhere=run_link(repair_runs.KIND, name))


def _item(saga: Address) -> str:
    """Browsers change line breaks, so that none may be in it."""
    return quote(address_of(*saga), safe="/", errors="surrogatepass")


def _saga(text: str) -> Address:
    try:
        return parse_address(unquote(text, errors="surrogatepass"))
    except UnicodeDecodeError:
        raise InvalidMessage(f"{text[:100]!r} names no saga: choose among those that the page shows") from None


def _chosen(line: str) -> tuple[Address, int]:
    revision, _, saga = line.partition("/")
    return _saga(saga), int(revision)


def _marked(items: str) -> list[Address]:
    if not items:
        raise InvalidMessage("no saga is chosen: mark those that are meant, or act on all that fit")
    return [_saga(one) for one in items.split("\n")]


async def _fitting(store: OperatorStore, wanted: Wanted) -> list[Address]:
    if wanted == Wanted():
        raise InvalidMessage("a filter that says nothing would mean every saga: say which, or choose some by hand")
    page = await sagas(store, wanted, limit=_ALL_MAX)
    if page.next is not None:
        raise InvalidMessage(f"more than {_ALL_MAX:,} sagas fit: say more closely which")
    if not page.entries:
        raise InvalidMessage("no saga fits any more")
    return [(one.kind, one.key) for one in page.entries]


async def _with_revisions(store: OperatorStore, found: Sequence[Address]) -> list[tuple[Address, int]]:
    """At the revision that each has now: it refuses the act at any other."""
    return [(saga, (await record_of(store, saga))[1].revision) for saga in found]


async def _foretold(
    store: OperatorStore, acting: Acting, act: RepairSaga, items: Sequence[tuple[Address, int]]
) -> dict[str, object]:
    """What would come of these, counted."""
    sent: Counter[str] = Counter()
    after: Counter[str] = Counter()
    refused: list[tuple[str, str]] = []
    said = RepairSaga(who="somebody", reason="to see what would come of it")
    said.MergeFrom(act)
    for saga, revision in items:
        said.expected_revision = revision
        try:
            seen = await look_ahead(store, saga, said, acting.definitions, acting.clock.now_s())
        except AmendsError as error:
            refused.append((address_of(*saga), f"what would follow cannot be told here: {error}"))
            continue
        if seen.refusal:
            refused.append((address_of(*saga), seen.refusal))
        else:
            after[seen.after] += 1
            sent.update(one.message.DESCRIPTOR.name for one in seen.sent)
    return {
        "sent": sorted(sent.items()),
        "after": sorted(after.items()),
        "refused": refused[:_REFUSED_MAX],
        "more_refused": max(0, len(refused) - _REFUSED_MAX),
    }


def _check_seal(acting: Acting, fields: Mapping[str, str], purpose: str, covered: Mapping[str, str]) -> None:
    if not acting.seal.fits(fields.get("seal", ""), purpose, covered):
        raise FormRefused(
            "this form was not drawn so by the process that serves the page now. Nothing was done: open the list of "
            "sagas again, and choose there"
        )
