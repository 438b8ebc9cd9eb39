"""Pages made of structures: always the same, and nothing in them is more than text."""

import re

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from application.agents import render
from application.agents.markdown import code, fenced, inline
from application.agents.render import (
    brief_markdown,
    plan_markdown,
    report_markdown,
    spec_markdown,
)
from domain import documents as d
from domain.status import Verdict
from tests.application.agents.attempt_context import PLAN, REPORT, SPEC, TEST_CODE, TESTS

HOSTILE = [
    "<script>alert(1)</script>", "![x](http://evil/y.png)", "[click](javascript:alert(1))",
    "# Heading", "- item", "1. item", "> quote", "```", "~~~", "| a | b |", "---", "===",
    "*bold*", "__bold__", "&lt;b&gt;", "a\n\n# Heading", "<!-- x -->", "`code`", "\\*", "a\u202eb",
    "[ref]: http://evil", "\x1b[31m", "<http://evil>", "+ item", "\\", "`` ` ``", "~~gone~~",
]  # fmt: skip
READER = MarkdownIt("commonmark").enable("table").enable("strikethrough")


def shown(markdown: str) -> list[str]:
    """Kinds of everything that a reader of Markdown would make of it."""
    return [
        token.type for block in READER.parse(markdown) for token in (block, *(block.children or ()))
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(text):
    assert set(shown(inline(text))) <= {
        "paragraph_open", "inline", "text", "text_special", "paragraph_close",
    }  # fmt: skip


@forall(st.text(max_size=60) | st.sampled_from(HOSTILE))
def test_any_text_is_one_paragraph_of_exactly_its_words(text):
    tokens = READER.parse(inline(text))
    words = "".join(child.content for token in tokens for child in token.children or ())
    assert set(shown(inline(text))) <= {
        "paragraph_open", "inline", "text", "text_special", "paragraph_close",
    }  # fmt: skip
    wanted = "".join(c for c in " ".join(text.split()) if c.isprintable())
    assert [c for c in words if c in wanted] == [c for c in wanted if c in words]
    assert len(words) == len(re.sub(r"\s+", " ", text).strip())


@forall(st.text(max_size=60))
def test_code_in_a_line_stays_code(text):
    kinds = set(shown(f"a {code(text)} b"))
    assert kinds <= {
        "paragraph_open", "inline", "text", "text_special", "code_inline", "paragraph_close",
    }  # fmt: skip


@forall(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\x00")))
def test_a_file_is_one_block_whatever_is_in_it(content):
    (block,) = READER.parse(fenced(content, "a.ts"))
    assert block.type == "fence"
    assert block.info == "ts"
    assert block.content == (content if content.endswith("\n") or not content else f"{content}\n")


def test_pages_are_always_the_same_and_hold_everything():
    assert spec_markdown(SPEC) == spec_markdown(SPEC)
    for ident in ("FR-1", "AC-1", "FR-2", "AC-2", "BF-1", "BF-2"):
        assert ident in spec_markdown(SPEC)
    for word in ("T-1", "T-2", "`src/requests.ts`", "`pg`", "FR-1, FR-2"):
        assert word in plan_markdown(PLAN)
    assert TEST_CODE in render.tests_markdown(TESTS)


def headings(markdown: str) -> int:
    return shown(markdown).count("heading_open")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_documents_keep_their_shape(text):
    brief = d.Brief("T", "G", ("u",), (d.Point("BF-1", "x"),), examples=(d.Example("a", "b", "c"),))
    evil = d.Brief(
        text, text, (text,), (d.Point("BF-1", text),), examples=(d.Example(text, text, text),)
    )
    assert headings(brief_markdown(evil)) == headings(brief_markdown(brief))
    spec = replace(SPEC, title=text, summary=text, bounds=(text,))
    assert headings(spec_markdown(spec)) == headings(spec_markdown(replace(SPEC, bounds=("x",))))
    plan = replace(PLAN, summary=text, packages=(text,))
    assert headings(plan_markdown(plan)) == headings(plan_markdown(PLAN))
    for page in (brief_markdown(evil), spec_markdown(spec), plan_markdown(plan)):
        kinds = set(shown(page))
        assert not kinds & {"html_block", "html_inline", "image", "link_open"}


def test_a_review_shows_verdict_reasons_and_evidence():
    finding = d.Finding(
        "Open", d.Severity.HIGH, d.Confidence.LOW, "a.ts", 3, "`x` ``` y", "Because.", "Close it.",
    )  # fmt: skip
    control = d.Control("V8", "Authorization", d.ControlState.NOT_MET, "a | b")
    report = replace(REPORT, findings=(finding,), controls=(control,), not_reviewed=("Hosting",))
    lost = replace(finding, title="Lost", placed=False, note="The nearest text is a.ts:3: x")
    report = replace(report, findings=(finding, lost), prose="I say <b>", raw=('{"a": 1}',))
    page = report_markdown("Code review", report, Verdict.FAIL, ("Because.",))
    for word in (
        "**FAIL**",
        "High: Open",
        "`a.ts`, line 3",
        "**not met**",
        "Hosting",
        "Findings whose quote stands in no file",
        "High: Lost",
        "The nearest text is a.ts:3: x",
        "I say <b>",
        '{"a": 1}',
    ):
        assert word in page
    assert shown(page).count("tr_open") == 2
