"""An OTLP/HTTP collector on loopback: it decodes what it is sent, and keeps it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.http_server import ReceivedRequest, http_server, response

PATIENCE_SECONDS = 30.0
ERROR = Status.STATUS_CODE_ERROR


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it arrived; ids in hexadecimal digits."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    start_ns: int
    end_ns: int
    kind: int
    attributes: dict[str, Any]
    failed: bool
    message: str
    resource: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Return one of FlowMaestro's attributes."""
        return self.attributes.get(f"flowmaestro.{name}")


@dataclass
class Collector:
    """What has arrived, and where to send it to."""

    url: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)
    bodies: bytes = b""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a server send here, soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "20"}

    def of(self, execution_id: str) -> list[ReceivedSpan]:
        return [span for span in self.spans if span["execution.id"] == execution_id]

    async def trace(self, execution_id: str) -> list[ReceivedSpan]:
        """Wait for the execution's own span, which is the last, and return all of its."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not any(span["execution.status"] for span in self.of(execution_id)):
                self.arrived.clear()
                await self.arrived.wait()
        return self.of(execution_id)

    async def receive(self, request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        assert (request.method, request.path) == ("POST", "/v1/traces")
        assert request.headers["content-type"] == "application/x-protobuf"
        self.bodies += request.body
        message = ExportTraceServiceRequest.FromString(request.body)
        for group in message.resource_spans:
            resource = _attributes(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += [_span(span, resource) for span in scope.spans]
        writer.write(response(200, content_type="application/x-protobuf"))
        self.arrived.set()


@contextlib.asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """Run one until the block ends."""
    collecting = Collector()
    async with http_server(collecting.receive) as server:
        collecting.url = server.url
        yield collecting


def _span(span: SpanMessage, resource: dict[str, Any]) -> ReceivedSpan:
    return ReceivedSpan(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        name=span.name,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        kind=span.kind,
        attributes=_attributes(span.attributes),
        failed=span.status.code == ERROR,
        message=span.status.message,
        resource=resource,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
