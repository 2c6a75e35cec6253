"""A conversation that comes to no end in time is told once, and its command is sent, also after the node has died."""

from __future__ import annotations

import pytest

from runtime.durable.client import CommandOptions
from runtime.durations import minutes
from runtime.errors import InvalidMessage
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.saga.catalogue import Catalogue
from runtime.testing.cluster.cluster import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.proof.programs import programs_pb2 as pb
from tests.proof.workloads.deadlines import Deadlines

NODES = {"one": ("alpha", "beta"), "two": ("alpha", "beta")}
NEVER = "-1"


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
