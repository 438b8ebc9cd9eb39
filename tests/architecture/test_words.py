"""No file speaks of the machine it was written on, or of somebody's package mirror."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.pages import PROJECT

# Put together here, so that this file does not hold what it looks for.
MACHINE = re.compile("|".join(re.escape(f"/{first}/") for first in ("wo" + "rk", "ro" + "ot")))
HOME = re.compile("/" + r"(?:home|Users)/(?!user\b|you\b)[a-z]")
INDEX = re.compile(
    "|".join(
        (
            "(?:extra-)?index" + r"-url\s*=",
            "--(?:extra-)?index" + "-url",
            "files[.]" + "pythonhosted[.]org",
            "/simple" + r"/(?:\s|$)",
            "registry[.]" + r"npmjs[.]org",
        )
    )
)
NOTES = re.compile(r"(?:#|--)\s*(?:TO" + "DO|FIX" + "ME|XX" + r"X)\b")

READ_AT_MOST = 2_000_000
BINARY = {".png", ".ico", ".woff2", ".zip", ".gz"}


def _files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [PROJECT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and path.suffix not in BINARY]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {
        path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8")[:READ_AT_MOST]
        for path in _files()
    }


@pytest.mark.parametrize(
    "pattern", [MACHINE, HOME, INDEX, NOTES], ids=["machine", "home", "index", "notes"]
)
def test_no_file_holds_what_belongs_to_one_machine(
    pattern: re.Pattern[str], texts: dict[str, str]
) -> None:
    found = {name: hit[0] for name, text in texts.items() if (hit := pattern.search(text))}
    assert found == {}


def test_locks_hold_hashes_and_no_address(texts: dict[str, str]) -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        pins = re.findall(r"^[a-z0-9][\w.-]*(?:\[[\w,]+\])?==", texts[name], re.MULTILINE)
        assert pins
        assert "://" not in texts[name]
        assert texts[name].count("--hash=sha256:") >= len(pins)
