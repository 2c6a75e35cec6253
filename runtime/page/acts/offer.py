"""Which acts the page of an actor offers, each with the address of its form, and why others are not offered."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from runtime.operate.account import Account
from runtime.operate.choices import Choice, acts_for
from runtime.operate.timer_acts import timer_choices
from runtime.page.links import link
from runtime.protos.saga_pb2 import RepairSaga, SagaRecord
from runtime.saga.definition import Definition
from runtime.saga.instance import Instance
from runtime.saga.repair_checks import refusal, word

__all__ = ["NotOffered", "Offer", "not_offered", "offers_for"]

_WHOLE = (RepairSaga.RETRY, RepairSaga.CANCEL, RepairSaga.SUSPEND, RepairSaga.RESUME, RepairSaga.ABANDON)
_EXAMINED_BYTES_MAX = 256 * 1024  # of a record; a larger one is not copied for each look at its page


@dataclass(frozen=True, slots=True)
class Offer:
    act: str  # as the command line names it
    about: str
    link: str  # of its form


@dataclass(frozen=True, slots=True)
class NotOffered:
    acts: str
    reason: str


def offers_for(account: Account) -> tuple[Offer, ...]:
    """At the revision that the account shows; none where no form can name the actor."""
    if account.row is None or not _can_be_named(account.address):
        return ()
    saga = account.saga
    expected = saga.revision if saga is not None else account.row.revision
    choices = acts_for(saga, account.shape) if saga is not None else timer_choices(account.row)
    return tuple(_offers(account, choices, expected))


def not_offered(
    account: Account, offered: Iterable[Offer], definitions: Iterable[Definition]
) -> tuple[NotOffered, ...]:
    """Acts on the whole saga that it would refuse now, and why. Told where this build has the version that began it."""
    saga, row = account.saga, account.row
    if row is not None and not _can_be_named(account.address):
        return (NotOffered("acts", "its name has characters that no form can send: act by the command line"),)
    if saga is None or row is None or len(row.state) > _EXAMINED_BYTES_MAX:
        return ()
    found = [one for one in definitions if one.name == row.kind and one.fingerprint == saga.fingerprint]
    names, why = {one.act for one in offered}, dict[str, list[str]]()
    for act in _WHOLE if found else ():
        if word(act) not in names and (reason := _refusal(found[0], saga, act)):
            why.setdefault(reason, []).append(word(act))
    return tuple(NotOffered(", ".join(acts), reason) for reason, acts in why.items())


def _offers(account: Account, choices: Iterable[Choice], expected: int) -> Iterator[Offer]:
    for one in choices:
        fields = {
            "saga": account.address,
            "act": one.act,
            "task": one.task,
            "timer": one.timer,
            "expect": str(expected),
        }
        if not (_can_be_named(one.task) and _can_be_named(one.timer)):
            continue
        if one.act in ("approve", "decline"):
            fields["digest"] = _digest(account, one.task)
        yield Offer(one.act, one.about, link("/act", fields))
        if one.act == "retry" and account.state is not None:
            about = "the same on a business state that you edit first"
            yield Offer(one.act, about, link("/act", {**fields, "edit": "yes"}))


def _digest(account: Account, task: str) -> str:
    """Of what is looked at, as the saga shows it now."""
    return next((one.digest for one in account.steps if one.name == task), "")


def _refusal(definition: Definition, record: SagaRecord, act: RepairSaga.Act.ValueType) -> str:
    numbers = count(1)
    asked = RepairSaga(act=act, who="somebody", reason="to see whether it can be")
    instance = Instance(definition, record, 0.0, lambda _to, _content: b"look %d" % next(numbers))
    return refusal(instance, asked)


def _can_be_named(text: str) -> bool:
    """Browsers change line breaks in what they send, and no form can hold half of a pair of surrogates."""
    return not any(unicodedata.category(char) in ("Cc", "Cs") for char in text)
