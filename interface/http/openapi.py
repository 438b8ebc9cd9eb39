"""The API document (OpenAPI 3.1): made from the routes, repaired, committed as `openapi.json`.

Litestar knows paths and parameters; schemas come from msgspec, which knows what it decodes and
encodes: discriminators, docstrings, unknown fields (Litestar issues 4575, 4048). Invariant: the
file is what `document()` gives, sorted, and a test compares the two.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
from litestar import Litestar, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.status_codes import HTTP_429_TOO_MANY_REQUESTS

from application.audit.events import FeatureChange
from application.ports import Accepted
from application.transparency.export import CloudEvent
from domain.events import FeatureEvent, tag_of
from interface.http.account.auth import COOKIE
from interface.http.features import delivery
from interface.http.problems.answers import refusals_of
from interface.http.problems.table import MEDIA_TYPE, PROBLEMS, Problem
from interface.http.requests.body import JsonRequest
from interface.http.responses.structs import AgentWord, EventView, Nothing, UnreadEvent
from interface.http.streaming import conversation
from interface.http.streaming.live import UNREAD, WORDS
from interface.http.streaming.streams import SET_BACK, LogSetBack

FILE: Final = Path(__file__).parents[1] / "openapi.json"
API_VERSION: Final = "1"
REF: Final = "#/components/schemas/{name}"

STREAMS: Final[Mapping[str, Mapping[str, type]]] = {
    "post_message": conversation.FRAMES,
    "feature_live": {
        **{tag_of(kind): EventView for kind in get_args(FeatureEvent)},
        UNREAD: UnreadEvent,
        **dict.fromkeys(sorted(WORDS), AgentWord),
        SET_BACK: LogSetBack,
        "bye": Nothing,
    },
    "tenant_live": {
        "hello": Nothing,
        "change": FeatureChange,
        **dict.fromkeys(sorted(WORDS), AgentWord),
        SET_BACK: LogSetBack,
        "bye": Nothing,
    },
}
"""What the streams send: the type of `data` by the name of the event."""

BINARY: Final = {
    "download": tuple(form.media_type for form in delivery.FORMS.values()),
    "read_file": ("text/plain", "application/octet-stream"),
}

WAIT: Final = {
    "description": "Seconds to wait",
    "schema": {"type": "integer", "minimum": 1},
}


@get("/openapi.json", include_in_schema=False)
async def served(request: JsonRequest) -> Response[bytes]:
    """The API document."""
    return Response(request.app.state.document, media_type="application/json")


def text(handlers: list[Any]) -> str:
    """The document as it stands in the file."""
    return json.dumps(document(handlers), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def document(handlers: list[Any]) -> dict[str, Any]:
    """The document of these routes."""
    app = Litestar(
        handlers,
        request_class=JsonRequest,
        openapi_config=OpenAPIConfig(
            title="build-practical",
            version=API_VERSION,
            description="Describe software in a conversation; agents write its source code, "
            "with you at every gate. Errors are RFC 9457 problems. What takes GET takes HEAD.",
            create_examples=False,
            use_handler_docstrings=True,
            operation_id_creator=lambda handler, _, __: handler.handler_name,
            components=Components(
                security_schemes={
                    "bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT"),
                    "refresh": SecurityScheme(
                        type="apiKey", name=COOKIE, security_scheme_in="cookie"
                    ),
                }
            ),
        ),
    )
    made: dict[str, Any] = json.loads(msgspec.json.encode(app.openapi_schema.to_schema()))
    by_name = {handler.handler_name: handler for handler in _handlers(app)}
    schemas = _Schemas(by_name.values())
    for path, item in made["paths"].items():
        for operation in item.values():
            if isinstance(operation, dict) and "operationId" in operation:
                _repair(operation, by_name[operation["operationId"]], path, schemas)
    enums = _enums(made)
    made["components"]["schemas"] = schemas.components
    used = {name for name in enums if REF.format(name=name) in json.dumps(made["paths"])}
    made["components"]["schemas"] = {**{name: enums[name] for name in used}, **schemas.components}
    made.pop("servers", None)
    return made


class _Schemas:
    """The schema of every type that a route takes or gives."""

    def __init__(self, handlers: Any) -> None:  # noqa: ANN401
        types: list[Any] = [Problem, CloudEvent]
        for handler in handlers:
            types += [kind for kind in (taken(handler), given(handler)) if kind is not None]
        for frames in STREAMS.values():
            types += frames.values()
        self._types = list(dict.fromkeys(types))
        found, self.components = msgspec.json.schema_components(self._types, ref_template=REF)
        self._schemas = dict(zip(self._types, found, strict=True))
        code = self.components["Problem"]["properties"]["code"]
        code["enum"] = sorted(PROBLEMS)

    def of(self, kind: Any) -> dict[str, Any]:  # noqa: ANN401
        return dict(self._schemas[kind])


def taken(handler: HTTPRouteHandler) -> Any:  # noqa: ANN401 - any struct.
    """The type of the body that a route takes; None if it takes none."""
    field = handler.parsed_data_field
    return field.annotation if field else None


def given(handler: HTTPRouteHandler) -> Any:  # noqa: ANN401 - any struct.
    """The type of the body that a route answers with; None for bytes and for nothing."""
    annotation = handler.parsed_return_field.annotation
    kind = next(iter(get_args(annotation)), annotation)
    return None if kind in (None, bytes, type(None)) else kind


def _handlers(app: Litestar) -> Iterator[HTTPRouteHandler]:
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if isinstance(handler, HTTPRouteHandler) and handler.resolve_include_in_schema():
                yield handler


def _repair(
    operation: dict[str, Any], handler: HTTPRouteHandler, path: str, schemas: _Schemas
) -> None:
    name = operation["operationId"]
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _present(parameter["schema"])
    body = taken(handler)
    if body is not None:
        content = {"application/json": {"schema": schemas.of(body)}}
        operation["requestBody"] = {"content": content, "required": True}
    success = next(status for status in sorted(operation["responses"]) if status.startswith("2"))
    answer: dict[str, Any] = {"description": operation["responses"][success]["description"]}
    kind = given(handler)
    if kind is Accepted:
        version = {"description": "The version it led to", "schema": {"type": "string"}}
        answer["headers"] = {"ETag": version}
    if name in STREAMS:
        answer |= _stream(STREAMS[name], schemas)
    elif name in BINARY:
        answer["content"] = {
            media: {"schema": {"type": "string", "contentMediaType": media}}
            for media in BINARY[name]
        }
    elif kind is not None:
        answer["content"] = {"application/json": {"schema": schemas.of(kind)}}
    if name == "list_events":
        lines = {"schema": schemas.of(CloudEvent)}
        answer["content"]["application/x-ndjson"] = lines
    answers = {success: answer, **_troubles(handler, path, schemas)}
    if name == "ready":
        answers["503"] = answer
    if name == "download":
        answers["206"] = {**answer, "description": "The bytes that `Range` asks for"}
        answers["304"] = {"description": "It still has an entity tag of `If-None-Match`"}
    operation["responses"] = dict(sorted(answers.items()))
    if name in ("refresh", "log_out"):
        operation["security"] = [{"refresh": []}]


def _troubles(handler: HTTPRouteHandler, path: str, schemas: _Schemas) -> dict[str, Any]:
    """The answers that are problems, by status, each with the codes it may have."""
    content = {MEDIA_TYPE: {"schema": schemas.of(Problem)}}
    found = refusals_of(handler, path)
    return {
        str(status): {
            "description": "; ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes),
            **({"headers": {"Retry-After": WAIT}} if status == HTTP_429_TOO_MANY_REQUESTS else {}),
            "content": content,
        }
        for status, codes in found.items()
    }


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that is there: an absent one is not null."""
    kinds = [kind for kind in schema.get("oneOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {name: value for name, value in schema.items() if name not in ("oneOf", "description")}
    return {**rest, **kinds[0]}


def _stream(frames: Mapping[str, type], schemas: _Schemas) -> dict[str, Any]:
    """A stream's answer: each event's `data` is one of these; `x-events` says which is whose."""
    refs = {event: schemas.of(kind) for event, kind in frames.items()}
    schema = {"anyOf": [schemas.of(kind) for kind in dict.fromkeys(frames.values())]}
    return {"content": {"text/event-stream": {"schema": schema, "x-events": refs}}}


def _enums(made: dict[str, Any]) -> dict[str, Any]:
    """The schemas that parameters refer to: enumerations of the domain."""
    found: dict[str, Any] = made["components"].get("schemas", {})
    return {name: schema for name, schema in found.items() if "enum" in schema}
