"""Log lines: one record, one line, and no secret in any form that can be recognised."""

import base64
import html
import io
import json
import logging
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
import pytest
import structlog
from hypothesis import given as forall
from hypothesis import strategies as st

from infrastructure.identity.passwords import PasswordHasher
from infrastructure.identity.refresh import PREFIX as REFRESH_PREFIX
from infrastructure.identity.tokens import SigningKey, TokenIssuer
from infrastructure.observability.logs import LEVELS, QUIET, configure
from infrastructure.observability.redaction import LONGEST_TEXT, REDACTED, Redactor
from infrastructure.sealing import MasterKey

API_KEY = "sk-ant-api03-CANARYcanary0123456789_-CANARYcanary0123456789AA"
PASSWORD = "c4n4ry horse, battery!"  # noqa: S105 - a canary.
REGISTERED = "registered-canary-1234567890"
MASTER_KEY = MasterKey.generate_text()
REFRESH = REFRESH_PREFIX + "CANARY" * 7 + "A"
SIGNING_KEY = SigningKey.generate()
JWT = (
    TokenIssuer("me", "you", [SIGNING_KEY], lambda: 0)
    .issue(UUID(int=1), UUID(int=2), UUID(int=3))
    .token
)
PEM = SIGNING_KEY._key.as_pem(private=True).decode()  # noqa: SLF001

Say = Callable[..., None]


class Struct(msgspec.Struct):
    api_key: str
    name: str = "x"


@dataclass
class Person:
    password: str
    name: str = "x"


class Stubborn:
    def __repr__(self) -> str:
        raise RuntimeError(API_KEY)


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Logging belongs to the process: put it back after each test."""
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    uncaught = sys.excepthook
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising
    sys.excepthook = uncaught
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(params=["json", "console"])
def out(request: pytest.FixtureRequest) -> io.StringIO:
    stream = io.StringIO()
    configure(
        json_lines=request.param == "json", level="DEBUG", secrets=[REGISTERED], stream=stream
    )
    return stream


@pytest.fixture
def records() -> io.StringIO:
    stream = io.StringIO()
    configure(json_lines=True, level="INFO", stream=stream)
    return stream


def log() -> Any:
    return structlog.stdlib.get_logger("here")


def raised(message: str, chained: str = "") -> None:
    local_copy = API_KEY
    try:
        try:
            raise KeyError(chained or local_copy)  # noqa: TRY301 - it is to be chained.
        except KeyError as error:
            raise ValueError(message) from error
    except ValueError:
        log().exception("it failed", key_name="x")


def uncaught() -> None:
    sys.excepthook(ValueError, ValueError(API_KEY), None)


def in_a_note() -> None:
    error = ValueError("no")
    error.add_note(f"key was {API_KEY}")
    log().error("noted", exc_info=error)


def b64(text: str, ahead: str = "") -> str:
    return base64.b64encode((ahead + text).encode()).decode()


FORMS: dict[str, Callable[[], object]] = {
    "plain in the event": lambda: log().info(f"key {API_KEY} rejected"),
    "plain in a value": lambda: log().info("x", detail=API_KEY),
    "in upper case": lambda: log().info(API_KEY.upper()),
    "in the name of a field": lambda: log().info("x", **{API_KEY: 1}),
    "in a nested dict": lambda: log().info("x", a={"b": [{"c": ({"d": API_KEY},)}]}),
    "as a key of a dict": lambda: log().info("x", a={API_KEY: 1}),
    "very deep": lambda: log().info("x", a=json.loads("[" * 40 + f'"{API_KEY}"' + "]" * 40)),
    "in bytes": lambda: log().info("x", raw=b"key=" + API_KEY.encode()),
    "in a set": lambda: log().info("x", keys={API_KEY}),
    "in the repr of a struct": lambda: log().info("x", it=Struct(API_KEY)),
    "a password in the repr of a dataclass": lambda: log().info("x", it=Person(PASSWORD)),
    "in the repr of a dict": lambda: log().info(repr({"password": PASSWORD, "n": 1})),
    "in a path": lambda: log().info("x", path=Path("/keys") / API_KEY),
    "in an exception": lambda: raised(f"bad key {API_KEY}"),
    "in a chained exception": lambda: raised("no", API_KEY),
    "in a variable of a traceback": lambda: raised("no"),
    "in what ends the process": uncaught,
    "in a note of an exception": in_a_note,
    "in an exception as a value": lambda: log().info("x", error=ValueError(API_KEY)),
    "in an object that cannot be shown": lambda: log().info("x", it=Stubborn()),
    "in a field called password": lambda: log().info("x", password=PASSWORD),
    "in a field called new_password": lambda: log().info("x", body={"new_password": PASSWORD}),
    "in a JSON body": lambda: log().info(json.dumps({"email": "a@b", "password": PASSWORD})),
    "in JSON inside JSON": lambda: log().info(
        json.dumps({"body": json.dumps({"password": PASSWORD})})
    ),
    "in a JSON body as bytes": lambda: log().info("x", body=b'{"password": "c4n4ry horse"}'),
    "in a form": lambda: log().info("email=a%40b&password=c4n4ryhorse&x=1"),
    "in a URL's query": lambda: log().info(f"GET /x?api_key={API_KEY}&y=1"),
    "in a URL's user": lambda: log().info("postgresql://bp:c4n4ry-horse@127.0.0.1:5432/bp"),
    "in a signed URL": lambda: log().info("https://b/o?X-Amz-Signature=c4n4ry00&X-Amz-Date=1"),
    "percent-encoded": lambda: log().info("x", url="/?k=" + quote(API_KEY).replace("-", "%2D")),
    "percent-encoded three times": lambda: log().info(
        "/?k=" + quote(quote(API_KEY.replace("-", "%2D")))
    ),
    "every character percent-encoded": lambda: log().info(
        "".join(f"%{byte:02x}" for byte in API_KEY.encode())
    ),
    "in backslash escapes": lambda: log().info(
        "".join(f"\\x{byte:02x}" for byte in API_KEY.encode())
    ),
    "in JSON escapes": lambda: log().info(API_KEY.replace("-", "\\u002d")),
    "in character references": lambda: log().info(html.escape(API_KEY).replace("-", "&#45;")),
    "in hex": lambda: log().info(API_KEY.encode().hex()),
    "in base64": lambda: log().info(b64(API_KEY)),
    "in base64 from the second byte": lambda: log().info(b64(API_KEY, "x")),
    "in base64 from the third byte": lambda: log().info(b64(API_KEY, "xy")),
    "in base64 for URLs": lambda: log().info(
        "data=" + base64.urlsafe_b64encode(b"\xff\xfe" + API_KEY.encode()).decode().rstrip("=")
    ),
    "in base64 behind a path": lambda: log().info("/a/" + b64(API_KEY)),
    "a token in a URL": lambda: log().info("GET /reset?token=" + "c4n4ry" * 4),
    "in basic authentication": lambda: log().info(f"Authorization: Basic {b64('c4n4ry:horse')}"),
    "in a bearer header": lambda: log().info(f"authorization: Bearer {REFRESH[6:]}"),
    "a bearer of any form": lambda: log().info("sent bearer c4n4ry.opaque-value"),
    "in headers as pairs": lambda: log().info("x", headers=[("x-api-key", "c4n4ry-opaque")]),
    "in headers as bytes": lambda: log().info(
        "x", headers=[(b"authorization", b"Token c4n4ry"), (b"cookie", b"bp=c4n4ry")]
    ),
    "in the repr of headers": lambda: log().info(
        repr([(b"x-api-key", b"c4n4ry-opaque"), (b"accept", b"*/*")])
    ),
    "in a raw request": lambda: log().info(
        "POST / HTTP/1.1\r\nCookie: a=1; bp_refresh=c4n4ry\r\nX-Api-Key: c4n4ry\r\n\r\n{}"
    ),
    "in a cookie to set": lambda: log().info("x", **{"set-cookie": "bp=c4n4ry; HttpOnly"}),
    "a JWT": lambda: log().info("token is", value=JWT),
    "a JWT in a URL": lambda: log().info(f"/live?access_token={JWT}"),
    "a refresh token": lambda: log().info(f"rotate {REFRESH}"),
    "a field called token": lambda: log().info("x", token="c4n4ry" * 4),
    "a master key": lambda: log().info(f"BP_MASTER_KEY {MASTER_KEY}"),
    "a private key": lambda: log().info("loaded", text=PEM),
    "a private key on one line": lambda: log().info(json.dumps({"pem": PEM})),
    "a private key that is cut off": lambda: log().info(PEM[:120]),
    "a registered secret": lambda: log().info(f"connected with {REGISTERED}"),
    "a registered secret in base64": lambda: log().info(b64(REGISTERED, "u:")),
    "by a library, as an argument": lambda: logging.getLogger("lib").info("key %s", API_KEY),
    "by a library, as a named argument": lambda: logging.getLogger("lib").info(
        "key %(k)s", {"k": API_KEY}
    ),
    "by a library, with too many arguments": lambda: logging.getLogger("lib").info(  # noqa: PLE1205 - as libraries do.
        "no place",
        API_KEY,
    ),
    "by a library, in an exception": lambda: logging.getLogger("lib").error(
        "x", exc_info=ValueError(API_KEY)
    ),
    "in a warning": lambda: warnings.warn(f"odd key {API_KEY}", stacklevel=1),
    "in the context": lambda: (
        structlog.contextvars.bind_contextvars(authorization=f"Bearer {JWT}"),
        log().info("x"),
    ),
    "bound to a logger": lambda: log().bind(api_key="c4n4ry-opaque").info("x"),
    "in a long text": lambda: log().info("x" * LONGEST_TEXT + API_KEY + "y" * LONGEST_TEXT),
    "across the cut of a long text": lambda: log().info(
        "x" * (LONGEST_TEXT // 2 - 20) + REGISTERED + "y " * LONGEST_TEXT
    ),
}

TRACES = re.compile(
    "|".join(
        [
            "canary",
            "c4n4ry",
            b64("c4n4ry:horse")[:12],
            r"43[\\x%]{1,4}41[\\x%]{1,4}4e",
            re.escape(PASSWORD),
            *(re.escape(JWT.split(".")[part]) for part in (1, 2)),
            re.escape(REFRESH[5:15]),
            re.escape(MASTER_KEY[5:15]),
            re.escape(PEM.splitlines()[1][:20]),
            re.escape(quote(API_KEY)[5:15]),
            API_KEY.encode().hex()[10:30],
            *(re.escape(b64(API_KEY, ahead)[8:24]) for ahead in ("", "x", "xy")),
            *(re.escape(b64(REGISTERED, ahead)[8:24]) for ahead in ("", "x", "xy")),
        ]
    ),
    re.IGNORECASE,
)


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_never_written(
    out: io.StringIO, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        FORMS[form]()
    written = out.getvalue()
    assert written, "nothing was written at all"
    assert TRACES.findall(written) == []
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


NEVER_SHOWN = ("in a variable of a traceback", "in an object that cannot be shown")


@pytest.mark.parametrize("form", [form for form in FORMS if form not in NEVER_SHOWN])
def test_without_the_redactor_the_same_secret_would_be_written(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(Redactor, "text", lambda _, text: text)
    monkeypatch.setattr(Redactor, "shapes", lambda _, text: text)
    monkeypatch.setattr("infrastructure.observability.redaction._is_secret", lambda *_: False)
    configure(json_lines=True, level="DEBUG", stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        FORMS[form]()
    assert TRACES.search(stream.getvalue())


HARMLESS = [
    "POST /auth/login 401 in 61.2 ms",
    "wrong password for user 019a0000-0000-7000-8000-000000000001",
    "the tenant has no API key yet",
    "used 1200 input_tokens, 80 output_tokens",
    "file " + "ab" * 32 + " stored as 019a0000-0000-7000-8000-00000000000a/src/app.ts",
    "lease 7 lost, token=12",
    "100% done, a+b=c, C:\\temp\\x, <b>&amp;</b>",
    "https://example.com:8080/a@b",
    "the bearer of bad news",
]


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_secret_stays_readable(records: io.StringIO, line: str) -> None:
    log().info(line, tokens={"input": 5}, token=12, prompt_sha256="ab" * 32, cookies_set=2)
    written = json.loads(records.getvalue())
    assert written["event"] == line
    assert written["tokens"] == {"input": 5}
    assert written["token"] == 12
    assert written["prompt_sha256"] == "ab" * 32


def test_a_json_line_says_when_how_bad_who_and_what(records: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(request_id="r-1")
    log().warning("slow", seconds=1.5, endless=float("inf"), nothing=None)
    written = json.loads(records.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", written.pop("timestamp"))
    assert written == {
        "event": "slow",
        "level": "warning",
        "logger": "here",
        "request_id": "r-1",
        "seconds": 1.5,
        "endless": "inf",
        "nothing": None,
    }


def test_libraries_write_the_same_lines(records: io.StringIO) -> None:
    logging.getLogger("lib.part").info("took %d ms", 5)
    logging.getLogger("lib.part").info("%d of %s", "wrong")  # noqa: PLE1206 - as libraries do.
    first, second = map(json.loads, records.getvalue().splitlines())
    assert (first["event"], first["level"], first["logger"]) == ("took 5 ms", "info", "lib.part")
    assert second["event"] == "%d of %s"
    assert second["arguments"] == ["wrong"]


def test_a_traceback_shows_lines_and_no_variables(records: io.StringIO) -> None:
    raised("no", "plain")
    exception = json.loads(records.getvalue())["exception"]
    assert "ValueError: no" in exception
    assert "KeyError: 'plain'" in exception
    assert "local_copy" not in exception.replace("raise KeyError(chained or local_copy)", "")


ODD = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\r\n\t\x00\x0b\x0c\x1b\x1c\x85\u2028\u2029\u202e\u2066\ud800\\\"'"),
    ),
    max_size=60,
)


@forall(event=ODD, value=ODD, json_lines=st.booleans())
def test_no_text_can_forge_a_line(event: str, value: str, *, json_lines: bool) -> None:
    stream = io.StringIO()
    configure(json_lines=json_lines, stream=stream)
    log().info(event, **{"value": value, value: {"k": [value]}} | {"event2": 1})
    logging.getLogger("lib").info("%s", value)
    written = stream.getvalue()
    assert len(written.splitlines()) == 2
    assert written.encode()
    assert not set(written) & set("\x1b\x00\x85\u2028\u202e\u2066")


def test_a_forged_record_in_an_exception_stands_behind_the_margin() -> None:
    stream = io.StringIO()
    configure(json_lines=False, stream=stream)
    raised("x\n2026-01-01T00:00:00Z [info] all is well\r\x1b[2K\u2028")
    head, *rest = stream.getvalue().splitlines()
    assert "it failed" in head
    assert any("all is well" in line for line in rest)
    assert all(line.startswith("  | ") for line in rest)


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\u202e", "\ud800", "\x1b[2K", "\r", "\n"])
def test_marks_that_end_or_turn_a_line_are_never_written(out: io.StringIO, mark: str) -> None:
    log().info(f"one{mark}two", **{f"a{mark}b": f"c{mark}d"})
    (line,) = out.getvalue().splitlines()
    assert mark not in line


@pytest.mark.parametrize("name", QUIET)
def test_libraries_that_log_prompts_are_quiet_below_warning(name: str) -> None:
    stream = io.StringIO()
    configure(json_lines=True, level="DEBUG", stream=stream)
    logging.getLogger(name).info("prompt")
    logging.getLogger(f"{name}.part").debug("prompt")
    assert stream.getvalue() == ""
    logging.getLogger(name).warning("broken")
    assert "broken" in stream.getvalue()


@pytest.mark.parametrize("level", LEVELS)
def test_the_level_holds_for_ours_and_for_libraries(level: str) -> None:
    stream = io.StringIO()
    configure(json_lines=True, level=level, stream=stream)
    for name in LEVELS:
        getattr(log(), name.lower())("ours")
        getattr(logging.getLogger("lib"), name.lower())("theirs")
    assert len(stream.getvalue().splitlines()) == 2 * len(LEVELS[LEVELS.index(level) :])


def test_configuring_twice_writes_every_line_once() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure(json_lines=True, stream=first)
    configure(json_lines=True, stream=second)
    log().info("x")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


def test_what_a_server_configured_for_itself_goes_the_same_way(records: io.StringIO) -> None:
    stray = io.StringIO()
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(stray))
    configure(json_lines=True, stream=records)
    logging.getLogger("uvicorn.error").error("x")
    assert stray.getvalue() == ""
    assert json.loads(records.getvalue())["logger"] == "uvicorn.error"


def test_a_closed_stream_shows_nothing_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure(json_lines=True, stream=stream)
    stream.close()
    logging.getLogger("lib").error("key %s", API_KEY)
    assert capsys.readouterr().err == ""


async def test_a_password_hash_is_a_secret(records: io.StringIO) -> None:
    hasher = PasswordHasher(at_once=1, memory_kib=64, passes=1)
    stored = await hasher.hash("correct horse")
    hasher.close()
    log().info("x", row=("person", stored))
    assert stored[-20:] not in records.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "%" * 20000,
        "\\" * 20000,
        "a" * 20000,
        "%41" * 7000,
        "&" * 20000,
        "a://b:" * 3000,
        "password" * 2500,
        "'" * 20000,
        "Bearer " * 3000,
        "eyJ" * 7000,
        "-----BEGIN " * 2000,
        "cookie: " * 2500,
        "\\x41" * 5000,
        "=" * 20000,
        "_-" * 10000,
    ],
    ids=range(15),
)
def test_no_text_takes_long_to_look_through(text: str) -> None:
    begun = time.process_time()
    Redactor(["registered-secret"]).text(text)
    assert time.process_time() - begun < 2


@forall(
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.text(),
            st.binary(),
            st.datetimes(),
            st.uuids(),
        ),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text() | st.integers(), inner)),
    )
)
def test_any_value_can_be_logged(value: object) -> None:
    json.dumps(Redactor().value(value), allow_nan=False)


@forall(st.text(max_size=80), st.text(max_size=80))
def test_a_registered_secret_is_found_between_any_other_text(before: str, after: str) -> None:
    assert REGISTERED not in Redactor([REGISTERED]).text(before + REGISTERED + after)


def test_a_secret_that_is_too_short_to_search_for_is_left_alone() -> None:
    assert Redactor(["bp"]).text("bp up") == "bp up"
    assert Redactor(["postgres"]).text("a postgres b") == f"a {REDACTED} b"
