"""The offline check of an exported log, as a module and as the one file that it is."""

import ast
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from hypothesis import example
from hypothesis import given as forall
from hypothesis import strategies as st

from application.ports import Metadata
from application.transparency import verifier
from application.transparency.export import cloud_event, read_line
from application.transparency.verifier import main, verify
from tests.fakes import Clock, MemoryLog
from tests.given import done
from tests.stored import stored_as_it_would_be

FILE = Path(verifier.__file__)
TENANT, FEATURE = UUID(int=1), UUID(int=2)


def exported() -> list[bytes]:
    log = MemoryLog(Clock())
    stream = []
    for version, event in enumerate(done().events):
        origin = Metadata(TENANT, "user:x", UUID(int=9), UUID(int=8) if version else None)
        named = [(UUID(int=1000 + version), event)]
        stream += log._record(FEATURE, named, stream, origin)  # noqa: SLF001
        log.events = stream
    made = stored_as_it_would_be(stream)
    return [msgspec.json.encode(cloud_event(one)) + b"\n" for one in made]


LINES = exported()


def changed(line: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(line), **fields}).encode() + b"\n"


def test_a_log_as_it_was_exported_is_valid():
    report = verify(LINES)
    assert report.valid
    assert (report.events, report.features) == (len(LINES), 1)
    assert report.opened > 5
    assert report.sealed == 0
    assert report.head == json.loads(LINES[-1])["hash"]


def test_a_line_is_read_back_as_what_it_was_made_from():
    for line in LINES:
        assert msgspec.json.encode(cloud_event(read_line(line))) + b"\n" == line


def test_tools_that_write_the_same_json_in_another_way_do_no_harm():
    again = [json.dumps(json.loads(line), indent=None, sort_keys=True).encode() for line in LINES]
    assert verify(again).valid


@forall(st.data())
def test_whatever_byte_is_changed_the_place_is_named(data: st.DataObject):
    number = data.draw(st.integers(0, len(LINES) - 1))
    line = LINES[number]
    place = data.draw(st.integers(0, len(line) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != line[place]))
    spoilt = line[:place] + bytes([byte]) + line[place + 1 :]
    report = verify([*LINES[:number], spoilt, *LINES[number + 1 :]])
    assert not report.valid
    assert report.line == number + 1
    assert report.events == number
    assert report.reason


def test_every_bit_of_an_events_line_counts():
    line = LINES[0]
    for place in range(len(line) - 1):
        for bit in range(8):
            spoilt = line[:place] + bytes([line[place] ^ 1 << bit]) + line[place + 1 :]
            assert not verify([spoilt]).valid, spoilt


@pytest.mark.parametrize("number", range(len(LINES) - 1))
def test_a_missing_event_is_noticed_where_it_is_missing(number: int):
    report = verify([*LINES[:number], *LINES[number + 1 :]])
    assert (report.valid, report.line) == (False, number + 1)


def test_events_out_of_order_doubled_or_of_another_feature_are_noticed():
    for lines in (
        [LINES[1], LINES[0]],
        [LINES[0], LINES[0]],
        [
            LINES[0],
            changed(LINES[1], subject=str(UUID(int=3)), source=f"/api/features/{UUID(int=3)}"),
        ],
        [LINES[0], changed(LINES[1], tenantid=str(UUID(int=3)))],
        [LINES[0], changed(LINES[1], time="2020-01-01T00:00:00Z")],
    ):
        report = verify(lines)
        assert (report.valid, report.line) == (False, 1 if lines[0] is LINES[1] else 2)


def test_an_end_that_is_cut_off_shows_against_a_hash_that_was_noted():
    head = json.loads(LINES[-1])["hash"]
    assert verify(LINES, head).valid
    assert verify(LINES[:-1]).valid
    report = verify(LINES[:-1], head)
    assert (report.valid, report.line) == (False, len(LINES))
    assert "does not end" in report.reason


def test_other_words_do_not_fit_the_commitment():
    shown = json.loads(LINES[0])
    personal = shown["data"]["personal"].replace("Tools", "Fools")
    report = verify([changed(LINES[0], data={**shown["data"], "personal": personal})])
    assert (report.valid, report.line) == (False, 1)
    assert "personal content" in report.reason


def test_a_commitment_that_was_changed_with_the_words_breaks_the_chain():
    shown = json.loads(LINES[0])
    personal = shown["data"]["personal"].replace("Tools", "Fools")
    clear = json.loads(shown["data"]["clear"])
    clear["personal_sha256"] = sha256(personal.encode()).hexdigest()
    data = {"clear": json.dumps(clear, separators=(",", ":")), "personal": personal}
    report = verify([changed(LINES[0], data=data)])
    assert "is not what was recorded" in report.reason


def test_without_its_content_a_log_still_verifies_and_says_so():
    stripped = []
    for line in LINES:
        shown = json.loads(line)
        shown["data"].pop("personal", None)
        stripped.append(json.dumps(shown).encode())
    report = verify(stripped)
    assert report.valid
    assert report.opened == 0
    assert report.sealed == verify(LINES).opened


@forall(st.one_of(st.binary(), st.text().map(str.encode), st.from_regex(r"[\[{]*").map(str.encode)))
@example(b"[" * 100_000)
@example(b"null")
@example(b'{"sequence": "\xc2\xb2"}')
def test_nonsense_is_refused_without_a_traceback(line: bytes):
    report = verify([line])
    assert (report.valid, report.line) == (False, 1)


def test_an_empty_file_is_no_log():
    assert not verify([]).valid


def test_it_is_one_file_of_the_standard_library():
    tree = ast.parse(FILE.read_text())
    imported = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    copy = tmp_path / "verify.py"
    copy.write_bytes(FILE.read_bytes())
    (tmp_path / "log.ndjson").write_bytes(b"".join(LINES))
    return copy


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


def test_a_copy_of_it_runs_alone(alone: Path):
    log = alone.parent / "log.ndjson"
    good = run(alone, log)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith(f"valid: {len(LINES)} events")
    log.write_bytes(b"".join(LINES).replace(b"Tools", b"Fools", 1))
    bad = run(alone, log)
    assert bad.returncode == 1
    assert bad.stdout.startswith("NOT valid: line 1 (version 1) has personal content")
    assert run(alone).returncode == 2
    assert run(alone, alone.parent / "nothing").returncode == 2


def test_a_noted_head_is_checked_on_the_command_line(
    alone: Path, capsys: pytest.CaptureFixture[str]
):
    log = str(alone.parent / "log.ndjson")
    assert main([log, "--head", json.loads(LINES[-1])["hash"]]) == 0
    assert main([log, "--head", "0" * 64]) == 1
    assert "does not end" in capsys.readouterr().out
