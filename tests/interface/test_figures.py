"""What a process tells an operator: figures that are documented, bounded, and honest about gaps."""

import structlog
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from application.running.pulse import Pulse
from infrastructure.observability import logs
from infrastructure.postgres.operating import Queue
from infrastructure.postgres.standing import DatabaseStanding
from interface.figures import Figures
from interface.health import Seen, report
from interface.operator import operator_app, waiting_app
from tests.architecture.pages import text

WELL = Seen(
    standing=DatabaseStanding.READY,
    nats=True,
    jetstream=True,
    artifacts=True,
    conditional_writes=True,
    announced=40,
    queue=Queue(42, 3, 1.5, 4, 5, 6, 7.5, 8, 9, 10, 11, 12.5),
)
AWAY = replace(
    WELL,
    standing=DatabaseStanding.READ_ONLY,
    jetstream=False,
    conditional_writes=False,
    announced=None,
    queue=None,
)


class Looking:
    """Servers as they are said to be."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    async def look(self) -> Seen:
        return self._seen


async def _figures(seen: Seen) -> tuple[str, dict[tuple[str, ...], float]]:
    figures = Figures(("worker",))
    figures.servers = Looking(seen)  # type: ignore[assignment]  # All that is asked of them.
    figures.loops(Pulse("worker", within_seconds=15))
    figures.pool("worker", 6, lambda: {"pool_size": 3, "pool_available": 1, "requests_waiting": 2})
    told = (await figures.text()).decode()
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }
    return told, values


async def test_what_waits_is_told_and_what_is_not_known_is_no_number() -> None:
    _, well = await _figures(WELL)
    assert well["bp_lag_events", "relay"] == 2
    assert well["bp_lag_events", "projection"] == 3
    assert well["bp_queue_tasks", "due"] == 4
    assert well["bp_queue_oldest_seconds",] == 7.5
    assert well["bp_dead_letters",] == 9
    assert well["bp_pool_connections", "worker", "in_use"] == 2
    assert well["bp_pool_waiting", "worker"] == 2
    assert well["bp_database_standing", "ready"] == 1
    _, away = await _figures(AWAY)
    for name in (("bp_lag_events", "relay"), ("bp_dead_letters",), ("bp_queue_tasks", "due")):
        assert away[name] != away[name], "not a number"
    assert away["bp_dependency_up", "postgres"] == 0
    assert away["bp_dependency_up", "conditional_writes"] == 0
    assert away["bp_database_standing", "read_only"] == 1


async def test_every_figure_is_in_the_documents() -> None:
    told, _ = await _figures(WELL)
    page = text("docs/operations.md")
    # Prometheus tells of its own when a histogram was made.
    names = {
        family.name.removesuffix("_created") for family in text_string_to_metric_families(told)
    }
    ours = {name for name in names if name.startswith("bp_")}
    assert len(ours) > 20
    assert {name for name in ours if f"`{name}" not in page} == set()


def test_what_went_wrong_is_counted_by_words_of_the_program_only() -> None:
    log = structlog.get_logger("application.execution.worker")
    before = logs.told.copy()
    logs._count(log, "", {"level": "warning", "event": "x", "logger": "application.x"})  # noqa: SLF001
    logs._count(log, "", {"level": "error", "event": "ann@example.com", "logger": "nats"})  # noqa: SLF001
    logs._count(log, "", {"level": "info", "event": "fine", "logger": "application.x"})  # noqa: SLF001
    assert logs.told - before == {("warning", "x"): 1, ("error", "of a library"): 1}
    for number in range(logs.KINDS_AT_MOST + 10):
        event = {"level": "warning", "event": f"made up {number}", "logger": "application.x"}
        logs._count(log, "", event)  # noqa: SLF001
    assert len(logs.told) <= logs.KINDS_AT_MOST + 3
    logs.told.clear()
    logs.told.update(before)


def test_a_loop_that_stands_still_is_told_apart_from_one_that_is_idle() -> None:
    now = [0.0]
    idle, stuck = (Pulse(name, within_seconds=15, clock=lambda: now[0]) for name in ("a", "b"))
    for _ in range(4):
        now[0] += 5
        idle.beat()
    told = report(WELL, DatabaseStanding.READY, [idle, stuck])
    assert told["status"] == "degraded"
    assert told["loops"] == {"a": {"ok": True, "seconds": 0}, "b": {"ok": False, "seconds": 20}}
    assert report(WELL, DatabaseStanding.READY, [idle])["status"] == "ready"
    assert report(AWAY, DatabaseStanding.READ_ONLY, [idle])["status"] == "unavailable"
    assert report(None, DatabaseStanding.UNREACHABLE, [])["status"] == "starting"


async def test_the_operators_address_answers_three_questions_and_no_other() -> None:
    async def ready() -> dict[str, object]:
        return {"status": "unavailable"}

    async def figures() -> bytes:
        return b"figures"

    app = operator_app("1", ready, figures)
    assert await _ask(app, "/health") == (200, b'{"status": "ok", "version": "1"}')
    assert (await _ask(app, "/health/ready"))[0] == 503
    assert await _ask(app, "/metrics") == (200, b"figures")
    assert (await _ask(app, "/api/features"))[0] == 404
    waits = waiting_app("1", lambda: {"status": "starting"})
    assert (await _ask(waits, "/health"))[0] == 200
    assert (await _ask(waits, "/health/ready"))[0] == 503
    assert (await _ask(waits, "/metrics"))[0] == 503


async def _ask(app: object, path: str) -> tuple[int, bytes]:
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": "GET"}
    await app(scope, None, send)  # type: ignore[operator]
    return sent[0]["status"], sent[1]["body"]  # type: ignore[return-value]
