"""A receiver of traces, as an OpenTelemetry collector is one: OTLP over HTTP on loopback."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What came: the bodies as they were sent, and what authorized them. `status` is what it answers."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.authorized: set[str | None] = set()
        self.status = 200
        self.url = ""

    @property
    def spans(self) -> list[Span]:
        """All spans that came."""
        return [
            span
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def root(self) -> Span:
        """The one inquiry that came."""
        (root,) = [span for span in self.spans if span.name == "inquiry"]
        return root

    def below(self, parent: Span) -> list[Span]:
        """The spans within another, as they began."""
        found = [span for span in self.spans if span.parent_span_id == parent.span_id]
        return sorted(found, key=lambda span: (span.start_time_unix_nano, span.end_time_unix_nano))


def said(span: Span) -> dict[str, str]:
    """A span's attributes."""
    return {each.key: each.value.string_value for each in span.attributes}


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """A collector, as long as this lasts."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.authorized.add(self.headers["authorization"])
            if collector.status == 200:
                collector.bodies.append(body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
