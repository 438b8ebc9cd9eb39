"""At a gate over HTTP: comments on single parts, and a version of one's own."""

from typing import Any
from uuid import uuid4

import msgspec

from domain.status import Step
from tests import given
from tests.interface.http.features.test_looking_back import approve, at_plan_gate, read
from tests.interface.world import Person, types_of

FIRST = given.SPEC.requirements[0]
WRONG = {"target": "FR-1", "kind": "wrong", "text": "Only members may ask."}


async def shown(person: Person, path: str, gate: str = "spec") -> Any:
    return await read(person, f"{path}/documents/{gate}")


async def test_comments_send_that_step_alone_back_to_work(ann: Person) -> None:
    path = f"/api/features/{await ann.at_spec_gate()}"
    before = await read(ann, path)
    assert {"rewrite", "edit"} <= set(before["actions"])
    parts = await shown(ann, path)
    assert parts["spec"]["requirements"][0]["id"] == "FR-1"
    assert (await read(ann, f"{path}/estimate", action="rewrite"))["steps"][0]["step"] == "spec"
    body = {"gate": "spec", "content_sha256": parts["content_sha256"], "comments": [WRONG]}
    answer = await ann.ask("POST", f"{path}/rewrite", json=body)
    assert answer.status_code == 202, answer.text
    now = await read(ann, path)
    assert (now["status"], [x["step"] for x in now["in_progress"]]) == (
        "spec_generating", ["spec"],
    )  # fmt: skip
    assert now["deliverables"] == before["deliverables"]
    await ann.work(path.rsplit("/", 1)[1], Step.SPEC)
    again = await read(ann, path)
    assert again["status"] == "spec_ready"
    assert again["deliverables"]["brief"] == before["deliverables"]["brief"]
    stale = await ann.ask("POST", f"{path}/rewrite", json=body)
    assert (stale.status_code, stale.json()["code"]) == (409, "content_changed")


async def test_comments_that_say_nothing_or_are_about_nothing_are_refused(ann: Person) -> None:
    path = f"/api/features/{await ann.at_spec_gate()}"
    sha = (await shown(ann, path))["content_sha256"]

    async def refused(*comments: Any) -> Any:
        body = {"gate": "spec", "content_sha256": sha, "comments": list(comments)}
        answer = await ann.ask("POST", f"{path}/rewrite", json=body)
        return answer.status_code, answer.json()

    status, said = await refused({**WRONG, "target": "FR-77"})
    assert (status, said["code"]) == (422, "unknown_parts")
    assert "FR-77" in said["detail"]
    status, said = await refused(WRONG, {**WRONG, "text": " . "})
    assert (status, said["errors"][0]["pointer"]) == (400, "/comments")
    assert "Comment 2" in said["errors"][0]["detail"]
    assert (await refused())[0] == 400
    assert (await refused({**WRONG, "kind": "fury"}))[0] == 400
    assert (await read(ann, path))["status"] == "spec_ready"


async def test_a_persons_version_stands_at_the_gate_and_says_whose_it_is(ann: Person) -> None:
    path = f"/api/features/{await ann.at_spec_gate()}"
    parts = await shown(ann, path)
    document = parts["spec"]
    document["requirements"][0]["response"] = "the tool is kept for the member for a day"
    body = {"gate": "spec", "content_sha256": parts["content_sha256"], "document": document}
    headers = {"Idempotency-Key": str(uuid4())}
    answer = await ann.ask("POST", f"{path}/edit", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    again = await ann.ask("POST", f"{path}/edit", json=body, headers=headers)
    assert (again.status_code, again.json()) == (202, answer.json())
    now = await read(ann, path)
    spec = now["deliverables"]["spec"]
    assert (now["status"], spec["edited"], spec["by"]) == (
        "spec_ready", True, f"user:{ann.user}",
    )  # fmt: skip
    assert "kept for the member for a day" in spec["markdown"]
    assert [x["step"] for x in now["in_progress"]].count("align_spec") == 1
    assert now["recommendation"] is None
    stale = await ann.ask("POST", f"{path}/edit", json=body)
    assert (stale.status_code, stale.json()["code"]) == (409, "content_changed")
    same = {**body, "content_sha256": spec["content_sha256"]}
    unchanged = await ann.ask("POST", f"{path}/edit", json=same)
    assert (unchanged.status_code, unchanged.json()["code"]) == (422, "nothing_changed")
    await approve(ann, path, "spec")
    assert (await read(ann, path, version=parts["version"]))["deliverables"]["spec"][
        "content_sha256"
    ] == parts["content_sha256"]


async def test_an_edit_is_checked_as_an_agents_document_is_and_every_fault_has_its_place(
    ann: Person,
) -> None:
    path = f"/api/features/{await ann.at_spec_gate()}"
    parts = await shown(ann, path)
    more = msgspec.to_builtins(msgspec.structs.replace(FIRST, id="FR-2", sources=("BF-9",)))
    document = {**parts["spec"], "requirements": [more]}
    body = {"gate": "spec", "content_sha256": parts["content_sha256"], "document": document}
    answer = await ann.ask("POST", f"{path}/edit", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "faulty_document")
    faults = {fault["detail"]: fault["pointer"] for fault in answer.json()["errors"]}
    assert any("BF-9" in said and at == "/document/requirements/0" for said, at in faults.items())
    assert any("BF-1" in said for said in faults)
    misshapen = {**body, "document": {**document, "requirements": [{"id": "FR-1"}]}}
    answer = await ann.ask("POST", f"{path}/edit", json=misshapen)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")
    unknown = {**body, "gate": "code"}
    assert (await ann.ask("POST", f"{path}/edit", json=unknown)).status_code == 400


async def test_a_plan_is_held_to_its_checks_and_only_at_its_gate(ann: Person) -> None:
    path = await at_plan_gate(ann)
    parts = await shown(ann, path, "plan")
    body = {
        "gate": "plan",
        "content_sha256": parts["content_sha256"],
        "document": {**parts["plan"], "summary": "Another."},
    }
    answer = await ann.ask("POST", f"{path}/edit", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "faulty_document")
    assert any("package.json" in fault["detail"] for fault in answer.json()["errors"])
    spec = await shown(ann, path)
    earlier = {"gate": "spec", "content_sha256": spec["content_sha256"]}
    answer = await ann.ask("POST", f"{path}/edit", json={**earlier, "document": spec["spec"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_now")
    answer = await ann.ask("POST", f"{path}/rewrite", json={**earlier, "comments": [WRONG]})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_now")


async def test_nobody_else_reads_or_writes_a_document(ann: Person, bob: Person) -> None:
    path = f"/api/features/{await ann.at_spec_gate()}"
    parts = await shown(ann, path)
    body = {"gate": "spec", "content_sha256": parts["content_sha256"]}
    for verb, rest in (
        ("rewrite", {"comments": [WRONG]}),
        ("edit", {"document": parts["spec"]}),
    ):
        answer = await bob.ask("POST", f"{path}/{verb}", json={**body, **rest})
        assert answer.status_code == 404
    assert (await bob.ask("GET", f"{path}/documents/spec")).status_code == 404
    assert (await ann.ask("GET", f"{path}/documents/plan")).status_code == 404
    assert "spec_edited" not in types_of(ann.world.log.events)
