"""Requests made up from the API document, of two tenants: what is answered, and what never may be.

Each operation gets as many well-formed requests as malformed ones, each from either tenant; ids in
paths are one's own, the other tenant's, or made up. Invariant: no answer is a 5xx, none has a
status or a media type that the document does not list for its operation, each body is what the
document says, and nothing of the other tenant is in any.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import permutations
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import given as forall
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.transport.requests import REQUESTS_TRANSPORT

from interface.http import openapi
from tests.fuzz.service import URL, Answer, Person, Run, Service

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
EVENTS = "text/event-stream"
ACCEPTED, UNAVAILABLE = 202, 503
TRIES = 3
RENEWED_AFTER_SECONDS = 300.0
"""Access tokens are good for 15 minutes."""


class Campaign:
    """Asks, checks and counts."""

    def __init__(self, service: Service, run: Run) -> None:
        """Take the service, and what runs a coroutine on its loop."""
        self._service = service
        self._run = run
        document = json.loads(openapi.FILE.read_text())
        self.schema = schemathesis.openapi.from_dict(document)
        self.schema.config.base_url = URL
        self._transport = REQUESTS_TRANSPORT
        self._renewed = time.monotonic()
        self.answered: Counter[tuple[str, int]] = Counter()
        """By operation and status."""
        self.asked_again = 0
        """How often a 503 was: only one that comes back is a finding."""
        self.findings: dict[tuple[str, str], str] = {}
        """What never may be: by operation and the first line of it, with the first request."""

    @property
    def cases(self) -> int:
        return self.answered.total()

    def operations(self) -> Iterator[Any]:
        """Every operation of the document."""
        for found in self.schema.get_all_operations():
            yield found.ok()

    def go(self, cases: int, seeded: int) -> None:
        """Ask about so many times in all, whatever is found on the way."""
        operations = list(self.operations())
        modes, people = len(MODES), len(self._service.people)
        each = max(1, cases // (modes * people * len(operations)))
        for operation in operations:
            for mode in MODES:
                self._some(operation, mode, each, seeded)

    def _some(self, operation: Any, mode: GenerationMode, count: int, seeded: int) -> None:
        strategy = operation.as_strategy(generation_mode=mode)

        @seed(seeded)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @forall(strategy, st.data())
        def ask(case: Any, data: st.DataObject) -> None:
            for me, other in permutations(self._service.people):
                self._one(operation, case, me, other, data)

        with suppress(Unsatisfiable):  # Nothing can be wrong with a request without parameters.
            ask()

    def _one(
        self, operation: Any, case: Any, me: Person, other: Person, data: st.DataObject
    ) -> None:
        self._placed(case, me, other, data)
        given = self._transport.serialize_case(case, base_url=URL, headers=me.headers)
        for name in ("verify", "allow_redirects", "timeout"):
            given.pop(name, None)
        prepared = requests.Request(**given).prepare()
        answer = self._run(self._asked(prepared))
        for _ in range(TRIES):
            # A busy machine passes in seconds; what an input does, it does again.
            if answer.status != UNAVAILABLE:
                break
            self.asked_again += 1
            answer = self._run(self._asked(prepared))
        name = operation.definition.raw["operationId"]
        self.answered[name, answer.status] += 1
        response = Response(
            answer.status,
            answer.headers,
            answer.body,
            prepared,
            elapsed=0.0,
            verify=False,
            encoding="utf-8",
            stream_cut_short=True,
        )
        left_out = (
            [response_schema_conformance]
            if EVENTS in answer.headers.get("content-type", [""])[0]
            else []
        )
        try:
            case.validate_response(response, checks=CHECKS, excluded_checks=left_out)
            assert other.mark.encode() not in answer.body, "Of the other tenant"
        except (AssertionError, FailureGroup) as found:
            said = f"{found}\n{prepared.method} {prepared.url} {dict(prepared.headers)}"
            kind = f"{answer.status} {str(found).strip().splitlines()[0]}"
            self.findings.setdefault((name, kind), f"{said[:3_000]} {prepared.body!r:.1000}")
        if name == "delete_feature" and answer.status == ACCEPTED:
            self._run(self._service.furnish(me))

    def _placed(self, case: Any, me: Person, other: Person, data: st.DataObject) -> None:
        """Put ids that lead somewhere into the path, most of the time."""
        if "feature_id" in (case.path_parameters or {}):
            whose = data.draw(st.sampled_from([*me.features, *me.features, *other.features, ""]))
            if whose:
                case.path_parameters["feature_id"] = whose
        if "event_id" in (case.path_parameters or {}) and data.draw(st.booleans()):
            case.path_parameters["event_id"] = me.event
        if "path" in (case.path_parameters or {}) and data.draw(st.booleans()):
            case.path_parameters["path"] = "src/server.ts"

    async def _asked(self, prepared: requests.PreparedRequest) -> Answer:
        if time.monotonic() - self._renewed > RENEWED_AFTER_SECONDS:
            await self._service.sign_in_again()
            self._renewed = time.monotonic()
        body = prepared.body or b""
        return await self._service.ask(
            str(prepared.method),
            str(prepared.url).removeprefix(URL),
            headers=prepared.headers,
            body=body.encode() if isinstance(body, str) else bytes(body),
        )

    def told(self) -> str:
        """What was answered, by status."""
        by_status: Counter[int] = Counter()
        for (_, status), count in self.answered.items():
            by_status[status] += count
        return ", ".join(f"{status}: {count:,}" for status, count in sorted(by_status.items()))


def chosen_seed() -> int:
    """A seed that nobody used before."""
    return int.from_bytes(os.urandom(4))
