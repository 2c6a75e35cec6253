"""What waits on a stream: order, limits of a frame, credit, gaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidMessage
from runtime.mesh.frames import (
    FRAME_BYTES_MAX,
    FRAME_MESSAGES_MAX,
    decode_frame,
    goodbye_frame,
    message_room,
    without_body,
)
from runtime.mesh.send_queue import SendQueue
from runtime.protos import mesh_pb2


def filled(queue: SendQueue) -> mesh_pb2.Frame | None:
    frame = mesh_pb2.Frame()
    return frame if queue.fill(frame) else None


def drained(queue: SendQueue) -> list[mesh_pb2.Frame]:
    frames = []
    while (frame := filled(queue)) is not None:
        frames.append(frame)
    return frames


def quiet(window_bytes: int = 1 << 20, queue_max: int = 10_000) -> SendQueue:
    """One whose first frame, with its gap, is out."""
    queue = SendQueue(window_bytes, queue_max)
    filled(queue)
    return queue


def test_a_new_stream_begins_with_a_gap_and_then_has_nothing_to_say() -> None:
    queue = SendQueue(1000, 10)
    first = filled(queue)
    assert first is not None and first.gap and not first.pushes
    assert filled(queue) is None


def test_a_frame_takes_everything_that_waits() -> None:
    queue = quiet()
    for number in range(FRAME_MESSAGES_MAX):
        queue.push(b"%d" % number)
    frames = drained(queue)
    assert len(frames) == 1 and len(frames[0].pushes) == FRAME_MESSAGES_MAX and not frames[0].gap


def test_a_frame_has_no_more_than_its_count_of_messages() -> None:
    queue = quiet()
    for number in range(FRAME_MESSAGES_MAX + 1):
        queue.push(b"%d" % number)
    assert [len(frame.pushes) for frame in drained(queue)] == [FRAME_MESSAGES_MAX, 1]


def test_a_frame_has_no_more_than_its_bytes_unless_it_is_one_large_message() -> None:
    queue = quiet(window_bytes=1 << 24)
    half, one, large = FRAME_BYTES_MAX // 2, 1, FRAME_BYTES_MAX * 2
    for size in (half, half, one, large, one):
        assert queue.push(bytes(size))
    sizes = [[len(message) for message in frame.pushes] for frame in drained(queue)]
    assert sizes == [[half, half], [one], [large], [one]]


def test_signals_are_not_held_up_by_a_flood_of_pushes() -> None:
    queue = quiet()
    for _ in range(3 * FRAME_MESSAGES_MAX):
        queue.push(b"x")
    queue.signal(b"urgent")
    frame = filled(queue)
    assert frame is not None and list(frame.signals) == [b"urgent"]


def test_what_is_sent_and_not_taken_counts_against_the_window() -> None:
    queue = quiet(window_bytes=100)
    assert queue.push(bytes(60)) and queue.push(bytes(40))
    drained(queue)
    assert not queue.push(b"x")
    queue.credited(60)
    assert queue.push(b"x")


def test_a_signal_that_does_not_fit_is_lost_without_a_gap() -> None:
    queue = quiet(window_bytes=100)
    queue.push(bytes(100))
    assert not queue.signal(b"x")
    assert [frame.gap for frame in drained(queue)] == [False]
    assert queue.shed == 1


def test_after_a_shed_push_all_are_shed_until_half_the_window_is_free() -> None:
    queue = quiet(window_bytes=100)
    assert queue.push(bytes(100))
    assert not queue.push(bytes(10))
    drained(queue)
    queue.credited(49)
    assert not queue.push(b"x")
    queue.credited(50)
    assert queue.push(b"x")
    frame = filled(queue)
    assert frame is not None and frame.gap and list(frame.pushes) == [b"x"]


def test_no_more_messages_wait_than_the_queue_holds() -> None:
    queue = quiet(queue_max=3)
    assert [queue.push(b"x") for _ in range(4)] == [True, True, True, False]
    assert queue.queued == 3


@pytest.mark.parametrize("taken_bytes", [0, 5, 10**18])
def test_credit_for_more_than_was_sent_buys_nothing(taken_bytes: int) -> None:
    queue = quiet(window_bytes=10)
    queue.credited(taken_bytes)
    assert queue.push(bytes(10)) and not queue.push(b"x")
    queue.credited(taken_bytes)  # still queued: the other side can't have taken it
    assert not queue.push(b"x")


def test_a_message_that_the_other_side_would_not_take_is_not_queued_and_holds_up_no_other() -> None:
    queue = SendQueue(1 << 24, 10, message_bytes_max=100)
    filled(queue)
    assert not queue.push(bytes(101)) and not queue.signal(bytes(101))
    assert queue.push(bytes(100)) and queue.signal(bytes(100))
    frame = filled(queue)
    assert frame is not None and frame.gap and [len(one) for one in (*frame.pushes, *frame.signals)] == [100]
    assert queue.shed == 2


@pytest.mark.parametrize("frame_bytes_max", [8_192, 300_000, 1 << 20, 1 << 24])
def test_no_frame_is_larger_than_the_other_side_takes(frame_bytes_max: int) -> None:
    queue = SendQueue(1 << 26, 10_000, message_bytes_max=message_room(frame_bytes_max))
    for size in [*range(0, 4_000, 7), message_room(frame_bytes_max), frame_bytes_max, *[1] * 2_000]:
        queue.push(bytes(size))
        queue.signal(bytes(size))
    frames = drained(queue)
    assert frames and max(frame.ByteSize() for frame in frames) <= frame_bytes_max


def test_a_signal_that_does_not_fit_says_where_to_read_what_it_holds() -> None:
    answer = mesh_pb2.Answer(call="a#1#7", type="shop.OrderBilled", body=bytes(10), fault="x" * 5_000, message=b"id")
    short = without_body(mesh_pb2.Signal(answer=answer))
    assert short is not None and short.answer == mesh_pb2.Answer(call="a#1#7", fault="x" * 1_000, message=b"id")
    changed = mesh_pb2.Changed(address="sales/1", revision=3, state_type="shop.OrderState", state=bytes(10))
    short = without_body(mesh_pb2.Signal(changed=changed))
    assert short is not None and short.look == mesh_pb2.Look(address="sales/1", revision=3)
    assert without_body(mesh_pb2.Signal(watch=mesh_pb2.Watch(address="sales/1"))) is None


actions = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(0, 400)),
        st.tuples(st.just("signal"), st.integers(0, 400)),
        st.tuples(st.just("fill"), st.just(0)),
        st.tuples(st.just("credit"), st.integers(0, 1000)),
    ),
    max_size=200,
)


@given(actions)
def test_whatever_happens_order_holds_every_shed_push_is_told_of_and_the_window_is_kept(
    acts: list[tuple[str, int]],
) -> None:
    queue = SendQueue(1000, 8)
    open_bytes = sent_bytes = taken_bytes = 0
    accepted: dict[str, list[bytes]] = {"push": [], "signal": []}
    arrived: dict[str, list[bytes]] = {"push": [], "signal": []}
    owes_gap = True
    for number, (what, size) in enumerate([*acts, *[("fill", 0)] * 8]):
        encoded = number.to_bytes(2, "big") + bytes(size)
        if what in ("push", "signal"):
            alone = open_bytes == 0
            if queue.push(encoded) if what == "push" else queue.signal(encoded):
                accepted[what].append(encoded)
                open_bytes += len(encoded)
                assert open_bytes <= 1000 or alone
            elif what == "push":
                owes_gap = True
        elif what == "credit":
            taken = min(size, sent_bytes - taken_bytes)
            taken_bytes += taken
            open_bytes -= taken
            queue.credited(taken_bytes)
        elif (frame := filled(queue)) is not None:
            assert frame.gap == owes_gap
            owes_gap = False
            sent_bytes += sum(map(len, frame.pushes)) + sum(map(len, frame.signals))
            arrived["push"] += frame.pushes
            arrived["signal"] += frame.signals
        else:
            assert not owes_gap
    assert arrived == accepted


def test_bytes_that_are_no_frame_are_refused_by_name() -> None:
    with pytest.raises(InvalidMessage, match="2 bytes are no frame"):
        decode_frame(b"\xff\xff")


def test_a_goodbye_says_why() -> None:
    assert decode_frame(goodbye_frame("because")).goodbye == "because"
