"""`up` that is told to stop: it finishes what is under way, and is there until it has."""

import signal
import time
from pathlib import Path

import httpx2

from tests.interface.test_command_line import PATIENCE, feature_of, up


def test_up_takes_connections_until_its_steps_are_over_and_ends_at_once_in_a_hurry(
    tmp_path: Path,
) -> None:
    slow = {"BP_DEMO_PACE_SECONDS": "1", "BP_DRAIN_SECONDS": "3600", "BP_LOG_FORMAT": "json"}
    with up(tmp_path, **slow) as running, httpx2.Client(trust_env=False, timeout=30) as http:
        feature_of(running.url, "spec_generating", working=True)
        running.process.send_signal(signal.SIGTERM)
        ends = time.monotonic() + PATIENCE
        while '"draining"' not in running.log.read_text():
            assert time.monotonic() < ends
            assert http.get(f"{running.url}/health").status_code == 200
        for _ in range(5):
            assert http.get(f"{running.url}/health").status_code == 200
        answer = http.get(f"{running.url}/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "stopping")
        assert running.process.poll() is None
        assert running.stop(signal.SIGTERM) == 0
        said = running.log.read_text()
        assert '"handed_back": 1' in said
        assert "Traceback" not in said
