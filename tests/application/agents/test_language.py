"""The person's language: told for certain or not at all, and in the headings of every document."""

import re

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from msgspec.structs import replace

from application.agents import render
from application.agents.language import (
    EXAMPLES,
    HEADINGS,
    NAMES,
    asked_in,
    example_in,
    in_language,
    language_of,
)
from application.agents.render import brief_markdown, plan_markdown, spec_markdown
from domain import documents as d
from domain.reading import reading_of
from domain.status import Step
from tests.application.agents import attempt_context as s
from tests.application.agents.attempt_context import ScriptedContext, answer, call, done

BRIEFS = {
    "en": "We lend tools to our neighbours. Each tool has a name, and we must see who has it.",
    "de": "Wir verleihen Werkzeug an die Nachbarn. Jedes Werkzeug hat einen Namen, und wir "
    "müssen sehen, wer es hat.",
    "fr": "Nous prêtons des outils aux voisins. Chaque outil a un nom et nous devons voir qui "
    "l'a pour le moment.",
    "es": "Prestamos herramientas a los vecinos. Cada herramienta tiene un nombre y debemos ver "
    "quién la tiene, con su fecha.",
    "it": "Prestiamo gli attrezzi ai vicini. Ogni attrezzo ha un nome e noi possiamo vedere chi "
    "non lo ha reso.",
    "pt": "Nós emprestamos ferramentas aos vizinhos. Cada ferramenta tem um nome e podem ver "
    "quem não a devolveu.",
    "nl": "Wij lenen gereedschap uit aan de buren. Elk gereedschap heeft een naam en wij moeten "
    "zien wie het niet heeft teruggebracht.",
    "ja": "近所の人に道具を貸しています。道具には名前があり、誰が持っているかを見たいです。",
    "ko": "이웃에게 도구를 빌려줍니다. 누가 가지고 있는지 보고 싶습니다.",
}
BRIEF = d.Brief(
    "Tools",
    "Lend them.",
    ("Neighbours",),
    (d.Point("BF-1", "Lend a tool."), d.Point("BF-2", "Give it back.")),
    ("Fines",),
    ("Tools",),
    (d.Example("a tool", "lent", "it is gone"),),
    ("Fast",),
    ("One shed",),
)
PAGES = {
    "brief": brief_markdown(BRIEF),
    "spec": spec_markdown(s.SPEC),
    "plan": plan_markdown(s.PLAN),
    "tests": render.tests_markdown(s.TESTS),
}


@pytest.mark.parametrize("code", BRIEFS)
def test_a_brief_tells_its_language(code: str) -> None:
    assert language_of(BRIEFS[code]) == code
    assert f" in {NAMES[code]}, the language of the brief" in asked_in(BRIEFS[code])


@pytest.mark.parametrize(
    "text",
    ["", "Tools", "- BF-1 abc\n- BF-2 def", "Инструменты для соседей", "أدوات للجيران", "工具出租"],
)
def test_where_code_is_not_sure_it_says_the_language_of_the_brief(text: str) -> None:
    assert language_of(text) == ""
    assert " in the language of the brief;" in asked_in(text)


@forall(st.text(max_size=300))
def test_any_text_has_one_language_or_none(text: str) -> None:
    assert language_of(text) in {"", *NAMES}


def test_every_language_has_every_line() -> None:
    assert HEADINGS.keys() < NAMES.keys()
    english = next(iter(HEADINGS.values())).keys()
    for lines in HEADINGS.values():
        assert lines.keys() == english
        for was, now in lines.items():
            assert now.startswith("- ") is was.startswith("- ")
            assert now.count("|") == was.count("|")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", HEADINGS)
def test_every_heading_of_every_document_is_in_the_language(page: str, language: str) -> None:
    known = HEADINGS[language]
    before, after = PAGES[page], in_language(PAGES[page], language)
    sections = re.findall(r"^## (.+)$", before, re.MULTILINE)
    assert sections
    assert re.findall(r"^## (.+)$", after, re.MULTILINE) == [known[one] for one in sections]
    for label in re.findall(r"^- [A-Z][a-z ]+:", before, re.MULTILINE):
        if label in known:
            assert known[label] in after
    assert len(after.split("\n")) == len(before.split("\n"))
    assert in_language(before, "en") == in_language(before, "") == before


@pytest.mark.parametrize("language", HEADINGS)
def test_examples_and_criteria_are_told_in_the_language(language: str) -> None:
    for page in (brief_markdown(BRIEF, (), language), spec_markdown(s.SPEC, language)):
        assert EXAMPLES[language].partition("{")[0] in page
        assert EXAMPLES["en"].partition("{")[0] not in page
    assert example_in(language, "{when}", "a", "b").count("{when}") == 1


@pytest.mark.parametrize("language", HEADINGS)
def test_a_brief_in_any_language_gives_its_points_back(language: str) -> None:
    again = reading_of(in_language(PAGES["brief"], language))
    once = reading_of(PAGES["brief"])
    assert [(p.id, p.text) for p in again.points] == [(p.id, p.text) for p in once.points]
    told = reading_of(in_language(brief_markdown(BRIEF, (), language), language))
    assert [p.id for p in told.points] == [p.id for p in once.points]


@pytest.mark.parametrize("language", HEADINGS)
def test_what_people_and_agents_wrote_stays_as_it_is(language: str) -> None:
    brief = replace(BRIEF, title="My tools", constraints=("Who: me", "Files", "When: now"))
    page = in_language(brief_markdown(brief), language)
    for line in ("# My tools", "- **BF-8** Who: me", "- **BF-9** Files", "- **BF-10** When: now"):
        assert line in page.split("\n")
    code = "## Files\n- Who: x\n```\n## Goal\n"
    whole = replace(s.TESTS, files=(d.TestFile("tests/a.test.ts", code, ("FR-1",)),))
    assert code in in_language(render.tests_markdown(whole), language)


async def test_the_language_of_the_brief_goes_through_to_the_page() -> None:
    context = ScriptedContext(answer(call("submit_spec", s.SPEC)))
    points = reading_of(s.BEFORE_SPEC.brief).points
    german = "\n".join(f"- {point.id}: {BRIEFS['de']}" for point in points)
    command = await done(Step.SPEC, replace(s.BEFORE_SPEC, brief=german), context)
    task = context.requests[0].messages[0]["content"][-1]["text"]
    assert " in German, the language of the brief;" in task
    assert "## Was es tut" in command.markdown
