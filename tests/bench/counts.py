"""What a feature asks of database and disk while others are under way: statements, commits, syncs.

`python -m tests.bench.counts [--at-once 16] [--seconds 10]` runs the workload of
`tests.bench.pipeline`, lets PostgreSQL log every statement, and prints for each kind how often it
was sent for a feature, beside the syncs of files and folders by this process. Nobody lists features
beside, and users do not look for themselves while they wait: what is left by the clock are the
polls of idle loops. Counts differ little from one machine to the next; only how many calls share a
transaction depends on its speed.
"""

import argparse
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from infrastructure.embedded import Stack
from infrastructure.observability import logs
from infrastructure.postgres.migrations import migrate
from interface import event_loop
from tests.bench import pipeline

LINE: Final = re.compile(
    r"^(?P<role>\S*)\|LOG:  duration: \S+ ms  (?:statement|execute [^:\n]*): (?P<text>[^\n]*)",
    re.MULTILINE,
)
CALLED: Final = re.compile(r"\b(?:from|select|join lateral|lateral|join|\)) ?((?:app|es)\.\w+)\(")
TOUCHED: Final = re.compile(r"\b(?:from|into|update) ((?:app|es)\.\w+)")
SETTINGS: Final = {"log_min_duration_statement": "0", "log_line_prefix": "%a|"}


def kind_of(text: str) -> str:
    """A statement's kind: its verb, and the function or table of ours that it is about."""
    plain = " ".join(text.lower().split())
    verb = plain.split(" ", 1)[0].rstrip(";")
    calls = [each for each in CALLED.finditer(plain) if each[1] != "app.keep_time"]
    about = (calls or [CALLED.search(plain)])[-1] or TOUCHED.search(plain)
    return f"{verb} {about[1]}" if about else verb if verb != "select" else plain[:60]


class Counted:
    """What was counted during a block."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self.statements: Counter[str] = Counter()
        self.syncs = 0

    @contextmanager
    def during(self) -> Iterator[None]:
        """Count statements of the service's roles, and syncs of this process."""
        began, fsync, fdatasync = self._log.stat().st_size, os.fsync, os.fdatasync

        def counted(sync: Any) -> Any:
            def synced(descriptor: int) -> None:
                self.syncs += 1
                sync(descriptor)

            return synced

        os.fsync, os.fdatasync = counted(fsync), counted(fdatasync)
        try:
            yield
        finally:
            os.fsync, os.fdatasync = fsync, fdatasync
        with self._log.open("rb") as log:
            log.seek(began)
            said = log.read().decode()
        for found in LINE.finditer(said.replace("\n\t", " ")):
            if found["role"].startswith("bp_"):
                self.statements[f"{found['role'][3:]:<10} {kind_of(found['text'])}"] += 1


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--at-once", type=int, default=16)
    arguments.add_argument("--seconds", type=float, default=10.0)
    arguments.add_argument("--claim-all", action="store_true", help="hand no step over")
    given = arguments.parse_args()
    logs.configure(json_lines=False, level="WARNING")
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack:
        migrate(stack.dsn)
        with psycopg.connect(stack.dsn, autocommit=True) as connection:
            for name, value in SETTINGS.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.execute("SELECT pg_reload_conf()")
        (log,) = Path(folder).rglob("postgres.log")
        counted = Counted(log)
        run = pipeline.run(
            stack,
            Path(folder),
            given.at_once,
            given.seconds,
            measured=counted.during,
            hand_over=not given.claim_all,
            by_the_clock=False,
        )
        figures = event_loop.run(run)
    features = max(1, figures["features"])
    for kind, count in counted.statements.most_common():
        print(f"{count / features:6.2f}  {kind}")
    print(f"{counted.statements.total() / features:6.2f}  statements a feature")
    print(f"{counted.syncs / features:6.2f}  syncs of files and folders a feature")
    for name in ("features", "python_cpu_ms_per_feature", "postgres_cpu_ms_per_feature"):
        print(f"{figures[name]:6}  {name}")


if __name__ == "__main__":
    main()
