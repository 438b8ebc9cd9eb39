"""The benchmark of the pipeline still runs: a second of it, whatever the figures."""

from pathlib import Path

import pytest

from infrastructure.embedded import Stack
from infrastructure.postgres.migrations import migrate
from tests.bench import pipeline


@pytest.mark.parametrize("hand_over", [True, False], ids=["handed over", "claimed"])
async def test_features_are_carried_from_the_brief_to_the_verdict(
    own_stack: Stack, tmp_path: Path, *, hand_over: bool
) -> None:
    migrate(own_stack.dsn)
    figures = await pipeline.run(own_stack, tmp_path, at_once=2, seconds=0.2, hand_over=hand_over)
    assert figures["features"] >= 2
    measured = {"commit_to_handler", "projection_lag", "approve_ack", "list_50", "read_own_write"}
    assert all(figures[name]["n"] > 0 for name in measured)
