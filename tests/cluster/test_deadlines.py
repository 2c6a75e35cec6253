"""A conversation that comes to no end in time is told once, and its command is sent, also after the node has died."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.durable.client import CommandOptions
from runtime.durable.joining import Joining
from runtime.durable.kind import Subscribers
from runtime.durable.service import Service
from runtime.durations import minutes
from runtime.envelope import Envelope
from runtime.errors import CannotJoin, InvalidMessage
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.saga.catalogue import Catalogue
from runtime.testing.cluster.cluster import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.proof.programs import programs_pb2 as pb
from tests.proof.workloads.deadlines import Answerer, Deadlines, Opener, Timed

NODES = {"one": ("alpha", "beta"), "two": ("alpha", "beta")}
NEVER = "-1"


class Stranger(Service[pb.ParticipantState], kind="gamma"):
    """Of no choreography."""

    async def work(self, command: pb.ChangeGamma) -> pb.GammaChanged:
        return pb.GammaChanged(key=self.key)


def timed() -> Catalogue:
    return Deadlines().catalogue


async def begun(cluster: Cluster, key: str, deed: str = NEVER) -> bytes:
    return (await cluster.client().ask(pb.ChangeAlpha(key=key, deed=deed))).conversation


async def status(cluster: Cluster, conversation: bytes) -> str:
    record = await cluster.state("timed-deadline", conversation.hex(), DeadlineRecord)
    return DeadlineRecord.Status.Name(record.status)


async def said_overdue(cluster: Cluster, key: str) -> int:
    return (await cluster.state("alpha", key, pb.ParticipantState)).on_hand


async def test_nothing_happens_before_its_time_and_one_command_is_sent_when_it_is_over(
    make_cluster: MakeCluster,
) -> None:
    cluster = await make_cluster(timed(), nodes=NODES)
    conversation = await begun(cluster, "C-1")
    await cluster.advance(4)
    assert (await status(cluster, conversation), await said_overdue(cluster, "C-1")) == ("WATCHED", 0)
    await cluster.at_rest(within=minutes(1))
    assert (await status(cluster, conversation), await said_overdue(cluster, "C-1")) == ("OVERDUE", 1)


async def test_a_command_from_outside_joins_the_conversation_and_settles_it(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(timed(), nodes=NODES)
    conversation = await begun(cluster, "C-1")
    await cluster.client().ask(pb.ChangeBeta(key="C-1"), process="timed", conversation=conversation)
    await cluster.at_rest(within=minutes(1))
    assert (await status(cluster, conversation), await said_overdue(cluster, "C-1")) == ("SETTLED", 0)


async def test_the_same_command_in_a_conversation_of_its_own_settles_nothing(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(timed(), nodes=NODES)
    conversation = await begun(cluster, "C-1")
    await cluster.client().ask(pb.ChangeBeta(key="C-1"), process="timed")
    await cluster.at_rest(within=minutes(1))
    assert (await status(cluster, conversation), await said_overdue(cluster, "C-1")) == ("OVERDUE", 1)


async def test_the_deadline_survives_both_nodes(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(timed(), nodes=NODES)
    conversation = await begun(cluster, "C-1")
    settled = await begun(cluster, "C-2", "0")
    await cluster.advance(1)
    for name in NODES:
        cluster.kill(name)
    await cluster.advance(minutes(2))
    for name in NODES:
        await cluster.restart(name)
    await cluster.at_rest(within=minutes(5))
    assert (await status(cluster, conversation), await said_overdue(cluster, "C-1")) == ("OVERDUE", 1)
    assert (await status(cluster, settled), await said_overdue(cluster, "C-2")) == ("SETTLED", 0)


async def test_an_ended_conversation_is_joined_by_nobody_and_what_was_sent_before_may_be_asked_for_again(
    make_cluster: MakeCluster,
) -> None:
    cluster = await make_cluster(timed(), nodes=NODES)
    conversation, id = await begun(cluster, "C-1"), b"\xff" + bytes(15)
    await cluster.client().ask(pb.ChangeBeta(key="C-1"), message_id=id, process="timed", conversation=conversation)
    for call in (cluster.client().ask, cluster.client().send):
        with pytest.raises(CannotJoin, match=r"of timed has ended: beta/C-1 has said .*BetaChanged. Nothing was sent"):
            await call(pb.ChangeBeta(key="C-1"), process="timed", conversation=conversation)
        await call(pb.ChangeBeta(key="C-1"), message_id=id, process="timed", conversation=conversation)


async def test_an_overdue_conversation_is_still_open(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(timed(), nodes=NODES)
    conversation = await begun(cluster, "C-1")
    await cluster.at_rest(within=minutes(1))
    await cluster.client().ask(pb.ChangeBeta(key="C-1"), process="timed", conversation=conversation)
    await cluster.at_rest(within=minutes(1))
    assert await status(cluster, conversation) == "LATE"


async def test_a_conversation_that_is_none_of_the_process_is_joined_by_nobody(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(timed(), nodes=NODES)
    foreign = (await cluster.client().ask(pb.ChangeBeta(key="C-1"))).conversation
    own = (await cluster.client().ask(pb.ChangeBeta(key="C-2", amount=1), process="timed")).conversation
    for conversation, complaint in (
        (foreign, r"is none of timed: it began by .*ChangeBeta for beta/C-1, and no event that starts timed has come"),
        (bytes(16), r"nothing is known of the conversation 0{32}: give that of the outcome which began it"),
    ):
        with pytest.raises(CannotJoin, match=complaint):
            await cluster.client().ask(pb.ChangeBeta(key="C-1"), process="timed", conversation=conversation)
    await cluster.client().ask(pb.ChangeBeta(key="C-2"), process="timed", conversation=own)


async def test_a_conversation_that_has_a_process_is_continued_by_nobody_who_does_not_name_it(
    make_cluster: MakeCluster,
) -> None:
    cluster = await make_cluster(timed(), nodes=NODES)
    conversation, id = await begun(cluster, "C-1"), b"\xff" + bytes(15)
    with pytest.raises(CannotJoin, match=r"is one of timed: say process='timed'"):
        await cluster.client().ask(pb.ChangeBeta(key="C-1"), conversation=conversation)
    free = (await cluster.client().ask(pb.ChangeBeta(key="C-2"))).conversation
    for _ in range(2):
        await cluster.client().ask(pb.ChangeBeta(key="C-2"), message_id=id, conversation=free)


async def test_a_saga_s_conversation_and_one_of_another_choreography_are_foreign(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(timed(), nodes=NODES)
    conversation = await begun(cluster, "C-1")
    node = cluster.sim.serving[0].node
    assert node is not None
    door = Joining(node.store, Subscribers(timed().subscriptions), {})
    command = Envelope(b"1" * 16, "beta", "C-1", "ChangeBeta", b"", conversation, process="other")
    with pytest.raises(CannotJoin, match=r"is one of timed, so no command of other joins it: name its own process"):
        await door.check(command)


async def test_a_command_for_a_kind_that_nobody_hears_in_the_process_is_refused(make_cluster: MakeCluster) -> None:
    services: dict[str, Any] = {"alpha": [Opener], "beta": [Answerer], "gamma": [Stranger]}
    catalogue = Catalogue(contracts=[pb], services=services, choreographies=[Timed])
    cluster = await make_cluster(catalogue, nodes=1)
    with pytest.raises(CannotJoin, match=r"ChangeGamma is for gamma, which takes no part in timed.* for alpha, beta j"):
        await cluster.client().ask(pb.ChangeGamma(key="C-1"), process="timed")
    await cluster.client().ask(pb.ChangeGamma(key="C-1"))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"process": "nope"},
            r"there is no choreography 'nope' .*; there are timed. What a saga drives is joined by no",
        ),
        ({"process": "timed-deadline"}, r"there is no choreography 'timed-deadline'"),
        (
            {"process": "timed", "conversation": b"short"},
            r"a conversation has 16 bytes, not 5: give that of the outcome",
        ),
    ],
)
async def test_a_command_that_would_join_nothing_is_refused(
    make_cluster: MakeCluster, options: CommandOptions, complaint: str
) -> None:
    cluster = await make_cluster(timed(), nodes=NODES)
    for call in (cluster.client().ask, cluster.client().send):
        with pytest.raises(InvalidMessage, match=complaint):
            await call(pb.ChangeBeta(key="C-1"), **options)
