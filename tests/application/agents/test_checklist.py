"""The checklist: real items by their own ids, each answered or named."""

from collections import Counter

import pytest

from application.agents.checklist import ASVS, CONTROLS, ids_in, short
from application.agents.prompting import prompt_text
from application.agents.render import report_markdown
from domain import documents as d
from domain.status import Verdict
from infrastructure.demo_model.author.reviews import write_review

LEFT_OUT = {"V9", "V10", "V17"}
"""Chapters on what the projects that are built here do not use."""


def test_forty_to_sixty_items_of_the_standard_stand_for_this_stack() -> None:
    assert ASVS.version == "5.0.0"
    assert 40 <= len(ASVS.items) <= 60
    ids = [one.id for one in ASVS.items]
    assert [one for one, count in Counter(ids).items() if count > 1] == []
    assert ids == sorted(ids, key=lambda one: [int(n) for n in one[1:].split(".")])
    chapters = {one.partition(".")[0] for one in ids}
    assert chapters == {f"V{n}" for n in range(1, 18)} - LEFT_OUT
    assert {one.level for one in ASVS.items} == {1, 2}
    assert all(one.text.startswith("Verify ") for one in ASVS.items)


def test_the_reviewer_reads_every_control_whole() -> None:
    words = prompt_text("security_review.md")
    for ident, text in CONTROLS.items():
        assert ident in words
        assert text in words


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("V1.2.4", {"V1.2.4"}),
        ("v1.2.4 Queries", {"V1.2.4"}),
        ("1.2.4", {"V1.2.4"}),
        ("v5.0.0-1.2.4", {"V1.2.4"}),
        ("ASVS 5.0.0 V1.2.4: queries", {"V1.2.4"}),
        ("ism-1240", {"ISM-1240"}),
        ("V1.2.4, V8.2.1 and ISM-1552", {"V1.2.4", "V8.2.1", "ISM-1552"}),
        ("V1", set()),
        ("V1.2", set()),
        ("version 10.1.2.3", set()),
        ("", set()),
    ],
)
def test_an_id_is_read_however_it_is_written(text: str, ids: set[str]) -> None:
    assert ids_in(text) & CONTROLS.keys() == ids


def test_a_review_that_was_recorded_with_chapters_is_shown_as_it_was() -> None:
    control = d.Control("V8", "Authorization", d.ControlState.NOT_MET, "src/a.ts asks nobody")
    page = report_markdown("Security review", d.Report("s", (), (control,)), Verdict.FAIL, ())
    assert "V8" in page
    assert "Authorization" in page


def test_the_demo_model_answers_every_control() -> None:
    files = {"files": {"src/routes.ts": "function validate() {}\n"}}
    report = write_review("security_review", files)
    assert [control.id for control in report.controls] == list(CONTROLS)


def test_a_control_fits_a_line() -> None:
    assert all(len(short(text)) <= 80 for text in CONTROLS.values())
