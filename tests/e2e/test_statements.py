"""How often one whole feature makes the database write to its disk, and what one look at it asks.

The server's own log is counted: each statement, by the role that sent it, with the transaction it
wrote in, if any. Figures are for one feature of the demo model, from creating it to its zip. Less
is always welcome. **More needs a reason, written beside the number here**: it is paid for every
feature of everybody, and a COMMIT that writes waits for the disk.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import psycopg
import pytest

from interface.cli.client import ServiceClient
from interface.cli.demo import run_demo
from tests.e2e.service import PROJECT, up

pytestmark = pytest.mark.servers

BRIEF = (PROJECT / "examples" / "tool-library.md").read_text()
ROLES = {"bp_api", "bp_worker", "bp_projector"}
"""Who writes because something happened. The relay and the sweeper go by the clock."""

KINDS = {
    "append": r"^select a\.item, a\.outcome",
    "announce a call": r"app\.announce_calls\(",
    "settle a call": r"app\.settle_calls\(",
    "open an account": r"app\.(open_account|session_start|know_network)\(",
    "project a page": r"^select app\.project\(",
}
BY_TIME = re.compile(r"^select (held|steady|k\.steady)\b")
"""Heartbeats and claims, which keep the database's clock as well: written because time passed."""

AT_MOST = {
    # 29 events: 11 attempts are announced, 11 results recorded, and a person does six things: the
    # first message makes the feature as well.
    "append": 28,
    # 14 requests: some steps ask twice.
    "announce a call": 14,
    "settle a call": 14,
    "open an account": 3,
    # A page for each append, when no two share one; rows are kept in memory.
    "project a page": 28,
}
"""Statements in transactions that wrote. An append that another one was faster than, and that is
tried again, is left out: how many there are depends on how busy the machine is."""

COMMITS_AT_MOST = 28 + 14 + 14 + 3 + 28
"""Transactions that wrote: 87, of which the read models' are one for each append, or fewer."""

LOOK = {"row": 1, "forks": 1, "log": 1}
"""One GET of a feature: the log is asked for the recommendation's words."""

LOOKS = {
    "row": r"app\.(view_row|standing)\(",
    "begin": r"^begin; select set_config\('bp\.tenant', '[0-9a-f]",
    "forks": r"app\.fork_page\(",
    "log": r" from es\.|es\.read|type, schema_version, payload",
}

LINE = re.compile(
    r"^(?P<role>\S+)\|(?P<transaction>\d+)\|LOG:  duration: \S+ ms  "
    r"(?:statement|execute [^:\n]*): (?P<text>.*(?:\n\s.*)*)",
    re.MULTILINE,
)


class Statement(NamedTuple):
    """One statement as the server carried it out."""

    role: str
    transaction: int
    """0 as long as it has written nothing."""
    text: str

    def among(self, kinds: dict[str, str]) -> str | None:
        return next((kind for kind, like in kinds.items() if re.search(like, self.text)), None)


class Statements:
    """What a service's own PostgreSQL was asked."""

    def __init__(self, data: Path, connection: psycopg.Connection) -> None:
        self._log = data / "postgres.log"
        self._connection = connection

    @contextmanager
    def statements(self) -> Iterator[list[Statement]]:
        """Those of the block, filled in at its end."""
        found: list[Statement] = []
        began = self._log.stat().st_size
        yield found
        with self._log.open("rb") as log:
            log.seek(began)
            said = log.read().decode()
        found.extend(
            Statement(
                each["role"], int(each["transaction"]), " ".join(each["text"].lower().split())
            )
            for each in LINE.finditer(said)
        )

    def appended(self) -> set[int]:
        """The transactions that stored events."""
        rows = self._connection.execute("SELECT DISTINCT xmin::text::bigint FROM es.events")
        return {transaction for (transaction,) in rows}

    def listen(self) -> None:
        """Log every statement of every session from now on."""
        for name, value in {
            "log_min_duration_statement": "0",
            "log_line_prefix": "%a|%x|",
            "autovacuum": "off",
        }.items():
            self._connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self._connection.execute("SELECT pg_reload_conf()")
        while "|LOG:  duration: " not in self._log.read_text():
            self._connection.execute("SELECT 1")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("statements") / "data"


@pytest.fixture(scope="module")
def service(data: Path) -> Iterator[str]:
    with up(data) as url:
        yield url


@pytest.fixture
def statements(service: str, data: Path) -> Iterator[Statements]:
    (pid,) = data.rglob("postmaster.pid")
    socket = pid.read_text().splitlines()[4]
    with psycopg.connect(
        host=socket, port=5432, user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        listening = Statements(data, connection)
        listening.listen()
        yield listening


@pytest.mark.timeout(300)
async def test_a_feature_and_a_look_at_it_cost_no_more_than_today(
    service: str, statements: Statements, tmp_path: Path
) -> None:
    async with ServiceClient(service) as client:
        lines: list[str] = []
        with statements.statements() as found:
            await run_demo(client, BRIEF, tmp_path, lines.append)
        feature = UUID(lines[0].removeprefix("feature "))
        with statements.statements() as looked:
            await client.call("GET", f"/api/features/{feature}")

    wrote = [one for one in found if one.role in ROLES and one.transaction]
    wrote = [one for one in wrote if not BY_TIME.search(one.text)]
    stored = statements.appended()
    wrote = [one for one in wrote if one.among(KINDS) != "append" or one.transaction in stored]
    counted = Counter(one.among(KINDS) or one.text for one in wrote)
    more = {kind: n for kind, n in counted.items() if n > AT_MOST.get(kind, 0)}
    assert not more, f"{more} is more than {AT_MOST}"
    assert counted.keys() == AT_MOST.keys(), "what is not asked any more leaves the table"
    assert len({one.transaction for one in wrote}) <= COMMITS_AT_MOST

    asked = Counter(one.among(LOOKS) for one in looked if one.role == "bp_api")
    del asked[None]
    assert asked == LOOK
