"""Who is on the other side of a link, and whether the two may talk.

    dialler ──hello──▶ acceptor     same cluster? a protocol both speak?
    dialler ◀──hello── acceptor     the same, and: is it the node that was meant to be dialled?
    either  ──goodbye──▶            no, and why

Each side's hello is its first frame, and it says one only once.
"""

from __future__ import annotations

from dataclasses import dataclass

from protos import mesh_pb2
from runtime.errors import PeerRefused
from runtime.mesh.frames import decode_frame

__all__ = ["PROTOCOL_MAX", "PROTOCOL_MIN", "Identity", "agreed_protocol", "hello_frame", "read_hello"]

PROTOCOL_MIN = 1
PROTOCOL_MAX = 1

_OTHER_CLUSTER = "this node is of another cluster: nodes of one cluster share one store"
_SHOWN_MAX = 64  # characters of what a stranger calls itself


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a node says it is. One without a node's name asks who answers, and takes no part."""

    cluster: str
    node: str
    incarnation: str


def hello_frame(identity: Identity, frame_bytes_max: int = 0) -> bytes:
    """The first frame of a side that takes frames of up to so many bytes."""
    hello = mesh_pb2.Hello(
        protocol_min=PROTOCOL_MIN,
        protocol_max=PROTOCOL_MAX,
        cluster=identity.cluster,
        node=identity.node,
        incarnation=identity.incarnation,
        frame_bytes_max=frame_bytes_max,
    )
    return mesh_pb2.Frame(hello=hello).SerializeToString()


def read_hello(encoded: bytes) -> mesh_pb2.Hello:
    """The hello in the first frame of a stream. Raises InvalidMessage, or PeerRefused with the other side's reason."""
    frame = decode_frame(encoded)
    if frame.goodbye:
        raise PeerRefused(frame.goodbye)
    if not frame.HasField("hello"):
        raise PeerRefused("the first frame of a stream must be a hello")
    return frame.hello


def agreed_protocol(own: Identity, hello: mesh_pb2.Hello) -> int:
    """The highest protocol that both speak. Raises PeerRefused for another cluster, or when there is none."""
    if hello.cluster != own.cluster:
        # Who is refused may be anybody: with the right id in the refusal it would come again as one of us.
        raise PeerRefused(
            _OTHER_CLUSTER,
            f"node {own.node!r} is of cluster {own.cluster}, node {_shown(hello.node)} says it is of cluster "
            f"{_shown(hello.cluster)}: nodes of one cluster share one store",
        )
    protocol = min(PROTOCOL_MAX, hello.protocol_max)
    if protocol < max(PROTOCOL_MIN, hello.protocol_min):
        raise PeerRefused(
            f"node {own.node!r} speaks protocols {PROTOCOL_MIN} to {PROTOCOL_MAX}, node {hello.node!r} "
            f"{hello.protocol_min} to {hello.protocol_max}: upgrade the older one"
        )
    return protocol


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}...")
