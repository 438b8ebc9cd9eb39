"""Features under random faults: `pytest -m campaign`, or longer, `python -m tests.faults.chaos`.

Random, so no part of the default run, whose short form are the single faults beside this file.
"""

import secrets
from pathlib import Path

import pytest

from tests.faults.chaos import campaign, deploys, set_backs
from tests.faults.service import EVERYTHING, Service

PROCESSES = EVERYTHING


@pytest.mark.campaign
async def test_ten_features_get_done_whatever_dies(service: Service) -> None:
    await campaign(service, seed=secrets.randbelow(1_000_000), features=10, faults=10)


@pytest.mark.campaign
@pytest.mark.timeout(600)
async def test_five_features_get_done_through_three_deploys_that_cost_nobody_anything(
    service: Service,
) -> None:
    await deploys(service, seed=secrets.randbelow(1_000_000), features=5, times=3)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
async def test_a_hundred_features_get_done_whatever_dies(service: Service) -> None:
    await campaign(service, seed=secrets.randbelow(1_000_000), features=100, faults=150)


@pytest.mark.campaign
@pytest.mark.timeout(900)
async def test_features_get_done_although_the_log_is_set_back(
    service: Service, tmp_path: Path
) -> None:
    await set_backs(service, tmp_path, seed=secrets.randbelow(1_000_000), features=4, times=4)
