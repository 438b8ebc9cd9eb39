"""Features over HTTP: commands, reads, preconditions and refusals."""

import asyncio
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.delivery.download import Download
from application.delivery.names import file_name
from domain.events import ImplementationCompleted
from domain.status import Step, Verdict
from infrastructure.delivery.archive import ZipArchive
from projections.store import Standing
from tests import given
from tests.delivered import unzipped
from tests.interface.world import SOURCE, Person, World, settled, types_of


async def test_a_new_feature_is_drafting_and_can_be_read_at_once(ann: Person) -> None:
    made = await ann.ask("POST", "/api/features", json={"title": "Tool library"})
    assert made.status_code == 201
    assert made.headers["etag"] == '"1"'
    assert made.headers["location"] == f"/api/features/{made.json()['id']}"
    read = await ann.ask("GET", made.headers["location"] + "?min_version=1")
    body = read.json()
    assert (body["title"], body["status"], body["version"]) == ("Tool library", "drafting", 1)
    assert body["actions"] == ["discuss", "confirm", "replay", "fork", "rename", "delete"]
    assert [crumb["state"] for crumb in body["breadcrumb"]] == ["waiting"] * 5
    assert body["deliverables"]["spec"] is None
    assert read.headers["etag"] == '"1"'


async def test_a_title_may_be_left_out(ann: Person) -> None:
    made = await ann.ask("POST", "/api/features", json={})
    read = await ann.ask("GET", f"/api/features/{made.json()['id']}")
    assert read.json()["title"] == "Untitled feature"


async def test_the_dashboard_is_newest_first_and_filtered(ann: Person) -> None:
    first = await ann.new_feature("Tool library")
    second = await ann.new_feature("Bread club")
    rows = (await ann.ask("GET", "/api/features")).json()
    assert [row["id"] for row in rows["items"]] == [second, first]
    assert rows["next_cursor"] is None
    found = (await ann.ask("GET", "/api/features?q=tool&status=drafting")).json()
    assert [row["id"] for row in found["items"]] == [first]
    assert (await ann.ask("GET", "/api/features?status=done")).json()["items"] == []


async def test_pages_follow_their_cursor(ann: Person) -> None:
    made = [await ann.new_feature(f"Feature {n}") for n in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await ann.ask("GET", f"/api/features?limit=2{cursor}")).json()
        seen += [row["id"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]


async def test_an_approval_is_of_exactly_what_was_seen(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    seen = (await ann.ask("GET", f"/api/features/{feature}")).json()
    spec = seen["deliverables"]["spec"]
    assert spec["markdown"].startswith("# Spec")
    stale = await ann.ask(
        "POST",
        f"/api/features/{feature}/approve",
        json={"gate": "spec", "content_sha256": "0" * 64},
    )
    assert stale.status_code == 409
    assert stale.json()["code"] == "content_changed"
    assert stale.json()["current_sha256"] == spec["content_sha256"]
    good = await ann.ask(
        "POST",
        f"/api/features/{feature}/approve",
        json={"gate": "spec", "content_sha256": spec["content_sha256"], "note": "fine"},
    )
    assert good.status_code == 202
    assert good.json()["status"] == "spec_approved"
    assert good.headers["etag"] == f'"{good.json()["version"]}"'


async def test_what_is_not_possible_now_says_what_is(ann: Person) -> None:
    feature = await ann.new_feature()
    refused = await ann.ask("POST", f"/api/features/{feature}/retry")
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["code"] == "not_now"
    assert problem["feature_status"] == "drafting"
    assert "confirm" in problem["actions"]


async def test_if_match_refuses_what_was_decided_on_an_older_version(ann: Person) -> None:
    feature = await ann.new_feature()
    path = f"/api/features/{feature}"
    first = await ann.ask("PATCH", path, json={"title": "B"}, headers={"If-Match": '"1"'})
    assert first.status_code == 202
    stale = await ann.ask("PATCH", path, json={"title": "C"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert stale.json()["code"] == "version_conflict"
    assert stale.json()["current_version"] == 2
    anyhow = await ann.ask("PATCH", path, json={"title": "C"}, headers={"If-Match": "*"})
    assert anyhow.status_code == 202
    odd = await ann.ask("PATCH", path, json={"title": "D"}, headers={"If-Match": "soon"})
    assert (odd.status_code, odd.json()["errors"][0]["pointer"]) == (400, "If-Match")


async def test_an_idempotency_key_does_one_thing_once(ann: Person, world: World) -> None:
    key = {"Idempotency-Key": "k-1"}
    made = [await ann.ask("POST", "/api/features", json={"title": "A"}, headers=key)]
    made.append(await ann.ask("POST", "/api/features", json={"title": "A"}, headers=key))
    assert made[0].json() == made[1].json()
    assert types_of(world.log.events) == ["feature_created"]
    other = await ann.ask("POST", "/api/features", json={"title": "B"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    feature = made[0].json()["id"]
    elsewhere = await ann.ask("PATCH", f"/api/features/{feature}", json={"title": "A"}, headers=key)
    assert elsewhere.status_code == 422
    odd = await ann.ask("POST", "/api/features", json={}, headers={"Idempotency-Key": "a b"})
    assert odd.status_code == 400


async def test_a_key_of_one_tenant_says_nothing_to_another(ann: Person, bob: Person) -> None:
    key = {"Idempotency-Key": "the-same"}
    one = await ann.ask("POST", "/api/features", json={"title": "A"}, headers=key)
    two = await bob.ask("POST", "/api/features", json={"title": "B"}, headers=key)
    assert (one.status_code, two.status_code) == (201, 201)
    assert one.json()["id"] != two.json()["id"]


async def test_a_read_waits_for_the_version_that_a_command_answered(
    ann: Person, world: World
) -> None:
    feature = await ann.new_feature()
    world.reads.hidden = 1
    unread = asyncio.create_task(ann.ask("GET", f"/api/features/{feature}/runs?min_version=1"))
    await asyncio.sleep(0)
    world.reads.hidden = 0
    async with world.log.grown:
        world.log.grown.notify_all()
    assert (await unread).status_code == 200


async def test_what_was_just_done_is_shown_before_the_read_models_heard_of_it(
    ann: Person, world: World
) -> None:
    feature = await ann.new_feature()
    world.reads.hidden = 1
    waited: list[Any] = []
    world.reads.feature = waited.append  # type: ignore[method-assign, assignment]
    renamed = await ann.ask("PATCH", f"/api/features/{feature}", json={"title": "Other"})
    assert renamed.status_code == 202
    for read in ("", "/checkpoints", "/files"):
        seen = await ann.ask("GET", f"/api/features/{feature}{read}?min_version=2")
        assert (seen.status_code, seen.headers["etag"], seen.headers["x-present"]) == (
            200,
            '"2"',
            "true",
        )
    assert (await ann.ask("GET", f"/api/features/{feature}")).json()["title"] == "Other"
    assert waited == []


READS = (
    "",
    "/messages",
    "/checkpoints",
    "/runs",
    "/files",
    "/events",
    "/events/verify",
    "/certificate",
    "/diff?from=1",
    "/estimate?action=confirm",
)


async def test_whoever_created_a_feature_reads_it_before_the_read_models_heard_of_it(
    ann: Person, world: World
) -> None:
    created = await ann.ask("POST", "/api/features", json={"title": "Early"})
    world.reads.hidden = 1
    for path in READS:
        early = await ann.ask("GET", created.headers["location"] + path)
        assert early.status_code == 200, (path, early.text)
    seen = (await ann.ask("GET", created.headers["location"])).json()
    assert (seen["title"], seen["version"], seen["present"]) == ("Early", 1, True)
    assert seen["actions"]


async def test_a_page_begun_on_the_log_goes_on_in_the_read_models(
    ann: Person, world: World
) -> None:
    feature = await ann.at_spec_gate()
    path = f"/api/features/{feature}/checkpoints?limit=1"
    world.reads.hidden = len(world.log.events)
    first = (await ann.ask("GET", path)).json()
    world.reads.hidden = 0
    second = (await ann.ask("GET", f"{path}&cursor={first['next_cursor']}")).json()
    assert [first["items"][0]["version"], second["items"][0]["version"]] == [1, 2]


async def test_a_deleted_feature_is_gone(ann: Person) -> None:
    feature = await ann.new_feature()
    gone = await ann.ask("DELETE", f"/api/features/{feature}")
    assert (gone.status_code, gone.json()["status"]) == (202, "deleted")
    for path in ("", "/messages", "/runs", "/files", "/checkpoints", "/events", "/live"):
        answer = await ann.ask("GET", f"/api/features/{feature}{path}")
        assert (answer.status_code, path) == (404, path)
    assert (await ann.ask("GET", "/api/features")).json()["items"] == []
    verified = await ann.ask("GET", f"/api/features/{feature}/events/verify")
    assert verified.json()["valid"] is True


async def test_going_back_goes_to_a_checkpoint_only(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    marks = (await ann.ask("GET", f"/api/features/{feature}/checkpoints")).json()["items"]
    assert [mark["event"] for mark in marks] == [
        "feature_created",
        "brief_confirmed",
        "spec_generated",
    ]
    path = f"/api/features/{feature}/replay"
    wrong = await ann.ask("POST", path, json={"version": 3})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "no_such_checkpoint")
    back = await ann.ask("POST", path, json={"version": 1})
    assert (back.status_code, back.json()["status"]) == (202, "drafting")


async def test_a_finished_feature_gives_files_runs_and_the_same_zip_twice(
    ann: Person, world: World
) -> None:
    feature = await ann.finished()
    seen = (await ann.ask("GET", f"/api/features/{feature}")).json()
    assert seen["status"] == "done"
    assert [file["path"] for file in seen["files"]] == ["src/server.ts"]
    assert {crumb["state"] for crumb in seen["breadcrumb"]} == {"done"}
    assert [given["gate"] for given in seen["approvals"]] == ["spec", "plan", "tests"]
    listed = (await ann.ask("GET", f"/api/features/{feature}/files")).json()["items"]
    assert listed == seen["files"]
    file = await ann.ask("GET", f"/api/features/{feature}/files/src/server.ts")
    assert file.content == SOURCE
    assert file.headers["content-type"] == "text/plain; charset=utf-8"
    assert file.headers["content-disposition"].startswith("attachment")
    missing = await ann.ask("GET", f"/api/features/{feature}/files/src/other.ts")
    assert missing.status_code == 404
    runs = (await ann.ask("GET", f"/api/features/{feature}/runs?limit=2")).json()
    assert [run["agent"] for run in runs["items"]] == ["spec", "planner"]
    assert runs["next_cursor"]
    zips = [await ann.ask("GET", f"/api/features/{feature}/download") for _ in range(2)]
    assert zips[0].content == zips[1].content
    assert zips[0].headers["content-type"] == "application/zip"
    assert unzipped(zips[0].content)["code/src/server.ts"]
    seen = (await ann.ask("GET", f"/api/features/{feature}")).json()
    assert seen["called"] == file_name(given.SPEC.title)
    called = f"{seen['called']}.zip"
    named = zips[0].headers["content-disposition"]
    plain = f'attachment; filename="feature-{feature}.zip"'
    assert named == f"{plain}; filename*=UTF-8''{quote(called, safe='')}"
    await settled(world)


async def test_a_history_is_a_bundle_for_git(ann: Person, world: World) -> None:
    feature = await ann.finished()
    path = f"/api/features/{feature}/download"
    bundles = [await ann.ask("GET", path, params={"format": "git"}) for _ in range(2)]
    assert bundles[0].content == bundles[1].content
    assert bundles[0].content.startswith(b"# v2 git bundle\n")
    assert bundles[0].headers["content-type"] == "application/x-git-bundle"
    name = f'attachment; filename="feature-{feature}.bundle"'
    assert bundles[0].headers["content-disposition"].startswith(name)
    unknown = await ann.ask("GET", path, params={"format": "rar"})
    assert (unknown.status_code, unknown.json()["code"]) == (400, "invalid_request")
    assert world.services.places.taken == 0


@pytest.mark.parametrize("form", ["zip", "git"])
async def test_a_download_asked_for_too_early_is_refused(ann: Person, form: str) -> None:
    feature = await ann.at_spec_gate()
    early = await ann.ask("GET", f"/api/features/{feature}/download", params={"format": form})
    assert (early.status_code, early.json()["code"]) == (409, "not_now")
    assert early.json()["feature_status"] == "spec_ready"


async def test_code_without_a_verdict_is_handed_out_only_where_the_operator_allows_it(
    ann: Person, world: World
) -> None:
    feature = await ann.finished(Verdict.UNDECIDED)
    path = f"/api/features/{feature}"
    failure = (await ann.ask("GET", path)).json()["failure"]
    assert (failure["step"], failure["code"]) == ("security_review", "review_undecided")
    assert failure["next"] == "retry"
    assert not failure["download"]
    for params in ({}, {"not_passed": "true"}):
        assert (await ann.ask("GET", f"{path}/download", params=params)).status_code == 409
    download = Download(world.features, world.artifacts, world.log, undecided=True)
    object.__setattr__(world.services, "not_passed", ZipArchive(download))
    assert (await ann.ask("GET", path)).json()["failure"]["download"]
    assert (await ann.ask("GET", f"{path}/download")).status_code == 409
    git = {"format": "git", "not_passed": "true"}
    assert (await ann.ask("GET", f"{path}/download", params=git)).status_code == 409
    taken = await ann.ask("GET", f"{path}/download", params={"not_passed": "true"})
    assert "-not-passed.zip" in taken.headers["content-disposition"]
    assert b"did not pass" in unzipped(taken.content)["documents/README.md"]
    await ann.ask("POST", f"{path}/retry")
    seen = (await ann.ask("GET", path)).json()
    assert (seen["status"], seen["failure"]) == ("review", None)
    assert [one["step"] for one in seen["in_progress"]] == ["security_review"]
    await ann.work(feature, Step.SECURITY_REVIEW)
    assert (await ann.ask("GET", f"{path}/download")).status_code == 200


async def test_the_estimate_of_asking_again_is_of_that_review_alone(ann: Person) -> None:
    feature = await ann.finished(Verdict.UNDECIDED)
    query = {"action": "retry"}
    told = (await ann.ask("GET", f"/api/features/{feature}/estimate", params=query)).json()
    assert [one["step"] for one in told["steps"]] == ["security_review"]


async def test_a_lost_file_is_our_fault_and_says_so(ann: Person, world: World) -> None:
    feature = await ann.finished()
    world.artifacts.kept.clear()
    lost = await ann.ask("GET", f"/api/features/{feature}/files/src/server.ts")
    assert (lost.status_code, lost.json()["code"]) == (500, "artifact_lost")


async def test_advice_and_work_are_shown_at_the_gate(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    seen = (await ann.ask("GET", f"/api/features/{feature}")).json()
    assert seen["recommendation"] is None
    assert {work["step"] for work in seen["in_progress"]} == {"align_spec", "title"}
    await ann.work(feature, Step.ALIGN_SPEC, Step.TITLE)
    seen = (await ann.ask("GET", f"/api/features/{feature}")).json()
    assert seen["recommendation"]["verdict"] == "REVISE"
    assert seen["recommendation"]["summary"] == "It lost a wish."
    assert seen["title"] == "Tool library"
    assert seen["in_progress"] == []


async def test_a_model_that_needs_a_key_is_not_asked_without_one(ann: Person, world: World) -> None:
    world.services.keys._needed = True  # noqa: SLF001 - as with the real model.
    feature = await ann.new_feature()
    for path, body in (
        ("messages", {"text": "Hello"}),
        ("brief", {"brief": "- BF-1 lend"}),
        ("revise", {"brief": "- BF-1 lend"}),
        ("approve", {"gate": "spec", "content_sha256": "0" * 64}),
        ("retry", None),
        ("replay", {"version": 1}),
    ):
        answer = await ann.ask("POST", f"/api/features/{feature}/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "api_key_missing"), path
    assert len(await world.log.read(ann.tenant, UUID(feature))) == 1
    stored = await ann.ask("PUT", "/api/settings/api-key", json={"api_key": "sk-ant-" + "x" * 20})
    assert stored.status_code == 200
    begun = await ann.ask("POST", f"/api/features/{feature}/brief", json={"brief": "- BF-1 lend"})
    assert begun.status_code == 202


async def test_a_version_that_is_not_in_the_log_is_not_waited_for(
    ann: Person, world: World
) -> None:
    waited: list[int | None] = []
    feature = world.reads.feature

    async def noted(*whose: UUID, min_version: int | None = None, **rest: float) -> Any:
        waited.append(min_version)
        return await feature(*whose, min_version=min_version, **rest)

    world.reads.feature = noted  # type: ignore[method-assign]
    mine = await ann.new_feature()
    assert (await ann.ask("GET", f"/api/features/{mine}?min_version=99")).status_code == 200
    nothing = f"/api/features/{uuid7()}?min_version=99"
    assert (await ann.ask("GET", nothing)).status_code == 404
    assert waited == []  # The row shows all that the log holds.

    async def behind(*_whose: UUID) -> Standing:
        return Standing(None, 1)

    world.reads.standing = behind  # type: ignore[method-assign]
    assert (await ann.ask("GET", f"/api/features/{mine}/runs?min_version=99")).status_code == 200
    assert waited == [1]


async def test_what_the_implementer_tells_the_person_is_shown(ann: Person, world: World) -> None:
    feature = await ann.finished()
    path = f"/api/features/{feature}"
    world.log.events[:] = [
        replace(one, event=replace(one.event, notes="Choose a **password** first."))
        if isinstance(one.event, ImplementationCompleted)
        else one
        for one in world.log.events
    ]
    world.features.forget()
    assert (await ann.ask("GET", path)).json()["notes"] == "Choose a **password** first."
    guide = unzipped((await ann.ask("GET", f"{path}/download")).content)["README.md"].decode()
    assert "> Choose a **password** first." in guide


async def test_a_letter_is_for_whoever_will_run_it(ann: Person, world: World) -> None:
    feature = await ann.finished()
    path = f"/api/features/{feature}"
    files = unzipped((await ann.ask("GET", f"{path}/download")).content)
    for form, kind in (("md", "text/markdown"), ("html", "text/html")):
        letter = await ann.ask("GET", f"{path}/letter", params={"format": form})
        assert letter.content == files[f"documents/letter.{form}"]
        assert letter.headers["content-type"] == f"{kind}; charset=utf-8"
        assert letter.headers["content-disposition"].startswith("attachment")
        assert f"-letter.{form}" in letter.headers["content-disposition"]
    early = await ann.ask("GET", f"/api/features/{await ann.at_spec_gate()}/letter")
    assert (early.status_code, early.json()["code"]) == (409, "not_now")
