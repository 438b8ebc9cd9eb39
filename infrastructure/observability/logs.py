"""Where log lines go and what they look like: one record, one line, no secret in it.

Invariant: every line of every library passes the redactor last. What a redactor cannot see stands
in `infrastructure/observability/redaction.py`. Tracebacks show source lines, never the values of
variables.
"""

import json
import logging
import sys
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.dev import ConsoleRenderer
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor, WrappedLogger

from domain.characters import visible
from infrastructure.observability.redaction import Redactor

QUIET: Final = (
    "aiobotocore",
    "anthropic",
    "asyncio",
    "boto3",
    "botocore",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "nats",
    "urllib3",
    "uvicorn.access",
)
"""Libraries that log prompts, keys or every request below WARNING."""

SILENT: Final = ("psycopg.pool",)
"""Libraries that repeat at WARNING, several times a second, what we say once."""

OURS: Final = ("application", "infrastructure", "interface", "projections", "bp")
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
COUNTED: Final = frozenset({"warning", "error", "critical"})
KINDS_AT_MOST: Final = 200
"""Different events that are counted apart. Ours are words of the program; a library may make up
others without end, and those count as one."""

told: Final[Counter[tuple[str, str]]] = Counter()
"""Lines of this process since it started that say of something wrong, by level and event."""

_TRACEBACK_MARGIN: Final = "\n  | "


def configure(
    *,
    json_lines: bool,
    level: str = "INFO",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send all logging of this process to one stream (standard error), as JSON or for a terminal.

    Args:
        json_lines: One JSON object a line; otherwise columns for people.
        level: One of `LEVELS`; some libraries stay at WARNING whatever it says.
        secrets: Values to be taken out wherever they turn up, such as passwords of settings.
        stream: Where to write.
    """
    redactor = Redactor(secrets)
    arriving: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _count,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = ProcessorFormatter(
        foreign_pre_chain=[_fill_in_arguments, *arriving],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            _Last(redactor, json_lines=json_lines),
        ],
        use_get_message=False,
        pass_foreign_args=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    _install(handler, level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *arriving,
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _install(handler: logging.Handler, level: str) -> None:
    """Make this the only handler of the process, also for what uvicorn configured for itself."""
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)
    # Otherwise a line that cannot be written is printed with its arguments, past the redactor.
    logging.raiseExceptions = False
    sys.excepthook = _log_uncaught


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Let what ends the process pass the redactor, too."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logging.getLogger("bp").critical("uncaught", exc_info=(kind, error, traceback))


def _count(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Count what went wrong, under a name that holds nothing of anybody's."""
    level, name = str(event.get("level", "")), str(event.get("event", ""))
    if level in COUNTED:
        kind = (level, name if str(event.get("logger", "")).startswith(OURS) else "of a library")
        told[kind if kind in told or len(told) < KINDS_AT_MOST else (level, "other")] += 1
    return event


def _fill_in_arguments(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put a library's arguments into its message; a call with wrong ones is still a line."""
    arguments = event.pop("positional_args", ())
    if arguments:
        try:
            event["event"] = event["event"] % arguments
        except (TypeError, ValueError, KeyError):
            event["arguments"] = arguments
    return event


class _Last:
    """The last processor: redacts values, renders the line, redacts the line."""

    def __init__(self, redactor: Redactor, *, json_lines: bool) -> None:
        self._redactor = redactor
        self._render = _json_line if json_lines else _console_line

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> str:
        return self._redactor.shapes(self._render(self._redactor.value(event)))


def _json_line(event: dict[str, Any]) -> str:
    # ASCII only: JSON escapes newlines, and so the other separators and half characters, too.
    return json.dumps(event, ensure_ascii=True)


_columns = ConsoleRenderer(colors=False, pad_event_to=0, pad_level=False)


def _console_line(event: dict[str, Any]) -> str:
    tracebacks = [
        lines for name in ("stack", "exception") if isinstance(lines := event.pop(name, None), str)
    ]
    shown = {visible(name): _without_controls(value) for name, value in event.items()}
    line = _columns(None, "", shown)
    # Each line of a traceback stands behind a margin, so that none can pose as a record.
    behind_margin = (_TRACEBACK_MARGIN + visible(row) for t in tracebacks for row in t.split("\n"))
    return str(line) + "".join(behind_margin)


def _without_controls(value: object) -> object:
    match value:
        case str():
            return visible(value)
        case dict():
            return {visible(name): _without_controls(item) for name, item in value.items()}
        case list():
            return [_without_controls(item) for item in value]
        case _:
            return value
