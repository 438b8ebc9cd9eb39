"""What goes wrong, as people see it: every time one clear message that says what to do.

The model does as the test says; the service is the real one, told where its provider is.
"""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from infrastructure.embedded import Stack
from tests.e2e.browser import Watched, chromium, person
from tests.e2e.scripted_model import ScriptedModel, scripted_model
from tests.e2e.service import up
from tests.e2e.web_walk import (
    BRIEF,
    FEATURE,
    PASSWORD,
    answered,
    approve,
    at_gate,
    say,
    sign_up,
    with_own_brief,
)
from tests.faults.service import database_url

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

KEY = "sk-ant-test-0123456789abcdefghijklmnop"
REJECTED = "sk-ant-rejected-0123456789abcdefghijk"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with scripted_model() as running:
        yield running


@pytest.fixture(scope="module")
def service(model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with provided(tmp_path_factory.mktemp("failures") / "data", model) as url:
        yield url


@pytest.fixture(autouse=True)
def nothing_left_over(model: ScriptedModel) -> Iterator[None]:
    yield
    model.forget()


@contextmanager
def provided(data: Path, model: ScriptedModel, **settings: str) -> Iterator[str]:
    """A service whose provider is this model; attempts follow each other at once."""
    wanted = {"BP_MODEL": "anthropic", "ANTHROPIC_BASE_URL": model.url}
    with up(data, **wanted, BP_RETRY_SECONDS="0,0,0", **settings) as url:
        yield url


@contextmanager
def with_key(browser: Browser, url: str) -> Iterator[Watched]:
    """Somebody new who has stored a key."""
    with person(browser, url) as who:
        sign_up(who)
        store_key(who.go("/app/settings"), KEY)
        yield who


def store_key(page: Page, key: str) -> None:
    page.get_by_label("Anthropic API key").fill(key)
    page.get_by_role("button", name=re.compile("^(Store|Replace) the key")).click()
    expect(page.get_by_text(f"A key ending in {key[-4:]} is stored")).to_be_visible()


def fill_in(page: Page, email: str, button: str) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name=button).click()


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.mark.parametrize(
    ("faults", "why", "what_to_do"),
    [
        (("refusal",), "declined to work on this", "Say in the brief what the software is for"),
        pytest.param(
            ("truncated_tool",) * 20,
            "cut off at its limit of length",
            "Make the feature smaller",
            marks=pytest.mark.campaign,
        ),
        pytest.param(
            ("wrong_ids",) * 20,
            "did not pass the checks",
            "revise the brief",
            marks=pytest.mark.campaign,
        ),
        pytest.param(
            ("529",) * 4,
            "overloaded",
            "It is not tried again by itself",
            marks=pytest.mark.campaign,
        ),
        (("401",), "API key", "Enter a valid API key in the settings"),
    ],
    ids=["refusal", "too long", "invalid", "overloaded", "rejected key"],
)
def test_a_step_that_fails_says_which_why_what_to_do_and_what_it_cost(
    browser: Browser,
    service: str,
    model: ScriptedModel,
    faults: tuple[str, ...],
    why: str,
    what_to_do: str,
) -> None:
    with with_key(browser, service) as ana:
        page = ana.page
        model.will("spec", *faults)
        with_own_brief(page, service)
        failure = page.get_by_test_id("failure")
        expect(failure).to_contain_text("stopped while writing the specification")
        expect(failure).to_contain_text(re.compile(re.escape(why), re.IGNORECASE))
        expect(failure).to_contain_text(what_to_do)
        expect(failure).to_contain_text(re.compile(r"has cost (< )?\$\d"))
        model.forget()
        if faults == ("401",):
            failure.get_by_role("link", name="To the settings").click()
            store_key(page, KEY[:-1] + "x")
            page.get_by_role("link", name="Back to where you were").click()
        failure.get_by_role("button", name="Try again").click()
        at_gate(page, "specification")


def test_a_refused_brief_is_changed_where_it_failed(
    browser: Browser, service: str, model: ScriptedModel
) -> None:
    with with_key(browser, service) as bea:
        page = bea.page
        model.will("spec", "refusal")
        with_own_brief(page, service)
        page.get_by_test_id("failure").get_by_role("link", name="Change it").click()
        page.get_by_role("button", name="Edit").click()
        text = page.get_by_label("Text of the brief, in Markdown")
        expect(text).to_have_value(BRIEF)
        text.fill(BRIEF + "\n- BF-3: It is for neighbours.\n")
        page.get_by_role("button", name="Confirm and begin the next round").click()
        at_gate(page, "specification")


def test_a_missing_key_leads_to_the_settings_and_back_and_loses_nothing(
    browser: Browser, service: str
) -> None:
    with person(browser, service) as cai:
        page = sign_up(cai)
        page.goto(f"{service}/app/features")
        say(page, "A list of tools.")
        expect(page.get_by_role("alert")).to_contain_text("An API key is needed first")
        expect(page.get_by_role("textbox", name="What would you like")).to_have_value(
            "A list of tools."
        )
        page.get_by_role("button", name="Write the brief myself").click()
        page.get_by_label("Text of the brief, in Markdown").fill(BRIEF)
        page.get_by_role("button", name="Confirm and start").click()
        alert = page.get_by_test_id("brief").get_by_role("alert")
        expect(alert).to_contain_text("An API key is needed first")
        alert.get_by_role("link", name="To the settings").click()
        page.get_by_label("Anthropic API key").fill(REJECTED)
        page.get_by_role("button", name="Store the key").click()
        expect(page.get_by_role("alert")).to_contain_text("does not accept this key")
        store_key(page, KEY)
        page.get_by_role("link", name="Back to where you were").click()
        expect(page.get_by_role("textbox", name="What would you like")).to_have_value(
            "A list of tools."
        )
        page.get_by_role("button", name="Confirm and start").click()
        at_gate(page, "specification")


def test_code_that_does_not_pass_its_review_is_shown_with_evidence_and_mended(
    browser: Browser, service: str, model: ScriptedModel
) -> None:
    with with_key(browser, service) as dan:
        page = dan.page
        # The second time, too: the round that mends it by itself brings nothing, and stops.
        model.will("security_review", "review_fail", "review_fail")
        with_own_brief(page, service)
        for gate in ("specification", "plan", "tests"):
            approve(page, gate)
        failure = page.get_by_test_id("failure")
        expect(failure).to_contain_text("did not pass its review")
        expect(failure.get_by_test_id("wrong")).to_contain_text("Scripted finding")
        expect(failure.get_by_test_id("stopped")).to_contain_text("left no fewer faults")
        expect(failure.get_by_test_id("ways-back")).to_contain_text("Go back to the plan")
        expect(page.locator("[data-testid=pipeline] .tone-good")).to_have_count(0)
        shown = page.get_by_test_id("document")
        expect(shown).to_contain_text("Scripted finding")
        expect(shown).to_contain_text(".env.example, line 1")
        failure.get_by_role("link", name=".env.example:1").click()
        expect(page.get_by_test_id("files")).to_be_visible()
        failure.get_by_role("button", name="Have it mended").click()
        expect(page.get_by_test_id("done")).to_be_visible()
        with page.expect_download() as downloading:
            page.get_by_role("button", name="Download the code").click()
        assert downloading.value.suggested_filename.endswith(".zip")


def test_an_analyst_that_cannot_answer_says_so_and_answers_the_next_time(
    browser: Browser, service: str, model: ScriptedModel
) -> None:
    with with_key(browser, service) as eva:
        page = eva.page
        page.goto(f"{service}/app/features")
        model.will("ba", "refusal")
        say(page, "A list of tools.")
        answered(page, 1)
        expect(page.get_by_test_id("messages")).to_contain_text("The answer did not come.")
        field = page.get_by_role("textbox", name="What would you like")
        field.fill("Tools that neighbours lend.")
        field.press("Enter")
        answered(page, 2)
        expect(page.locator("li[data-role=agent]").last).not_to_contain_text("did not come")


@pytest.mark.campaign  # A machine that stands still for seconds looks stuck, too.
def test_a_stuck_step_is_given_up_and_tried_again(
    browser: Browser, model: ScriptedModel, tmp_path: Path
) -> None:
    impatient = {"BP_STUCK_AFTER_SECONDS": "0.5", "BP_SWEEP_SECONDS": "0.2"}
    with (
        provided(tmp_path / "data", model, **impatient) as url,
        with_key(browser, url) as fay,
    ):
        page = fay.page
        model.will("spec", "stall")
        with_own_brief(page, url)
        failure = page.get_by_test_id("failure")
        expect(failure).to_contain_text("stopped while writing the specification")
        expect(failure).to_contain_text("Retry")
        failure.get_by_role("button", name="Try again").click()
        at_gate(page, "specification")


@pytest.mark.campaign
def test_a_service_that_stops_and_starts_in_the_middle_loses_and_repeats_nothing(
    browser: Browser, model: ScriptedModel, tmp_path: Path
) -> None:
    port = free_port()
    with ExitStack() as life:
        first = life.enter_context(ExitStack())
        url = first.enter_context(provided(tmp_path / "data", model, BP_PORT=port))
        gus = life.enter_context(with_key(browser, url))
        page = gus.page
        page.goto(f"{url}/app/features")
        say(page, "A rota for volunteers.")
        answered(page, 1)
        asked = len(model.asked("ba"))
        first.close()
        expect(page.get_by_test_id("lost")).to_contain_text("The connection is lost")
        page.get_by_role("textbox", name="What would you like").fill("Twelve people use it.")
        page.keyboard.press("Enter")
        expect(page.get_by_text("On its way")).to_be_visible()
        life.enter_context(provided(tmp_path / "data", model, BP_PORT=port))
        answered(page, 2)
        expect(page.get_by_test_id("lost")).to_be_empty()
        expect(page.locator("[data-testid=messages] li[data-role=user]")).to_have_count(2)
        assert len(model.asked("ba")) == asked + 1
        page.reload()
        answered(page, 2)
        gus.check()
        gus.context.close()


@pytest.mark.campaign  # It waits for the pauses of a start.
def test_a_database_that_is_away_is_told_in_words_and_waited_for(
    browser: Browser, model: ScriptedModel, own_stack: Stack, tmp_path: Path
) -> None:
    servers = {"BP_DATABASE_URL": database_url(own_stack.dsn), "BP_NATS_URL": own_stack.nats_url}
    with provided(tmp_path / "data", model, **servers) as url, with_key(browser, url) as hal:
        page = hal.page
        feature = with_own_brief(page, url)
        at_gate(page, "specification")
        hal.go("/app")
        expect(page.get_by_test_id("features")).to_be_visible()
        own_stack.kill_postgres()
        page.get_by_label("Search titles").fill("tools")
        expect(page.get_by_role("alert")).to_contain_text("Nothing was half done: try again")
        page.get_by_test_id("features").get_by_role("link").first.click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing was half done: try again")
        own_stack.restart_postgres()
        at_gate(page, "specification")
        expect(page.get_by_role("alert")).to_have_count(0)
        assert feature in page.url


def test_a_session_that_ends_while_somebody_types_loses_nothing_typed(
    browser: Browser, service: str
) -> None:
    with person(browser, service) as ida:
        page = ida.go("/signup?next=/app/features")
        fill_in(page, "ida@example.com", "Make an account")
        typed = page.get_by_role("textbox", name="What would you like")
        typed.fill("A half written")
        page.get_by_role("button", name="Write the brief myself").click()
        page.get_by_label("Text of the brief, in Markdown").fill("# Half a brief")
        # Every request from now on: as when the session was ended on another device.
        ida.context.clear_cookies()
        page.route(
            "**/api/features",
            lambda route: route.continue_(
                headers={**route.request.headers, "authorization": "Bearer old"}
            ),
        )
        page.get_by_role("button", name="Confirm and start").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.unroute("**/api/features")
        expect(page.get_by_text("Your session has ended")).to_be_visible()
        fill_in(page, "ida@example.com", "Sign in")
        expect(typed).to_have_value("A half written")
        brief = page.get_by_test_id("brief")
        expect(brief.get_by_role("heading", name="Half a brief")).to_be_visible()


def test_what_comes_too_often_goes_on_by_itself_or_says_when_and_keeps_what_was_typed(
    browser: Browser, service: str
) -> None:
    refusals = ["1", "1", "120"]

    def refuse(route: Route) -> None:
        if route.request.method != "POST" or not refusals:
            route.continue_()
            return
        seconds = refusals.pop(0)
        problem = {
            "type": "/problems/too_many_requests",
            "title": "Too many requests",
            "status": 429,
            "detail": "That was too often.",
            "code": "too_many_requests",
            "retry_after_seconds": int(seconds),
        }
        headers = {"Retry-After": seconds, "Content-Type": "application/problem+json"}
        route.fulfill(status=429, headers=headers, body=json.dumps(problem))

    with with_key(browser, service) as lea:
        page = lea.go("/app/features")
        page.route("**/api/features", refuse)
        typed = page.get_by_role("textbox", name="What would you like")
        typed.fill("A tool library")
        page.get_by_role("button", name="Send").click()
        expect(page.locator("[role=status]", has_text="goes on by itself")).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("Try again in 2 min")
        expect(typed).to_have_value("A tool library")
        page.get_by_role("button", name="Send").click()
        answered(page, 1)
        assert refusals == []


def test_an_address_leads_somewhere_whoever_opens_it(browser: Browser, service: str) -> None:
    with person(browser, service) as jon:
        page = jon.go("/app/audit?problems=true")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.get_by_role("link", name="I have no account yet").click()
        expect(page.get_by_role("heading", name="Make an account")).to_be_visible()
        fill_in(page, "jon@example.com", "Make an account")
        expect(page.get_by_role("heading", name="Audit")).to_be_visible()
        expect(page.get_by_label("Only what went wrong")).to_be_checked()
        for path in (
            "/app/features/00000000-0000-7000-8000-000000000000",
            "/app/features/not-an-id",
            "/app/features?id=00000000-0000-7000-8000-000000000000",
        ):
            jon.go(path)
            expect(page.get_by_role("heading", name="There is no such feature")).to_be_visible()
            expect(page.get_by_role("link", name="To the features")).to_be_visible()
        for path in ("/nowhere", "/app/nowhere"):
            jon.go(path)
            expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_a_feature_that_is_deleted_in_another_tab_says_so(browser: Browser, service: str) -> None:
    with with_key(browser, service) as kim:
        page = kim.page
        feature = with_own_brief(page, service)
        at_gate(page, "specification")
        other = kim.tab()
        other.goto(f"{service}/app/features?id={feature}")
        expect(other.get_by_role("heading", name="Revise the brief")).to_be_visible()
        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Delete for ever").click()
        expect(page.get_by_test_id("empty")).to_be_visible()
        expect(other.get_by_role("heading", name="There is no such feature")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("heading", name="There is no such feature")).to_be_visible()
        assert FEATURE.search(page.url)
