"""The demo model makes a mistake if a brief asks for it, and mends it after the review, or not."""

import msgspec
import pytest

from domain import documents as d
from infrastructure.demo_model.author.application import write_files
from infrastructure.demo_model.author.mistakes import PLACE
from infrastructure.demo_model.reply import Call
from tests.demo_model.asking import answer, call, turn

WISH = "# Tools\n\n- I want to see all tools and add new ones.\n"
ASKS = {word: f"{WISH}\nThe demo model {word} a mistake.\n" for word in ("makes", "keeps")}


def spec_of(brief: str) -> dict:
    return call(answer("spec", brief=brief), "submit_spec")


def written(brief: str, **inputs) -> dict[str, str]:
    """All that the implementer writes, turn by turn, until it says that it is done."""
    spec = spec_of(brief)
    plan = call(answer("planner", brief=brief, spec=spec), "submit_plan")
    files: dict[str, str] = {}
    told: tuple = ()
    for _ in range(20):
        reply = answer("implementer", *told, spec=spec, plan=plan, **inputs)
        calls = [msgspec.json.decode(b.raw) | {"name": b.name} for b in reply.blocks if called(b)]
        files |= {f["path"]: f["content"] for one in calls for f in one.get("files", ())}
        if any(one["name"] == "task_done" for one in calls):
            return files
        told = (*told, *turn(reply))
    raise AssertionError("it never says that it is done")


def called(block) -> bool:
    return isinstance(block, Call)


def stands(files: dict[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "content": text} for path, text in files.items()]


def found(files: dict[str, str]) -> list[str]:
    report = call(answer("security_review", files=files), "submit_review")
    return [one["path"] for one in report["findings"] if one["severity"] == d.Severity.HIGH]


def mending(brief: str, files: dict[str, str]) -> dict[str, str]:
    findings = [{"path": PLACE}]
    return written(
        brief,
        previous_files=stands(files),
        reviews=[{"review": "security", "report": {"findings": findings}}],
        may_change=[PLACE],
    )


def test_without_being_asked_it_makes_none():
    files = written(WISH)
    assert files == write_files(msgspec.convert(spec_of(WISH), d.Spec))
    assert found(files) == []


@pytest.mark.parametrize("word", ASKS)
def test_the_mistake_is_promised_in_the_specification_and_found_by_the_review(word):
    assert "As the brief asks" in spec_of(ASKS[word])["summary"]
    assert found(written(ASKS[word])) == [PLACE]


def test_what_it_makes_it_mends_in_the_named_file_alone():
    files = written(ASKS["makes"])
    mended = mending(ASKS["makes"], files)
    assert set(mended) == {PLACE}
    assert found({**files, **mended}) == []


def test_what_it_keeps_it_writes_anew_and_it_is_found_again():
    files = written(ASKS["keeps"])
    again = mending(ASKS["keeps"], files)
    assert set(again) == {PLACE}
    assert again[PLACE] != files[PLACE]
    assert found({**files, **again}) == [PLACE]


def test_a_finding_about_code_that_is_right_gets_a_remark():
    files = written(WISH)
    again = mending(WISH, files)
    assert set(again) == {PLACE}
    assert again[PLACE].startswith(files[PLACE])
