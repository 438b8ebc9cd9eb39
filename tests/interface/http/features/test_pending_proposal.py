"""A brief that is proposed at a gate stands there over HTTP until it is taken or put aside."""

from uuid import UUID, uuid4

from domain import commands as c
from domain.status import Step
from tests import given
from tests.domain.test_pending_proposal import BRIEF, CHANGED
from tests.interface.http.features.test_looking_back import fork, read
from tests.interface.world import Person


async def discussed(person: Person) -> str:
    """A feature at its first gate, in whose conversation another brief is proposed; its path."""
    feature = await person.at_spec_gate()
    path = f"/api/features/{feature}"
    whose = UUID(feature)
    said = c.PostMessage(uuid4(), "and a list")
    features, tenant = person.world.features, person.tenant
    for command in (said, given.start):
        state = await features.load(tenant, whose)
        made = command if isinstance(command, c.PostMessage) else command(state, Step.CONVERSE)
        await person.world.system(whose, made, tenant)
    attempt = (await features.load(tenant, whose)).running[Step.CONVERSE]
    reply = c.RecordReply(attempt, given.RUN, uuid4(), "So?", brief=BRIEF, brief_markdown=CHANGED)
    await person.world.system(whose, reply, tenant)
    return path


async def test_a_pending_proposal_stands_at_the_gate_and_keeps_it_shut(ann: Person) -> None:
    path = await discussed(ann)
    seen = await read(ann, path)
    pending = seen["pending_proposal"]
    assert (pending["brief_markdown"], pending["version"]) == (CHANGED, seen["version"])
    sha = seen["deliverables"]["spec"]["content_sha256"]
    body = {"gate": "spec", "content_sha256": sha}
    refused = await ann.ask("POST", f"{path}/approve", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "proposal_pending")
    assert refused.json()["proposal_version"] == pending["version"]
    assert (await read(ann, f"{path}/estimate", action="approve"))["steps"]

    aside = {**body, "proposal_put_aside": pending["version"]}
    answer = await ann.ask("POST", f"{path}/approve", json=aside)
    assert answer.status_code == 202, answer.text
    assert (await read(ann, path))["pending_proposal"] is None
    then = await read(ann, path, version=seen["version"])
    assert then["pending_proposal"] == pending
    [event] = (await read(ann, f"{path}/events"))["items"][-1:]
    assert event["payload"]["proposal_put_aside"] == pending["version"]

    forked = await fork(ann, path, seen["version"])
    assert (await read(ann, forked))["pending_proposal"]["brief_markdown"] == CHANGED


async def test_revising_with_it_takes_it(ann: Person) -> None:
    path = await discussed(ann)
    pending = (await read(ann, path))["pending_proposal"]
    body = {"brief": pending["brief_markdown"]}
    answer = await ann.ask("POST", f"{path}/revise", json=body)
    assert answer.status_code == 202, answer.text
    assert (await read(ann, path))["pending_proposal"] is None
