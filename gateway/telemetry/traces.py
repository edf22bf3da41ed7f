"""Traces of inquiries, by OpenTelemetry: a span per inquiry, one per step, and one for each department that is asked.

They are sent by OTLP over HTTP, from a thread of their own; what cannot be sent is dropped. Invariant 12 holds by
construction: a span has no attribute but those of `ATTRIBUTES`, whose values are words of the configuration or of this
program, and a trace does not name the inquiry's entry. A moment is shown as one of `_SHOWN`, since times could tell
how many records an inquiry met; ADR 0039 says what they still tell. Nothing is instrumented but this.

This file is imported only where `tracing` is configured: it needs the extra `otel`.
"""

from __future__ import annotations

import logging
import os
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from requests import PreparedRequest, Response, Session

from connectors.base import Fault
from gateway.errors import Code
from gateway.telemetry.metrics import STEPS, Steps

OUTCOME, DEPARTMENT, FAULT = "dutybound.outcome", "dutybound.department", "dutybound.fault"
ATTRIBUTES = frozenset({OUTCOME, DEPARTMENT, FAULT})
"""All that a span says beside its name, its times and where it belongs."""
_SHOWN = (1, 2, 3, 5, 7, *(each * ten for ten in (1, 10, 100, 1000) for each in (10, 15, 20, 30, 50, 70)))
"""Milliseconds after an inquiry's beginning at which something is shown to happen: the next of these, or the last."""
_HEADER = "traceparent"
_W3C = TraceContextTextMapPropagator()
_EVERY = 2.0
_WITHIN = 3.0
"""Seconds between two deliveries, and for one."""
_WAITING = 4096
"""Spans that wait for delivery; more are dropped."""
_DEFECTS = frozenset({Code.INTERNAL.value})

Heard = Callable[[str, str | None], None]
"""Told whether traces can be delivered: why not, or None."""


class Traces:
    """What a process traces: of `sample` in one inquiries, picked by chance alone.

    A context that an inquiry brings is read where its client is one of `clients`, or `proxied` says of the connection
    that it is a proxy's that is trusted so. The library's own environment variables count for nothing.
    """

    def __init__(
        self,
        endpoint: str,
        sample: float,
        *,
        version: str,
        clients: frozenset[str] = frozenset(),
        proxied: Callable[[], bool] = lambda: False,
        token: str | None = None,
        ca_file: Path | None = None,
        heard: Heard = lambda _name, _why: None,
    ) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # `heard` says it, once
        self._sample, self._clients, self._proxied = sample, clients, proxied
        self._chance = random.Random(os.urandom(32)).random  # noqa: S311 - what it gave is never shown
        session = _Noting()
        session.trust_env, session.max_redirects = False, 0
        headers = {"authorization": f"Bearer {token}"} if token else {}
        certificate = str(ca_file) if ca_file else None
        exporter = OTLPSpanExporter(endpoint, certificate, headers=headers, timeout=_WITHIN, session=session)
        self._waiting = BatchSpanProcessor(
            _Told(exporter, session, heard), _WAITING, _EVERY * 1000, 512, _WITHIN * 1000
        )
        resource = Resource({"service.name": "dutybound", "service.version": version})
        self._provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(self._waiting)
        self._tracer = self._provider.get_tracer("dutybound", version)

    def begin(self, steps: Steps) -> Steps:
        """The steps of one more inquiry, traced for some."""
        if self._chance() >= self._sample:
            return steps
        return _Traced(steps, self._tracer, self._parent)

    def close(self) -> None:
        """Deliver what waits, as far as that can be done in a few seconds; blocks."""
        self._provider.shutdown()

    def _parent(self, client: str, headers: Iterable[tuple[bytes, bytes]]) -> Context:
        """The context that an inquiry belongs to: that which it brings, where that counts, without its state."""
        if client not in self._clients and not self._proxied():
            return Context()
        brought = [value for name, value in headers if name == _HEADER.encode()]
        carried = {_HEADER: brought[0].decode("latin-1")} if len(brought) == 1 else {}
        return _W3C.extract(carried, Context())


class _Noting(Session):
    """A session that keeps how its last request ended, which the exporter gives to nobody."""

    ended = ""

    def send(self, request: PreparedRequest, **named: Any) -> Response:
        try:
            answer = super().send(request, **named)
        except Exception as error:
            self.ended = type(error).__name__
            raise
        self.ended = f"it answered {answer.status_code}"
        return answer


class _Told(SpanExporter):
    """Delivers spans, and reports whether that worked."""

    def __init__(self, inner: SpanExporter, session: _Noting, heard: Heard) -> None:
        self._inner, self._session, self._heard = inner, session, heard

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Deliver these, or drop them."""
        result = self._inner.export(spans)
        why = f"traces cannot be delivered, and are dropped ({self._session.ended})"
        self._heard("", None if result is SpanExportResult.SUCCESS else why)
        return result

    def shutdown(self) -> None:
        """Deliver no more."""
        self._inner.shutdown()


class _Traced(Steps):
    """The steps of one inquiry that is traced."""

    __slots__ = ("_at", "_began", "_done", "_next", "_parent", "_root", "_step", "_timed", "_tracer", "_zero")

    def __init__(
        self,
        timed: Steps,
        tracer: Tracer,
        parent: Callable[[str, Iterable[tuple[bytes, bytes]]], Context],
    ) -> None:
        self._timed, self._tracer, self._parent = timed, tracer, parent
        self._began, self._zero = time.time_ns() // 1_000_000, time.perf_counter()
        self._at = self._began
        self._next = STEPS[0]
        self._root: Span | None = None
        self._step: Span | None = None
        self._done: list[tuple[Span, int]] = []

    def caller(self, client: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Who asks is known, and with it whether the context counts that came with it."""
        if self._root is None:
            self._root = self._span("inquiry", self._parent(client, headers), self._began)

    def done(self, step: str) -> None:
        """A step ended, and the next began."""
        self._timed.done(step)
        span = self._begun(step)
        self._at = self._now()
        self._done.append((span, self._at))
        self._step = None
        self._next = STEPS[STEPS.index(step) + 1]

    def asked(self, department: str) -> _Asked:
        """A department is asked, within the step that goes on."""
        within = set_span_in_context(self._begun(self._next), Context())
        span = self._span("department", within, self._now())
        span.set_attribute(DEPARTMENT, department)
        return _Asked(span, self._now)

    def ended(self, outcome: str) -> None:
        """The inquiry is answered; what it was at is its last step."""
        at = self._now()
        self._done.append((self._begun(self._next), at))
        for span, ended in self._done:  # only now: what turned out to be no inquiry leaves nothing
            span.end(_nanoseconds(ended))
        root = self._rooted()
        root.set_attribute(OUTCOME, outcome)
        if outcome in _DEFECTS:
            root.set_status(StatusCode.ERROR)
        root.end(_nanoseconds(at))

    def _rooted(self) -> Span:
        if self._root is None:
            self._root = self._span("inquiry", Context(), self._began)
        return self._root

    def _begun(self, step: str) -> Span:
        if self._step is None:
            self._step = self._span(step, set_span_in_context(self._rooted(), Context()), self._at)
        return self._step

    def _span(self, name: str, within: Context, at: int) -> Span:
        return self._tracer.start_span(name, within, start_time=_nanoseconds(at))

    def _now(self) -> int:
        """The moment that is shown, in milliseconds since 1970."""
        passed = (time.perf_counter() - self._zero) * 1000
        return self._began + (0 if passed < 1 else _SHOWN[min(bisect_left(_SHOWN, passed), len(_SHOWN) - 1)])


class _Asked:
    """A department that a traced inquiry asks."""

    def __init__(self, span: Span, now: Callable[[], int]) -> None:
        self._span, self._now = span, now
        carried: dict[str, str] = {}
        _W3C.inject(carried, set_span_in_context(span, Context()))
        self.context = carried[_HEADER]

    def ended(self, fault: Fault | None) -> None:
        """It answered, or failed for that reason."""
        if fault is not None:
            self._span.set_attribute(FAULT, fault.value)
            self._span.set_status(StatusCode.ERROR)
        self._span.end(_nanoseconds(self._now()))


def _nanoseconds(milliseconds: int) -> int:
    return milliseconds * 1_000_000
