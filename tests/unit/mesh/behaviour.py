"""What holds of a mesh whatever its links are made of: collected once over memory, once over gRPC."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from runtime.errors import DeadlineExceeded
from runtime.mesh.facts import FrameRejected, PeerConnected, PeerLost, PeerRejected, PeerUnreachable, ReceiverFailed
from runtime.mesh.handshake import PROTOCOL_MAX, dialling_hello, hello_frame, proof_frame
from runtime.mesh.peer import ask_hello
from runtime.mesh.peers import PeerAddress, who_answers
from runtime.ports import Link
from runtime.protos import mesh_pb2
from tests.unit.mesh.world import MeshWorld, admit, converse, identity_of, introduce_as

_X = identity_of("x")


def _hello(**changed: object) -> bytes:
    hello = mesh_pb2.Hello(
        protocol_min=1, protocol_max=PROTOCOL_MAX, cluster="shop", node="x", incarnation="1", nonce=b"n" * 16
    )
    for name, value in changed.items():
        setattr(hello, name, value)
    return mesh_pb2.Frame(hello=hello).SerializeToString()


def _numbers(count: int, start: int = 0) -> list[bytes]:
    return [b"%08d" % number for number in range(start, start + count)]


def _answer(call: str) -> mesh_pb2.Signal:
    return mesh_pb2.Signal(answer=mesh_pb2.Answer(call=call))


async def _mute(link: Link) -> None:
    """Accepts a stream, and never says a word."""
    while await link.receive() is not None:
        pass


class MeshOrder:
    async def test_messages_arrive_in_the_order_in_which_they_were_pushed(self, world: MeshWorld) -> None:
        a, b = await world.pair()
        wanted = _numbers(5000)
        for one in wanted:
            assert a.mesh.push("b", one)
        await world.until(lambda: len(b.receiver.taken) == 5000)
        assert b.receiver.taken == wanted
        assert b.receiver.gaps == [0]
        assert a.way_to("b").sent == 5000

    async def test_two_nodes_of_one_loop_push_to_each_other(self, world: MeshWorld) -> None:
        a, b = await world.pair()
        for one in _numbers(200):
            assert a.mesh.push("b", b"a" + one)
            assert b.mesh.push("a", b"b" + one)
        await world.until(lambda: len(a.receiver.taken) == len(b.receiver.taken) == 200)
        assert a.receiver.taken == [b"b" + one for one in _numbers(200)]
        assert b.receiver.taken == [b"a" + one for one in _numbers(200)]

    async def test_signals_share_the_stream_and_keep_their_order(self, world: MeshWorld) -> None:
        a, b = await world.pair()
        for number in range(50):
            a.mesh.push("b", b"x")
            assert a.mesh.signal("b", _answer(str(number)))
        await world.until(lambda: len(b.receiver.signals_taken) == 50)
        assert [(peer, signal.answer.call) for peer, signal in b.receiver.signals_taken] == [
            ("a", str(number)) for number in range(50)
        ]

    async def test_the_first_frame_of_a_stream_tells_of_a_gap_even_if_nothing_is_pushed(self, world: MeshWorld) -> None:
        a, b = await world.start("a"), await world.start("b")
        world.introduce(a, b)
        await world.until(lambda: b.receiver.gaps == [0])
        assert b.receiver.taken == []

    async def test_a_push_to_a_node_that_is_unknown_or_not_connected_is_shed(self, world: MeshWorld) -> None:
        a = await world.start("a")
        assert not a.mesh.push("nobody", b"x")
        assert not a.mesh.signal("nobody", _answer("1"))
        b = await world.start("b")
        a.mesh.set_peers({"b": b.at})
        assert not a.mesh.push("b", b"x")
        assert a.way_to("b").shed == 1
        assert a.receiver.reached_peers == []
        await world.until(lambda: b.receiver.gaps == [0])
        assert a.way_to("b").connected
        assert a.receiver.reached_peers == ["b"]

    async def test_after_a_broken_link_the_node_is_dialled_again_and_told_of_a_gap(self, world: MeshWorld) -> None:
        a, b = await world.pair()
        a.mesh.push("b", b"before")
        await world.until(lambda: b.receiver.taken == [b"before"])
        await world.break_links(a)
        await world.until(lambda: a.told(PeerLost) and a.is_connected_to("b"))
        assert a.mesh.push("b", b"after")
        await world.until(lambda: b.receiver.taken == [b"before", b"after"])
        assert b.receiver.gaps == [0, 1]
        assert b.receiver.lost_peers == ["a"]
        assert a.receiver.reached_peers == ["b", "b"]

    async def test_nothing_of_an_older_stream_comes_after_something_of_a_newer(self, world: MeshWorld) -> None:
        b = await world.start("b")
        transport, _ = world.outsider()
        b.receiver.open.clear()
        old, new, other = [await transport.dial(b.address) for _ in range(3)]
        for link, who, push in ((old, "a", b"old"), (new, "a", b"new"), (other, "c", b"other")):
            await introduce_as(link, identity_of(who))
            await link.send(mesh_pb2.Frame(pushes=[push], gap=True).SerializeToString())
            await world.until(lambda: b.receiver.waiting)
        # What another node sent last of all is there: the newer stream waits for what the older has begun,
        await world.until(lambda: b.receiver.waiting >= 2)
        beat = await new.receive()
        assert beat is not None and mesh_pb2.Frame.FromString(beat).beat  # and is alive meanwhile.
        assert b.receiver.waiting == 2
        b.receiver.open.set()
        await world.until(lambda: len(b.receiver.taken) == 3)
        assert [push for push in b.receiver.taken if push != b"other"] == [b"old", b"new"]
        for link in (old, new, other):
            await link.close()


class MeshLimits:
    async def test_a_peer_that_takes_nothing_is_sent_no_more_than_its_window(self, world: MeshWorld) -> None:
        world.settings = replace(world.settings, window_bytes=64 * 1024)
        a, b = await world.pair()
        b.receiver.open.clear()
        message = b"x" * 1000
        accepted = 0
        while a.mesh.push("b", message):
            accepted += 1
        assert accepted == 65
        await world.until(lambda: a.way_to("b").queued == 0)
        assert not a.mesh.push("b", message)  # sent is not taken

        b.receiver.open.set()
        await world.until(lambda: len(b.receiver.taken) == accepted)
        await world.until(lambda: a.mesh.push("b", b"last"))
        await world.until(lambda: b.receiver.taken[-1] == b"last")
        assert b.receiver.gaps[1:] and b.receiver.taken == [message] * accepted + [b"last"]

    async def test_a_gap_is_told_within_a_heartbeat_even_if_nothing_more_is_pushed(self, world: MeshWorld) -> None:
        world.settings = replace(world.settings, window_bytes=1024, beat_s=0.05)
        a, b = await world.pair()
        while a.mesh.push("b", b"x" * 100):
            pass
        await world.until(lambda: len(b.receiver.gaps) == 2)

    async def test_a_message_larger_than_the_window_still_goes(self, world: MeshWorld) -> None:
        world.settings = replace(world.settings, window_bytes=1024)
        a, b = await world.pair()
        assert a.mesh.push("b", b"x" * 600_000)
        assert not a.mesh.push("b", b"y")
        await world.until(lambda: b.receiver.taken == [b"x" * 600_000])

    async def test_a_receiver_that_fails_costs_its_link_and_nothing_else(self, world: MeshWorld) -> None:
        a, b = await world.pair()
        b.receiver.error = RuntimeError("a bug")
        a.mesh.push("b", b"x")
        await world.until(lambda: len(b.receiver.gaps) == 2)
        assert [fact.peer for fact in b.told(ReceiverFailed)] == ["a"]
        assert a.told(PeerLost)[0].reason == "the receiver failed"
        assert b.is_connected_to("a")


class MeshRefusals:
    async def test_a_peer_of_another_cluster_is_refused_with_the_reason(self, world: MeshWorld) -> None:
        a, b = await world.start("a"), await world.start("b", cluster="other")
        a.mesh.set_peers({"b": b.at})
        await world.until(lambda: a.told(PeerRejected) and b.told(PeerRejected))
        assert "share one store" in a.told(PeerRejected)[0].reason
        assert not a.mesh.push("b", b"x")
        assert a.way_to("b").reason == a.told(PeerRejected)[0].reason
        assert b.receiver.gaps == []

    async def test_whoever_is_refused_is_not_told_the_cluster_and_the_log_is(self, world: MeshWorld) -> None:
        b = await world.start("b", cluster="the-right-one")
        transport, _ = world.outsider()
        for hello in (_hello(cluster="guess"), _hello(cluster=""), _hello(cluster="guess", protocol_min=99)):
            heard = await converse(await transport.dial(b.address), hello)
            assert "another cluster" in heard[0].goodbye
            assert not any(b"the-right-one" in frame.SerializeToString() for frame in heard)
        assert all("the-right-one" in fact.reason for fact in b.told(PeerRejected))
        assert "'guess'" in b.told(PeerRejected)[0].reason

    async def test_a_peer_without_a_common_protocol_is_refused_with_the_reason(self, world: MeshWorld) -> None:
        b = await world.start("b")
        transport, _ = world.outsider()
        heard = await converse(
            await transport.dial(b.address), _hello(protocol_min=PROTOCOL_MAX + 1, protocol_max=PROTOCOL_MAX + 5)
        )
        assert "upgrade the older one" in heard[0].goodbye
        assert b.told(PeerRejected)

    async def test_a_newer_peer_that_still_speaks_our_protocol_is_welcome(self, world: MeshWorld) -> None:
        b = await world.start("b")
        transport, _ = world.outsider()
        link = await transport.dial(b.address)
        await link.send(_hello(protocol_max=PROTOCOL_MAX + 5))
        answer = await link.receive()
        assert answer is not None and mesh_pb2.Frame.FromString(answer).hello.node == "b"
        await link.close()

    async def test_a_node_that_is_not_the_one_meant_is_refused_until_the_table_says_so(self, world: MeshWorld) -> None:
        world.settings = replace(world.settings, refused_s=1_000.0)  # the table, and not the pause, ends the refusal
        a, b = await world.start("a"), await world.start("b", incarnation="2")
        a.mesh.set_peers({"b": PeerAddress(b.address, "1")})
        await world.until(lambda: a.told(PeerRejected))
        assert "in its incarnation 2" in a.told(PeerRejected)[0].reason
        a.mesh.set_peers({"b": b.at})
        await world.until(lambda: a.is_connected_to("b"))

    @pytest.mark.parametrize("first", [b"\xff\xff\xff", b"", mesh_pb2.Frame(beat=1).SerializeToString()])
    async def test_a_stream_that_does_not_begin_with_a_hello_is_ended(self, world: MeshWorld, first: bytes) -> None:
        b = await world.start("b")
        transport, _ = world.outsider()
        heard = await converse(await transport.dial(b.address), first)
        assert len(heard) == 1 and heard[0].goodbye
        assert len(b.told(PeerRejected)) == 1

    async def test_bytes_that_are_no_frame_end_the_link_with_the_reason(self, world: MeshWorld) -> None:
        b = await world.start("b")
        transport, _ = world.outsider()
        good = mesh_pb2.Frame(pushes=[b"good"]).SerializeToString()
        link = await transport.dial(b.address)
        assert (await introduce_as(link, _X)).node == "b"
        heard = await converse(link, good, b"\xff\xff\xff", good)
        assert heard[-1].goodbye == "3 bytes are no frame"
        assert b.receiver.taken == [b"good"]
        assert [fact.peer for fact in b.told(FrameRejected)] == ["x"]

    async def test_a_second_hello_ends_the_link(self, world: MeshWorld) -> None:
        b = await world.start("b")
        transport, _ = world.outsider()
        link = await transport.dial(b.address)
        await introduce_as(link, _X)
        heard = await converse(link, _hello())
        assert "once" in heard[-1].goodbye

    async def test_messages_on_the_way_back_are_out_of_place(self, world: MeshWorld) -> None:
        async def talkative(link: Link) -> None:
            await admit(link, _X)
            await link.send(mesh_pb2.Frame(pushes=[b"psst"]).SerializeToString())
            await _mute(link)

        a = await world.start("a")
        address = await world.listen("x", talkative, a.ports)
        a.mesh.set_peers({"x": PeerAddress(address, "1")})
        await world.until(lambda: a.told(FrameRejected))
        assert a.receiver.taken == []

    async def test_a_signal_that_cannot_be_read_spoils_no_other(self, world: MeshWorld) -> None:
        b = await world.start("b")
        transport, _ = world.outsider()
        link = await transport.dial(b.address)
        await introduce_as(link, _X)
        signals = [_answer("1").SerializeToString(), b"\xff\xff", _answer("2").SerializeToString()]
        await link.send(mesh_pb2.Frame(signals=signals).SerializeToString())
        await world.until(lambda: len(b.receiver.signals_taken) == 2)
        assert len(b.told(FrameRejected)) == 1
        await link.close()


class MeshProof:
    """Whoever knows the id of the cluster, and not the secret of its store, is a stranger."""

    _PUSH = mesh_pb2.Frame(pushes=[b"invented"], signals=[_answer("1").SerializeToString()], gap=True)

    async def test_nothing_is_taken_from_a_stranger_that_knows_the_cluster(self, world: MeshWorld) -> None:
        b = await world.start("b")
        transport, _ = world.outsider()
        push = self._PUSH.SerializeToString()
        forged = mesh_pb2.Frame(proof=b"p" * 32, pushes=[b"invented"], gap=True).SerializeToString()
        for frames in ((push,), (forged, push), (mesh_pb2.Frame().SerializeToString(), push), (b"\xff\xff", push)):
            heard = await converse(await transport.dial(b.address), _hello(), *frames)
            assert heard[0].hello.proof
            assert heard[-1].goodbye
        assert "has not proved that it belongs to this cluster" in b.told(PeerRejected)[0].reason
        assert len(b.told(PeerRejected)) == 4
        assert (b.receiver.taken, b.receiver.gaps, b.receiver.signals_taken) == ([], [], [])

    async def test_a_proof_is_none_for_another_stream_or_the_other_side(self, world: MeshWorld) -> None:
        b = await world.start("b")
        transport, _ = world.outsider()
        first = await transport.dial(b.address)
        hello = dialling_hello(_X, b"n" * 16)
        answer = await ask_hello(first, _X, hello)
        overheard = proof_frame(_X, hello, answer)
        await first.close()
        for proof in (overheard, mesh_pb2.Frame(proof=answer.proof).SerializeToString()):
            heard = await converse(
                await transport.dial(b.address), hello_frame(hello), proof, self._PUSH.SerializeToString()
            )
            assert "has not proved" in heard[-1].goodbye
        assert b.receiver.taken == []

    async def test_a_node_that_asks_for_no_proof_is_refused_before_it_is_told_anything(self, world: MeshWorld) -> None:
        b = await world.start("b")
        transport, _ = world.outsider()
        for nonce in (b"", b"short"):
            [heard] = await converse(await transport.dial(b.address), _hello(nonce=nonce))
            assert "versions that prove it" in heard.goodbye

    @pytest.mark.parametrize("secret", ["another store's", ""])
    async def test_nodes_without_the_secret_are_strangers_both_ways(self, world: MeshWorld, secret: str) -> None:
        a = await world.start("a")
        stranger = await world.start("b", secret=secret)
        world.introduce(a, stranger)
        await world.until(lambda: a.told(PeerRejected) and stranger.told(PeerRejected))
        assert not a.mesh.push("b", b"x") and not stranger.mesh.push("a", b"x")
        assert not a.told(PeerConnected) and not stranger.told(PeerConnected)
        assert a.receiver.gaps == stranger.receiver.gaps == []

    async def test_what_answers_a_dial_without_a_proof_is_sent_nothing(self, world: MeshWorld) -> None:
        heard: list[bytes] = []

        async def pretender(link: Link) -> None:
            await link.receive()
            await link.send(_hello(proof=b"p" * 32))
            while (frame := await link.receive()) is not None:
                heard.append(frame)

        a = await world.start("a")
        address = await world.listen("x", pretender, a.ports)
        a.mesh.set_peers({"x": PeerAddress(address, "1")})
        await world.until(lambda: a.told(PeerRejected) and heard)
        assert "has not proved" in mesh_pb2.Frame.FromString(heard[0]).goodbye
        assert not a.mesh.push("x", b"secret business")

    async def test_nobody_counts_as_who_answers_that_does_not_prove_to_be_a_node_of_the_cluster(
        self, world: MeshWorld
    ) -> None:
        a, b = await world.start("a"), await world.start("b", secret="another store's")
        assert await who_answers(a.transport, b.address, a.identity, 30.0, a.ports) is None


class MeshSilence:
    async def test_a_peer_that_falls_silent_is_lost(self, world: MeshWorld) -> None:
        async def falls_silent(link: Link) -> None:
            await admit(link, _X)
            await _mute(link)

        world.settings = world.impatient
        a = await world.start("a")
        address = await world.listen("x", falls_silent, a.ports)
        a.mesh.set_peers({"x": PeerAddress(address, "1")})
        await world.until(lambda: a.told(PeerLost))
        assert "not heard of" in a.told(PeerLost)[0].reason

    async def test_a_stream_that_falls_silent_is_ended_by_the_node_that_accepted_it(self, world: MeshWorld) -> None:
        world.settings = world.impatient
        b = await world.start("b")
        transport, _ = world.outsider()
        link = await transport.dial(b.address)
        await introduce_as(link, _X)
        await converse(link)
        await world.until(lambda: b.receiver.lost_peers == ["x"])

    async def test_a_node_that_answers_no_hello_is_given_up_and_dialled_again(self, world: MeshWorld) -> None:
        dials = []

        async def mute(link: Link) -> None:
            dials.append(link)
            await _mute(link)

        world.settings = world.impatient
        a = await world.start("a")
        address = await world.listen("x", mute, a.ports)
        a.mesh.set_peers({"x": PeerAddress(address, "1")})
        await world.until(lambda: len(dials) == 2)
        assert len(a.told(PeerUnreachable)) == 1

    async def test_a_dialler_that_says_no_hello_is_hung_up_on(self, world: MeshWorld) -> None:
        world.settings = world.impatient
        b = await world.start("b")
        transport, _ = world.outsider()
        assert await converse(await transport.dial(b.address)) == []

    async def test_peers_that_have_nothing_to_say_stay_connected(self, world: MeshWorld) -> None:
        world.settings = world.impatient
        a, b = await world.pair()
        await world.clock.sleep(3 * world.settings.silent_s)
        assert a.is_connected_to("b") and b.is_connected_to("a")
        assert not a.told(PeerLost) and not b.told(PeerLost)
        now_s = world.clock.now_s()
        assert now_s - a.way_to("b").last_beat_at_s < world.settings.silent_s

    async def test_a_slow_receiver_is_not_a_silent_one(self, world: MeshWorld) -> None:
        world.settings = world.impatient
        a, b = await world.pair()
        b.receiver.open.clear()
        a.mesh.push("b", b"x")
        await world.clock.sleep(3 * world.settings.silent_s)
        b.receiver.open.set()
        await world.until(lambda: b.receiver.taken == [b"x"])
        assert not a.told(PeerLost) and not b.told(PeerLost)


class MeshMembers:
    async def test_a_node_nobody_listens_for_is_reported_once_and_found_when_it_comes(self, world: MeshWorld) -> None:
        a, b = await world.start("a"), await world.start("b")
        address = b.address
        await world.stop(b)
        a.mesh.set_peers({"b": PeerAddress(address, "2")})
        await world.until(lambda: a.told(PeerUnreachable))
        b = await world.start("b", incarnation="2", listen=address)
        await world.until(lambda: a.is_connected_to("b"))
        assert len(a.told(PeerUnreachable)) == 1

    async def test_a_node_that_has_moved_is_dialled_at_its_new_address(self, world: MeshWorld) -> None:
        a, b = await world.pair()
        await world.stop(b)
        moved = await world.start("b", incarnation="2", listen="" if ":" in b.address else "elsewhere")
        a.mesh.set_peers({"b": moved.at})
        await world.until(lambda: a.is_connected_to("b"))
        a.mesh.push("b", b"x")
        await world.until(lambda: moved.receiver.taken == [b"x"])

    async def test_a_node_that_is_no_member_any_more_is_left_with_a_goodbye(self, world: MeshWorld) -> None:
        a, b = await world.pair()
        a.mesh.set_peers({})
        await world.until(lambda: b.receiver.lost_peers == ["a"])
        assert a.mesh.status() == []
        assert not a.told(PeerLost)
        assert not a.mesh.push("b", b"x")

    async def test_a_node_is_no_peer_of_its_own(self, world: MeshWorld) -> None:
        a = await world.start("a")
        a.mesh.set_peers({"a": a.at})
        assert a.mesh.status() == []

    async def test_the_same_members_again_change_nothing(self, world: MeshWorld) -> None:
        a, b = await world.pair()
        world.introduce(a, b)
        assert a.mesh.push("b", b"x")
        await world.until(lambda: b.receiver.taken == [b"x"])  # by a stream that, were it another, began with a gap
        assert b.receiver.gaps == [0]
        assert len(a.told(PeerConnected)) == 1

    async def test_a_closing_node_sends_what_is_queued_and_says_goodbye(self, world: MeshWorld) -> None:
        world.settings = replace(world.settings, goodbye_s=30.0)
        a, b = await world.pair()
        wanted = _numbers(2000)
        for one in wanted:
            a.mesh.push("b", one)
        await world.stop(a)
        await world.until(lambda: b.receiver.taken == wanted)
        await world.until(lambda: b.told(PeerLost))
        assert b.told(PeerLost)[0].reason == "the node is shutting down"
        assert not a.told(PeerLost)

    async def test_closing_does_not_wait_for_a_peer_that_takes_nothing(self, world: MeshWorld) -> None:
        a, b = await world.pair()
        b.receiver.open.clear()
        while a.mesh.push("b", b"x" * 10_000):
            pass
        async with asyncio.timeout(30):
            await world.stop(a)
        assert not a.mesh.push("b", b"x")

    async def test_a_node_can_be_closed_while_it_dials(self, world: MeshWorld) -> None:
        a = await world.start("a")
        addresses = [await world.listen("x", _mute, a.ports), "127.0.0.1:1"]
        for steps in range(12):
            a.mesh.set_peers({f"{steps}{at}": PeerAddress(at, "1") for at in addresses})
            for _ in range(steps):
                await world.clock.sleep(0)
        await world.stop(a)

    async def test_a_closed_node_accepts_nobody(self, world: MeshWorld) -> None:
        b = await world.start("b")
        await b.mesh.close()
        transport, _ = world.outsider()
        heard = await converse(await transport.dial(b.address), _hello())
        assert heard == []


class MeshWhoAnswers:
    async def test_who_answers_is_told_and_no_stream_is_disturbed(self, world: MeshWorld) -> None:
        a, b = await world.pair()
        hello = await who_answers(a.transport, b.address, a.identity, 30.0, a.ports)
        assert hello is not None and (hello.node, hello.incarnation) == ("b", "1")
        assert a.mesh.push("b", b"x")
        await world.until(lambda: b.receiver.taken == [b"x"])
        assert b.receiver.gaps == [0]

    async def test_a_node_can_ask_itself(self, world: MeshWorld) -> None:
        a = await world.start("a")
        hello = await who_answers(a.transport, a.address, a.identity, 30.0, a.ports)
        assert hello is not None and hello.incarnation == "1"

    async def test_where_nobody_listens_there_is_certainly_no_node(self, world: MeshWorld) -> None:
        a, b = await world.start("a"), await world.start("b")
        await world.stop(b)
        assert await who_answers(a.transport, b.address, a.identity, 30.0, a.ports) is None

    async def test_a_node_of_another_cluster_is_none_of_ours(self, world: MeshWorld) -> None:
        a, b = await world.start("a"), await world.start("b", cluster="other")
        assert await who_answers(a.transport, b.address, a.identity, 30.0, a.ports) is None

    async def test_where_somebody_listens_and_says_nothing_there_is_no_telling(self, world: MeshWorld) -> None:
        a = await world.start("a")
        address = await world.listen("x", _mute, a.ports)
        with pytest.raises(DeadlineExceeded, match="no telling"):
            await who_answers(a.transport, address, a.identity, 0.2, a.ports)


__all__ = ["MeshLimits", "MeshMembers", "MeshOrder", "MeshProof", "MeshRefusals", "MeshSilence", "MeshWhoAnswers"]
