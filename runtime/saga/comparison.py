"""How two definitions of a saga differ, in words: what running instances depend on, and what they do not.

old, new ──differences──▶ "step pay is gone", "step ship comes after check; it came after pay"
         ──other_terms──▶ "step pay: timeout_s is 30, and was 20"
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runtime.protos.definition_pb2 import NodeShape, NodeTerms, SagaDefinition, SagaShape, StartTerms

__all__ = ["differences", "other_terms"]


def differences(old: SagaShape, new: SagaShape) -> tuple[str, ...]:
    """Why instances of the old definition are no instances of the new one; nothing when they are."""
    found = list(_of_sagas(old, new))
    if not found and old != new:
        found.append("its nodes stand in another order")
    return tuple(found)


def other_terms(old: SagaDefinition, new: SagaDefinition) -> tuple[str, ...]:
    """What else differs. Instances are carried on all the same."""
    before, now = old.terms, new.terms
    found = []
    if before.deadline_s != now.deadline_s:
        found.append(f"deadline_s is {now.deadline_s:g}, and was {before.deadline_s:g}")
    if before.undoes_past_stuck != now.undoes_past_stuck:
        found.append(f"undos are {_undo(now.undoes_past_stuck)}, and were {_undo(before.undoes_past_stuck)}")
    if before.starts != now.starts:
        found.append(f"it is started by {_starts(now.starts)}, and was by {_starts(before.starts)}")
    terms = {node.name: (node, of_it) for node, of_it in zip(old.shape.nodes, before.nodes, strict=True)}
    for node, of_it in zip(new.shape.nodes, now.nodes, strict=True):
        if node.name in terms and terms[node.name][0].kind == node.kind:
            found += _of_terms(_title(node), terms[node.name][1], of_it)
    return tuple(found)


def _of_sagas(old: SagaShape, new: SagaShape) -> Iterator[str]:
    if old.recorded_as != new.recorded_as:
        yield "another build of Amends records its instances, in a way that this one cannot read"
    if old.state_type != new.state_type:
        yield f"its state is {new.state_type}, and was {old.state_type}"
    yield from _of_lists(old.nodes, new.nodes)


def _of_lists(old: Sequence[NodeShape], new: Sequence[NodeShape]) -> Iterator[str]:
    before, now = {node.name: node for node in old}, {node.name: node for node in new}
    yield from (f"{_title(node)} is gone" for node in old if node.name not in now)
    yield from (f"{_title(node)} is new" for node in new if node.name not in before)
    for node in new:
        if node.name in before:
            yield from _of_nodes(before[node.name], node, old, new)


def _of_nodes(
    old: NodeShape, new: NodeShape, all_old: Sequence[NodeShape], all_new: Sequence[NodeShape]
) -> Iterator[str]:
    title = _title(new)
    if old.kind != new.kind:
        yield f"{new.name} is a {new.kind}, and was a {old.kind}"
        return
    if old.role != new.role:
        yield f"{title} is {_role(new)}, and was {_role(old)}"
    if (now := _places(new.before, all_new)) != (before := _places(old.before, all_old)):
        yield f"{title} comes after {now or 'nothing'}; it came after {before or 'nothing'}"
    if old.command != new.command:
        yield f"{title} sends {new.command}, and sent {old.command}"
    yield from _of_answers(title, old, new)
    if old.undo != new.undo:
        yield f"the undo of {title} is {new.undo or 'gone'}, and was {old.undo or 'none'}"
    if old.undone != new.undone:
        yield f"the undo of {title} is confirmed by {_all(new.undone)}, and was by {_all(old.undone)}"
    branches = {one.name: _places(one.nodes, all_old) for one in old.branches}
    for one in new.branches:
        if (now := _places(one.nodes, all_new)) != (before := branches.get(one.name, "")):
            yield f"the branch {one.name} of {title} has {now or 'nothing'}, and had {before or 'nothing'}"
    if old.words != new.words:
        yield f"{title} says {_all(new.words)}, and said {_all(old.words)}"
    yield from (f"within {title}: {text}" for text in _of_lists(old.inner, new.inner))


def _of_answers(title: str, old: NodeShape, new: NodeShape) -> Iterator[str]:
    before, now = {one.type: one.meaning for one in old.answers}, {one.type: one.meaning for one in new.answers}
    for type_, meaning in before.items():
        if type_ not in now:
            yield f"{title} no longer takes {type_} as {meaning}"
        elif now[type_] != meaning:
            yield f"{title} takes {type_} as {now[type_]}, and took it as {meaning}"
    yield from (f"{title} takes {type_} as {now[type_]}, which is new" for type_ in now if type_ not in before)


def _of_terms(title: str, old: NodeTerms, new: NodeTerms) -> Iterator[str]:
    for field in NodeTerms.DESCRIPTOR.fields:
        if field.message_type is None and (now := getattr(new, field.name)) != (before := getattr(old, field.name)):
            yield f"{title}: {field.name} is {_value(now)}, and was {_value(before)}"


def _value(value: object) -> str:
    if isinstance(value, str | float | bool):
        return f"{value:g}" if isinstance(value, float) else repr(value)
    return _all(value) if isinstance(value, Iterable) else str(value)


def _all(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def _places(places: Iterable[int], nodes: Sequence[NodeShape]) -> str:
    return ", ".join(sorted(nodes[place].name for place in places if place < len(nodes)))


def _title(node: NodeShape) -> str:
    return f"{'closing ' if node.role == NodeShape.CLOSING else ''}{node.kind} {node.name}"


def _role(node: NodeShape) -> str:
    return {NodeShape.PIVOT: "the pivot", NodeShape.RETRIABLE: "past the pivot"}.get(node.role, "before the pivot")


def _undo(past_stuck: bool) -> str:
    return "independent" if past_stuck else "strict"


def _starts(starts: Iterable[StartTerms]) -> str:
    return _all(
        f"{one.event} if {one.where_field} = {one.where_value}" if one.where_field else one.event for one in starts
    )
