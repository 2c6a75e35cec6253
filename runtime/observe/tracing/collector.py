"""Spans on their way to a collector, by OTLP over gRPC: the only file that knows OpenTelemetry.

    TurnSpan ──export──▶ the tracer of its kind ──▶ a queue of 2,048, then a thread ──▶ the collector

The libraries give each span the ids that the turn has computed for it. Beyond the queue's limit the oldest spans are
dropped, and the log says so; nobody waits. What waits longest is sent first, up to 512 at a time, each 5 s at least.
Headers, certificates and timeouts come from the variables that OpenTelemetry names (OTEL_EXPORTER_OTLP_HEADERS, ...).
"""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from runtime.durable.traces.place import SpanPlace
from runtime.durable.traces.tracing import TurnSpan

__all__ = ["CollectorSpans"]

_QUEUE_MAX = 2048
_AT_ONCE_MAX = 512
_EVERY_MS = 5000.0
_LOST = "amends.turn_lost"
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_ROOT = Context()


class CollectorSpans:
    """Of one node. `export` is called by the loop only; `flush` may take as long as the collector does."""

    def __init__(self, endpoint: str, node: str, version: str) -> None:
        self._node = node
        self._version = version
        self._exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
        self._queue = BatchSpanProcessor(
            self._exporter,
            max_queue_size=_QUEUE_MAX,
            max_export_batch_size=_AT_ONCE_MAX,
            schedule_delay_millis=_EVERY_MS,
        )
        self._ids = _GivenIds()
        self._tracers: dict[str, Tracer] = {}  # by kind

    def export(self, one: TurnSpan) -> None:
        """Queue a span."""
        tracer = self._tracers.get(one.kind)
        if tracer is None:
            tracer = self._tracers[one.kind] = self._tracer(one.kind)
        self._ids.place = one.place
        parent = _ROOT
        if one.parent:
            parent = set_span_in_context(NonRecordingSpan(_context(SpanPlace(one.place.trace, one.parent))), _ROOT)
        span = tracer.start_span(
            f"{one.kind} {one.type.rpartition('.')[2]}",
            parent,
            SpanKind.CONSUMER,
            _attributes(one),
            [Link(_context(link)) for link in one.links],
            _nanoseconds(one.began_at_s),
        )
        for at_s in one.lost_at_s:
            span.add_event(_LOST, timestamp=_nanoseconds(at_s))
        if one.is_failed:
            span.set_status(StatusCode.ERROR)
        span.end(_nanoseconds(one.ended_at_s))

    def _tracer(self, kind: str) -> Tracer:
        """Each kind is a service to whoever reads traces, and this node an instance of it."""
        names = {"service.name": kind, "service.instance.id": self._node}
        provider = TracerProvider(
            sampler=ALWAYS_ON, resource=Resource.create(names), shutdown_on_exit=False, id_generator=self._ids
        )
        provider.add_span_processor(self._queue)
        return provider.get_tracer("amends", self._version)

    def flush(self) -> None:
        """Send what is queued, and end the thread. Blocks while the collector does, up to half a minute."""
        self._queue.shutdown()  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """Break off what `flush` still waits for. Never blocks."""
        self._exporter.shutdown()


class _GivenIds(IdGenerator):
    """Gives a span the ids that were computed for it."""

    place: SpanPlace

    def generate_span_id(self) -> int:
        return int.from_bytes(self.place.span, "big")

    def generate_trace_id(self) -> int:
        return int.from_bytes(self.place.trace, "big")


def _context(place: SpanPlace) -> SpanContext:
    return SpanContext(
        int.from_bytes(place.trace, "big"), int.from_bytes(place.span, "big"), is_remote=True, trace_flags=_SAMPLED
    )


def _attributes(one: TurnSpan) -> dict[str, str | int]:
    """No key and nothing of what a message says: whoever reads traces may not be meant to read those."""
    found: dict[str, str | int] = {
        "amends.kind": one.kind,
        "amends.message_type": one.type,
        "amends.message_id": one.message_id.hex(),
        "amends.conversation_id": one.conversation.hex(),
        "amends.attempt": one.attempt,
        "amends.outcome": one.outcome,
    }
    if one.undo_of:
        found["amends.undo_of"] = one.undo_of.hex()
    return found


def _nanoseconds(at_s: float) -> int:
    return int(at_s * 1_000_000_000)
