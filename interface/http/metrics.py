"""What the operator can measure of HTTP: counts and times by route, never by id or person.

Invariant: labels come from the route table and from status codes, so that their number is bounded.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The figures of one process."""

    def __init__(self) -> None:
        """Begin at zero, in a registry of their own."""
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "bp_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "bp_http_request_seconds",
            "Time until a request was answered whole; streams count when they end.",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.open_streams = Gauge(
            "bp_http_open_streams", "Streams open now.", registry=self.registry
        )
        self.set_backs = Counter(
            "bp_log_set_backs",
            "How often this process found the log set back.",
            registry=self.registry,
        )
        self._lag = Gauge(
            "bp_lag_events",
            "Committed events not yet published or applied.",
            ("where",),
            registry=self.registry,
        )
        self._checkpoint = Gauge(
            "bp_checkpoint_lag_seconds",
            "Since the oldest event was recorded that no signed checkpoint covers.",
            registry=self.registry,
        )
        self._up = Gauge(
            "bp_dependency_up",
            "Whether a dependency answers.",
            ("dependency",),
            registry=self.registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def lag(self, where: str, events: int | None) -> None:
        """Note how far the relay or the read models are behind; None is shown as NaN."""
        self._lag.labels(where).set(float("nan") if events is None else events)

    def checkpoint(self, seconds: float | None) -> None:
        """Note how long events have waited for a signed checkpoint; None is shown as NaN."""
        self._checkpoint.set(float("nan") if seconds is None else seconds)

    def up(self, dependency: str, *, answers: bool) -> None:
        """Note whether a dependency answers."""
        self._up.labels(dependency).set(answers)

    def text(self) -> bytes:
        """All figures, in Prometheus' text format."""
        return generate_latest(self.registry)
