"""Asks a node whether it serves, as orchestrators do that start a command: python health.py [HOST:PORT] [--within S]

    0  it serves
    1  it does not, and the line that is written says how:
         nobody listens   the process is dead, or waits for its store
         no answer        the event loop is blocked, or the process is frozen; the connection is taken all the same
         NOT_SERVING      it starts, or it drains

Without an address it asks the port of AMENDS_LISTEN at this machine's loopback. There is no third code, since
container engines reserve 2.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_WITHIN_S = 3.0
_PORT = "7650"


def asked(address: str, within_s: float) -> str:
    """What is wrong with the node that listens at `address`; empty if it serves. Waits for about `within_s` seconds."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=within_s).close()
    except OSError as error:
        return f"nobody listens at {address}: the process is dead, or waits for its store ({error})"
    with grpc.insecure_channel(address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=within_s, wait_for_ready=True)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                return f"no answer from {address} within {within_s:g} s: its event loop is blocked, or it is frozen"
            return f"no answer from {address}: {error.details()}"
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return ""
    return f"{address} says {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}: it starts, or it drains"


def main() -> int:
    own = os.environ.get("AMENDS_LISTEN", "").rpartition(":")[2] or _PORT
    parser = argparse.ArgumentParser(description="Asks a node whether it serves. Exits with 0 if it does, else with 1.")
    parser.add_argument("address", nargs="?", default=f"127.0.0.1:{own}", metavar="HOST:PORT")
    parser.add_argument("--within", type=float, default=_WITHIN_S, metavar="SECONDS", help="default: %(default)g")
    given = parser.parse_args()
    wrong = asked(given.address, given.within)
    print(wrong or "SERVING")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
