"""What an operator measures of one process: its loops, its connections, and what waits for all.

Invariant: labels are words of the program (loops, roles, event names of log lines), never an id, a
person's word or an address, so that their number is bounded. docs/operations.md says what each
means and when to be woken by it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from application.running.pulse import Pulse
from infrastructure.observability import logs
from infrastructure.postgres.standing import DatabaseStanding
from interface.health import Seen, Servers, service_version
from interface.http.metrics import Metrics

NOT_KNOWN: Final = float("nan")

SINGLE: Final = (
    (
        "bp_checkpoint_lag_seconds",
        "checkpoint_lag",
        "Since the oldest event was recorded that no signed tree head covers.",
    ),
    ("bp_queue_oldest_seconds", "oldest_due", "Since the oldest due step could have begun."),
    ("bp_steps_failed_lately", "failed_lately", "Steps that failed within the last hour."),
    ("bp_dead_letters", "dead_letters", "Dead letters that wait for a decision."),
    ("bp_parked_features", "parked", "Features that a read model could not apply."),
    ("bp_removals", "removals", "Deleted features whose files are still in the object store."),
    ("bp_removals_oldest_seconds", "oldest_removal", "Since the oldest of them was deleted."),
)
"""Figure, the column of `app.figures` it shows, and what it is."""

Stats = Callable[[], Mapping[str, int]]


class Figures:
    """One process's, as a collector of Prometheus. Filled in while the process is put together."""

    def __init__(self, processes: Sequence[str]) -> None:
        """Name what runs here."""
        self.pulses: list[Pulse] = []
        self.servers: Servers | None = None
        """The way to the servers; None until the process has one."""
        self.http = Metrics()
        self.http.registry.register(self)
        self._seen: Seen | None = None
        self._processes = tuple(processes)
        self._pools: dict[str, tuple[int, Stats]] = {}
        self._busy: Callable[[], int] = lambda: 0

    def loops(self, *pulses: Pulse) -> None:
        """Add loops that must get round."""
        self.pulses += pulses

    def pool(self, name: str, size: int, stats: Stats) -> None:
        """Add a pool of connections: its name, how many it may hold, and psycopg_pool's figures."""
        self._pools[name] = (size, stats)

    def steps(self, busy: Callable[[], int]) -> None:
        """Say how many steps are under way here."""
        self._busy = busy

    async def text(self) -> bytes:
        """All figures, in Prometheus' text format, after a look at the servers."""
        self._seen = None if self.servers is None else await self.servers.look()
        return self.http.text()

    def collect(self) -> Iterable[Metric]:
        """Everything, as it is now."""
        yield self._one(
            "bp_process",
            "1, and what runs in this process.",
            ("version", "processes"),
            {(service_version(), ",".join(self._processes)): 1},
        )
        yield from self._loops()
        yield from self._connections()
        yield self._told()
        if self._seen is not None:
            yield from _servers(self._seen)
            yield from _waiting(self._seen)

    def _loops(self) -> Iterable[Metric]:
        yield self._one(
            "bp_loop_age_seconds",
            "Since a loop last got round.",
            ("loop",),
            {(pulse.name,): pulse.age_seconds for pulse in self.pulses},
        )
        yield self._one(
            "bp_loop_late",
            "1 when a loop should have got round by now.",
            ("loop",),
            {(pulse.name,): pulse.late for pulse in self.pulses},
        )
        rounds = CounterMetricFamily("bp_loop_rounds", "Rounds of a loop.", labels=("loop",))
        for pulse in self.pulses:
            rounds.add_metric((pulse.name,), pulse.rounds)
        yield rounds
        yield self._one(
            "bp_steps_running", "Steps under way in this process.", (), {(): self._busy()}
        )

    def _connections(self) -> Iterable[Metric]:
        connections = GaugeMetricFamily(
            "bp_pool_connections", "Connections to the database.", labels=("pool", "state")
        )
        waiting = GaugeMetricFamily(
            "bp_pool_waiting", "Callers that wait for a connection now.", labels=("pool",)
        )
        counters = {
            "requests_queued": CounterMetricFamily(
                "bp_pool_waits", "Callers that had to wait for a connection.", labels=("pool",)
            ),
            "requests_errors": CounterMetricFamily(
                "bp_pool_refused", "Callers that got no connection in time.", labels=("pool",)
            ),
            "connections_lost": CounterMetricFamily(
                "bp_pool_lost", "Connections that were found dead.", labels=("pool",)
            ),
        }
        seconds = CounterMetricFamily(
            "bp_pool_wait_seconds", "What callers waited for connections.", labels=("pool",)
        )
        for name, (size, stats) in self._pools.items():
            found = stats()
            idle = found.get("pool_available", 0)
            connections.add_metric((name, "at_most"), size)
            connections.add_metric((name, "idle"), idle)
            connections.add_metric((name, "in_use"), max(0, found.get("pool_size", 0) - idle))
            waiting.add_metric((name,), found.get("requests_waiting", 0))
            for key, counter in counters.items():
                counter.add_metric((name,), found.get(key, 0))
            seconds.add_metric((name,), found.get("requests_wait_ms", 0) / 1000)
        yield from (connections, waiting, *counters.values(), seconds)

    @staticmethod
    def _told() -> Metric:
        lines = CounterMetricFamily(
            "bp_log_lines", "Log lines of warning or worse, by event.", labels=("level", "event")
        )
        for (level, event), count in list(logs.told.items()):
            lines.add_metric((level, event), count)
        return lines

    @staticmethod
    def _one(
        name: str,
        says: str,
        labels: tuple[str, ...],
        values: Mapping[tuple[str, ...], float],
    ) -> GaugeMetricFamily:
        gauge = GaugeMetricFamily(name, says, labels=labels)
        for of, value in values.items():
            gauge.add_metric(of, float(value))
        return gauge


def _servers(seen: Seen) -> Iterable[Metric]:
    up = GaugeMetricFamily(
        "bp_dependency_up", "1 when a dependency does what it is there for.", labels=("dependency",)
    )
    for name, answers in (
        ("postgres", seen.standing is DatabaseStanding.READY),
        ("nats", seen.nats),
        ("jetstream", seen.jetstream),
        ("artifacts", seen.artifacts),
        ("conditional_writes", seen.conditional_writes),
    ):
        up.add_metric((name,), NOT_KNOWN if answers is None else float(answers))
    yield up
    standing = GaugeMetricFamily(
        "bp_database_standing", "1 for what the database is.", labels=("standing",)
    )
    for each in DatabaseStanding:
        standing.add_metric((each.value,), float(each is seen.standing))
    yield standing


def _waiting(seen: Seen) -> Iterable[Metric]:
    lag = GaugeMetricFamily(
        "bp_lag_events", "Committed events not yet published or applied.", labels=("where",)
    )
    lag.add_metric(("relay",), _number(seen.relay_lag_events))
    lag.add_metric(("projection",), _number(seen.projection_lag_events))
    yield lag
    tasks = GaugeMetricFamily("bp_queue_tasks", "Steps in the queue.", labels=("state",))
    for state in ("due", "postponed", "running"):
        tasks.add_metric((state,), _number(getattr(seen.queue, state, None)))
    yield tasks
    for name, of, says in SINGLE:
        gauge = GaugeMetricFamily(name, says)
        gauge.add_metric((), _number(getattr(seen.queue, of, None)))
        yield gauge


def _number(value: float | None) -> float:
    return NOT_KNOWN if value is None else float(value)
