"""The web app knows the lifecycle from the domain, not from memory."""

import re

import pytest

from domain.lifecycle import ACTIONS, LIFECYCLE
from domain.status import Agent, Gate, Stage, Status, Step
from interface.cli.generate.lifecycle_page import tag_of
from interface.cli.generate.web_lifecycle import FILE, web_lifecycle
from tests.architecture.pages import PROJECT

SOURCE = PROJECT / "interface" / "web" / "src"
TEXTS = SOURCE / "lib" / "i18n"


def test_the_web_apps_lifecycle_is_what_the_domain_gives() -> None:
    assert FILE.read_text(encoding="utf-8") == web_lifecycle(), "run ./bp openapi"


def test_the_lifecycle_names_every_status_step_and_action() -> None:
    text = web_lifecycle()
    for name in (*Status, *Step, *Agent, *Gate, *ACTIONS):
        assert f'"{name}"' in text


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("Status", set(Status)),
        ("Stage", set(Stage)),
        ("Gate", set(Gate)),
        ("Agent", set(Agent)),
        ("Step", set(Step)),
        ("EventType", {tag_of(event) for event in LIFECYCLE}),
    ],
)
def test_the_web_app_has_words_for_everything_of_the_lifecycle(keys: str, words: set[str]) -> None:
    """The check of types says so too, but that takes a Node."""
    text = (TEXTS / "en.ts").read_text(encoding="utf-8")
    tables = re.findall(rf"\{{([^{{}}]*)\}} satisfies Record<{keys}, string>", text)
    assert tables
    for table in tables:
        assert set(re.findall(r"^\s*(\w+): ", table, re.MULTILINE)) == words


def test_the_web_app_compares_no_status_by_hand() -> None:
    """What stands where is asked of the table; texts for people are keyed by checked types."""
    words = "|".join(status for status in Status if "_" in status)
    by_hand = re.compile(rf"""['"`]({words})['"`]""")
    for file in SOURCE.rglob("*"):
        if file.suffix not in (".ts", ".svelte") or file == FILE or "generated" in file.parts:
            continue
        if file.is_relative_to(TEXTS):
            continue
        assert not by_hand.search(file.read_text(encoding="utf-8")), file.name
