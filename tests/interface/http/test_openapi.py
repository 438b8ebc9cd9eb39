"""The API document is true: fresh, valid, and what requests and answers really look like."""

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from domain.commands import Approve
from domain.status import Gate, Status
from interface.http import openapi
from interface.http.app import described
from interface.http.problems.answers import OWN
from interface.http.problems.table import PROBLEMS
from tests.interface.world import World, public


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads(openapi.FILE.read_text())


def test_the_committed_document_is_what_the_routes_give() -> None:
    assert openapi.FILE.read_text() == openapi.text(described())


def test_it_is_a_valid_document(document: Any) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert "servers" not in document


def test_events_and_commands_can_be_told_apart(document: Any) -> None:
    payload = document["components"]["schemas"]["EventView"]["properties"]["payload"]
    assert payload["discriminator"]["propertyName"] == "type"
    mapping = payload["discriminator"]["mapping"]
    assert mapping["spec_generated"] == "#/components/schemas/SpecGenerated"
    assert len(mapping) == len(payload["anyOf"])


def test_bodies_refuse_unknown_fields_and_enums_are_the_domains(document: Any) -> None:
    schemas = document["components"]["schemas"]
    for path, item in document["paths"].items():
        for operation in item.values():
            body = operation.get("requestBody")
            if body:
                taken = body["content"]["application/json"]["schema"]
                for one in taken.get("anyOf", [taken]):
                    schema = schemas[one["$ref"].rsplit("/", 1)[1]]
                    assert schema["additionalProperties"] is False, path
    assert schemas["Status"]["enum"] == sorted(Status)
    assert schemas["Gate"]["enum"] == sorted(Gate)
    assert schemas["Approve"]["description"] == Approve.__doc__
    assert schemas["Problem"]["properties"]["code"]["enum"] == sorted(PROBLEMS)


def test_every_answer_is_listed_and_what_is_no_success_is_a_problem(document: Any) -> None:
    streams = 0
    for path, item in document["paths"].items():
        for operation in item.values():
            assert "default" not in operation["responses"]
            for status, answer in operation["responses"].items():
                streams += "text/event-stream" in answer.get("content", {})
                if int(status) >= 400 and path != "/health/ready":
                    problem = answer["content"]["application/problem+json"]
                    assert problem["schema"]["$ref"].endswith("/Problem")
                    for code in re.findall("`([a-z_]+)`: ", answer["description"]):
                        assert PROBLEMS[code].status == int(status)
    assert streams == len(openapi.STREAMS)


def test_what_is_listed_by_name_is_a_route_and_its_codes_are_known(document: Any) -> None:
    names = {one["operationId"] for item in document["paths"].values() for one in item.values()}
    assert set(OWN) <= names
    assert {code for codes in OWN.values() for code in codes} <= set(PROBLEMS)


def test_everything_under_api_asks_for_a_token(document: Any) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            asks = {"bearer": []} in operation.get("security", [])
            assert asks == path.startswith("/api/"), path


async def test_all_routes_but_pages_are_described(document: Any) -> None:
    app = public(World())
    routes = {
        (path.path_format, method)
        for path in app.routes
        for method in path.methods
        if not path.path_format.startswith(("/problems", "/{path", "/openapi"))
        and path.path_format != "/"
    }
    told = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    assert {(path, method) for path, method in routes if method != "OPTIONS"} == told
