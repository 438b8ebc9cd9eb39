"""The long campaign: `python -m tests.fuzz [--cases 20000] [--seed N]`.

Starts PostgreSQL and NATS of its own in a folder that is gone afterwards. Ends with 1 when anything
was found, each kind with the first request that shows it.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import structlog

from infrastructure.embedded import Stack
from tests.fuzz.campaign import Campaign, chosen_seed
from tests.fuzz.service import beside


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="about how many requests")
    parser.add_argument("--seed", type=int, default=chosen_seed(), help="the same requests again")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    began, busy = time.monotonic(), time.process_time()
    with (
        tempfile.TemporaryDirectory() as name,
        Stack(Path(name) / "servers", durable=False) as stack,
        structlog.testing.capture_logs() as logged,
        beside(stack.dsn, stack.nats_url, Path(name) / "data") as (service, run),
    ):
        campaign = Campaign(service, run)
        campaign.go(asked.cases, asked.seed)
    errors = [entry for entry in logged if entry["log_level"] == "error"]
    print(f"{campaign.cases:,} requests: {campaign.told()}")
    print(f"{time.monotonic() - began:.0f} s, {time.process_time() - busy:.0f} s of this process")
    print(f"{campaign.asked_again} asked again after a 503 that did not come back")
    for (operation, kind), request in campaign.findings.items():
        print(f"\n-- {operation}: {kind}\n{request}")
    for entry in errors[:10]:
        print(f"\n-- logged: {entry}")
    print(f"{len(campaign.findings)} kinds of findings, {len(errors)} errors logged")
    return int(bool(campaign.findings or errors))


if __name__ == "__main__":
    sys.exit(main())
