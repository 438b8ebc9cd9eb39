"""The API document is kept: 2,000 requests made up from it, of two tenants, on real servers."""

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from infrastructure.embedded import Stack
from tests.fuzz.campaign import Campaign
from tests.fuzz.service import beside

CASES = 2_000


@pytest.fixture
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.mark.timeout(600)
def test_whatever_is_asked_the_answer_is_one_that_the_document_lists(
    stack: Stack, database: str, tmp_path: Path, logged: list[MutableMapping[str, Any]]
) -> None:
    with beside(database, stack.nats_url, tmp_path) as (service, run):
        campaign = Campaign(service, run)
        campaign.go(CASES, seeded=1)
    assert campaign.findings == {}
    assert [entry for entry in logged if entry["log_level"] == "error"] == []
    assert campaign.cases >= CASES * 0.8
    assert {status for _, status in campaign.answered} >= {200, 201, 202, 400, 404, 409}
