"""Who is on the other side of a link, and whether the two may talk.

    dialler ──hello, nonce────────▶ acceptor    same cluster? a protocol both speak?
    dialler ◀──hello, nonce, proof── acceptor    the same, and: is it the node that was meant to be dialled?
    dialler ──proof───────────────▶ acceptor    only now is anything taken from it
    either  ──goodbye─────────────▶             no, and why

Each side's hello is its first frame, and it says one only once. A proof is an HMAC with the secret of the store over
both hellos and both nonces: to know the id of the cluster, or to have listened to other streams, is not enough. It says
who began the stream, not who goes on with it: whoever can change what travels on the network is not kept out.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from runtime.errors import PeerRefused
from runtime.mesh.frames import decode_frame
from runtime.protos import mesh_pb2

__all__ = [
    "PROTOCOL_MAX",
    "PROTOCOL_MIN",
    "Identity",
    "accepted_hello",
    "agreed_protocol",
    "check_acceptor",
    "check_dialler",
    "check_nonce",
    "dialling_hello",
    "hello_frame",
    "proof_frame",
    "read_hello",
]

PROTOCOL_MIN = 1
PROTOCOL_MAX = 1

_OTHER_CLUSTER = "this node is of another cluster: nodes of one cluster share one store"
_UNPROVED = (
    "the {side} has not proved that it belongs to this cluster: nodes of one cluster share one store, with its secret, "
    "and versions that prove it"
)
_NONCE_BYTES_MIN = 16
_SHOWN_MAX = 64  # characters of what a stranger calls itself


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a node says it is. An identity without a node's name only asks who answers."""

    cluster: str
    node: str
    incarnation: str
    secret: str = field(repr=False)  # the secret of the store


def dialling_hello(identity: Identity, nonce: bytes) -> mesh_pb2.Hello:
    """The hello of the side that has dialled."""
    return mesh_pb2.Hello(
        protocol_min=PROTOCOL_MIN,
        protocol_max=PROTOCOL_MAX,
        cluster=identity.cluster,
        node=identity.node,
        incarnation=identity.incarnation,
        nonce=nonce,
    )


def accepted_hello(
    identity: Identity, dialler: mesh_pb2.Hello, nonce: bytes, frame_bytes_max: int = 0
) -> mesh_pb2.Hello:
    """The hello of the side that was dialled, with its proof and the largest frame that it takes."""
    hello = dialling_hello(identity, nonce)
    hello.frame_bytes_max = frame_bytes_max
    hello.proof = _proof("acceptor", identity.secret, dialler, hello)
    return hello


def hello_frame(hello: mesh_pb2.Hello) -> bytes:
    return mesh_pb2.Frame(hello=hello).SerializeToString()


def proof_frame(own: Identity, dialler: mesh_pb2.Hello, acceptor: mesh_pb2.Hello) -> bytes:
    """The second frame of the side that dialled."""
    return mesh_pb2.Frame(proof=_proof("dialler", own.secret, dialler, acceptor)).SerializeToString()


def check_acceptor(own: Identity, dialler: mesh_pb2.Hello, acceptor: mesh_pb2.Hello) -> None:
    """Raises PeerRefused when who was dialled does not know the secret."""
    expected = _proof("acceptor", own.secret, dialler, acceptor)
    if not own.secret or not hmac.compare_digest(acceptor.proof, expected):
        raise PeerRefused(_UNPROVED.format(side="side that was dialled"))


def check_dialler(own: Identity, dialler: mesh_pb2.Hello, acceptor: mesh_pb2.Hello, encoded: bytes) -> None:
    """Check the second frame of who dialled. Raises InvalidMessage, or PeerRefused when it does not know the secret."""
    frame = decode_frame(encoded)
    if frame.goodbye:
        raise PeerRefused(frame.goodbye)
    expected = _proof("dialler", own.secret, dialler, acceptor)
    if not own.secret or not hmac.compare_digest(frame.proof, expected):
        raise PeerRefused(_UNPROVED.format(side="side that dialled"))


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
        # A stranger must not learn the right id from its refusal: it would come again as a node of this cluster.
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


def check_nonce(hello: mesh_pb2.Hello) -> None:
    """Raises PeerRefused for a side that asks for no proof, since it will not give one either."""
    if len(hello.nonce) < _NONCE_BYTES_MIN:
        raise PeerRefused(_UNPROVED.format(side="side that dialled"))


def _proof(side: str, secret: str, dialler: mesh_pb2.Hello, acceptor: mesh_pb2.Hello) -> bytes:
    """The proof of one side, over all that both sides have said. No side can send the proof of the other back."""
    said = hmac.new(secret.encode(), side.encode(), hashlib.sha256)
    for hello in (dialler, acceptor):
        limits = f"{hello.protocol_min} {hello.protocol_max} {hello.frame_bytes_max}"
        for part in (hello.cluster, hello.node, hello.incarnation, limits, hello.nonce.hex()):
            text = part.encode()
            said.update(len(text).to_bytes(8, "big") + text)
    return said.digest()


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}...")
