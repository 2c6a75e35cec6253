"""A collector of traces: a real server of OTLP over gRPC, which keeps what it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["CollectedSpan", "Collector", "collecting"]


@dataclass(frozen=True, slots=True)
class CollectedSpan:
    """A span, the service it came from, and its attributes by name."""

    service: str
    node: str
    span: Span
    attributes: dict[str, str | int] = field(default_factory=dict)


class Collector(TraceServiceServicer):
    """`spans` are all that came, in this order; `raw` is everything that was said."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.spans: list[CollectedSpan] = []
        self.raw = b""

    async def Export(  # noqa: N802 -- the stubs know servers of threads only
        self, request: ExportTraceServiceRequest, context: object
    ) -> ExportTraceServiceResponse:
        self.raw += request.SerializeToString()
        for resource in request.resource_spans:
            about = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    named = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
                    self.spans.append(CollectedSpan(about["service.name"], about["service.instance.id"], span, named))
        return ExportTraceServiceResponse()

    def of(self, message: str) -> list[CollectedSpan]:
        """The spans over messages of this type."""
        return [one for one in self.spans if one.span.name.endswith(f" {message}")]


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens. A node sends what is left as it stops."""
    collector, server = Collector(), grpc.aio.server()
    add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)
