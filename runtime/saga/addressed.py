"""A definition whose commands go to each kind by the name that the store has for it, whatever its class says."""

from __future__ import annotations

from dataclasses import replace

from runtime.contracts import Contract
from runtime.kind_names import KindNames
from runtime.saga.definition import Definition
from runtime.saga.node import EachDefinition, FirstOfDefinition, Node, StepDefinition

__all__ = ["addressed", "addressed_contract"]


def addressed(definition: Definition, names: KindNames) -> Definition:
    """The same with other addresses; the very same one where no kind was renamed. Its fingerprint stays as it is."""
    if not names.renamed:
        return definition
    return replace(
        definition,
        nodes=tuple(_node(one, names) for one in definition.nodes),
        between={version: addressed(one, names) for version, one in definition.between.items()},
    )


def addressed_contract(contract: Contract, names: KindNames) -> Contract:
    """The contract of a command, with the name that the store has for its kind."""
    return replace(contract, kind=names.stored(contract.kind))


def _node(node: Node, names: KindNames) -> Node:
    match node:
        case StepDefinition():
            return _step(node, names)
        case EachDefinition():
            return replace(node, step=_step(node.step, names))
        case FirstOfDefinition():
            return replace(node, alternatives=tuple(_step(one, names) for one in node.alternatives))
        case _:
            return node


def _step(step: StepDefinition, names: KindNames) -> StepDefinition:
    undo = None if step.undo_command is None else addressed_contract(step.undo_command, names)
    return replace(step, command=addressed_contract(step.command, names), undo_command=undo)
