"""What the operator can measure of HTTP: counts and times by route, never by id or person.

Invariant: labels come from the route table and from status codes, so that their number is bounded.
"""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LAGS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
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
        self._loop = Histogram(
            "bp_loop_lag_seconds",
            "How late the event loop got to what was due, looked at twenty times a second.",
            buckets=LAGS,
            registry=self.registry,
        )
        self._longest = Gauge(
            "bp_loop_lag_longest_seconds",
            "The longest of these since the process started.",
            registry=self.registry,
        )
        self._longest_lag = 0.0
        self.open_streams = Gauge(
            "bp_http_open_streams",
            "Live streams, answers of the assistant and downloads that are open now.",
            ("kind",),
            registry=self.registry,
        )
        self.set_backs = Counter(
            "bp_log_set_backs",
            "How often this process found the log set back.",
            registry=self.registry,
        )
        self._connections = Gauge(
            "bp_http_open_connections", "Connections open now.", registry=self.registry
        )
        self._refused = Gauge(
            "bp_http_refused_connections",
            "Connections refused since the start, for their address or for all.",
            registry=self.registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def loop_lagged(self, seconds: float) -> None:
        """Note how late the event loop was."""
        self._loop.observe(seconds)
        if seconds > self._longest_lag:
            self._longest_lag = seconds
            self._longest.set(seconds)

    def connections(self, open_now: Callable[[], int], refused: Callable[[], int]) -> None:
        """Take where to look how many are connected, and how many were refused so far."""
        self._connections.set_function(open_now)
        self._refused.set_function(refused)

    def text(self) -> bytes:
        """All figures, in Prometheus' text format."""
        return generate_latest(self.registry)
