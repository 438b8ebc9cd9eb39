"""Stopping and resuming over HTTP: what the pages show, what is refused, and told in words."""

from domain.status import Step
from tests.interface.http.features.test_looking_back import read
from tests.interface.world import Person


async def test_work_is_stopped_and_goes_on(ann: Person) -> None:
    feature = await ann.finished()
    path = f"/api/features/{feature}"
    await ann.ask("POST", f"{path}/revise", json={"brief": "- BF-1 lend tools to all"})
    before = await read(ann, path)
    assert "stop" in before["actions"]
    answer = await ann.ask("POST", f"{path}/stop", json={"reason": "Too dear."})
    assert answer.status_code == 202, answer.text

    stopped = await read(ann, path)
    assert (stopped["status"], stopped["in_progress"]) == ("spec_generating", [])
    assert stopped["stopped"]["reason"] == "Too dear."
    assert stopped["stopped"]["steps"] == ["spec"]
    assert stopped["stopped"]["version"] == stopped["version"]
    assert set(stopped["actions"]) == {"resume", "replay", "fork", "rename", "delete"}
    [row] = (await read(ann, "/api/features"))["items"]
    assert (row["stopped"], row["working_since"]) == (True, None)
    assert set(row["actions"]) == set(stopped["actions"])

    again = await ann.ask("POST", f"{path}/stop", json={})
    assert (again.status_code, again.json()["code"]) == (409, "not_now")
    assert "resume" in again.json()["actions"]
    cost = await read(ann, f"{path}/estimate", action="resume")
    assert "spec" in [one["step"] for one in cost["steps"]]

    answer = await ann.ask("POST", f"{path}/resume")
    assert answer.status_code == 202, answer.text
    now = await read(ann, path)
    assert now["stopped"] is None
    assert [one["step"] for one in now["in_progress"]] == ["spec"]
    again = await ann.ask("POST", f"{path}/resume")
    assert (again.status_code, again.json()["code"]) == (409, "not_now")
    assert "stop" in again.json()["actions"]
    await ann.work(feature, Step.SPEC)
    then = await read(ann, path, version=stopped["version"])
    assert then["stopped"] == stopped["stopped"]


async def test_nothing_is_approved_while_advice_is_stopped(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    path = f"/api/features/{feature}"
    shown = (await read(ann, path))["deliverables"]["spec"]["content_sha256"]
    yes = {"gate": "spec", "content_sha256": shown}
    await ann.ask("POST", f"{path}/stop", json={})
    refused = await ann.ask("POST", f"{path}/approve", json=yes)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_now")
    assert "Resume it first" in refused.json()["detail"]
    assert "approve" not in refused.json()["actions"]
    await ann.ask("POST", f"{path}/resume")
    assert (await ann.ask("POST", f"{path}/approve", json=yes)).status_code == 202


async def test_a_stop_is_carried_out_once_and_on_what_the_person_saw(ann: Person) -> None:
    feature = await ann.at_spec_gate()
    path = f"/api/features/{feature}"
    version = (await read(ann, path))["version"]
    old = {"If-Match": f'"{version - 1}"'}
    answer = await ann.ask("POST", f"{path}/stop", json={}, headers=old)
    assert answer.status_code == 412
    once = {"If-Match": f'"{version}"', "Idempotency-Key": "stop-once-please"}
    first = await ann.ask("POST", f"{path}/stop", json={}, headers=once)
    second = await ann.ask("POST", f"{path}/stop", json={}, headers=once)
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
