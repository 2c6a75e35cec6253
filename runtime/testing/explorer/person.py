"""What a person may do about an approval: decide it, or try to where that must have no effect."""

from __future__ import annotations

from typing import NamedTuple

from runtime.protos.saga_pb2 import RepairSaga, SagaRecord
from runtime.saga.definition import Definition
from runtime.saga.node import ApprovalDefinition
from runtime.saga.nodes.approval import digest_of
from runtime.testing.explorer.author import PERSON, STRANGER

__all__ = ["PersonsAct", "act_message", "persons_acts"]


class PersonsAct(NamedTuple):
    place: int
    approves: bool = True
    is_stranger: bool = False  # Somebody does it who may not decide.
    names_other: bool = False  # It names the digest of something else.

    @property
    def is_wrong(self) -> bool:
        return self.is_stranger or self.names_other

    @property
    def by(self) -> str:
        """Who does it, and what is wrong with that."""
        if self.names_other:
            return "an act that names something else"
        return STRANGER if self.is_stranger else PERSON


def persons_acts(place: int) -> tuple[PersonsAct, ...]:
    """All that a person may do about the approval at this place."""
    return (
        PersonsAct(place),
        PersonsAct(place, approves=False),
        PersonsAct(place, names_other=True),
        PersonsAct(place, is_stranger=True),
    )


def act_message(definition: Definition, record: SagaRecord, act: PersonsAct) -> RepairSaga:
    """It names what the saga asks as things stand, or what nobody has asked."""
    node = definition.nodes[act.place]
    assert isinstance(node, ApprovalDefinition)
    state = definition.state_type.FromString(record.state)
    return RepairSaga(
        act=RepairSaga.APPROVE if act.approves else RepairSaga.DECLINE,
        task=node.name,
        reason="it was looked at",
        who=STRANGER if act.is_stranger else PERSON,
        digest="of something else" if act.names_other else digest_of(node.asks(state, record.reason)),
    )
