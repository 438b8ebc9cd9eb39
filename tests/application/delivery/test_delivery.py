"""A delivery proves itself: a change to any byte of any file is noticed, and its place is named."""

import ast
import asyncio
import contextlib
import io
import json
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from msgspec.structs import replace

from application.delivery import checker
from application.delivery.beside import APPLE_DOUBLE
from application.delivery.checker import (
    LOG,
    MANIFEST,
    Wrong,
    check,
    main,
    manifest_bytes,
    notes,
    read,
)
from application.delivery.names import file_name
from application.delivery.script import script
from application.transparency.export import StoredEvent, cloud_event, read_line
from application.transparency.verifier import event_hash
from domain import commands as c
from domain import events as e
from domain.errors import NotNow
from domain.status import Gate, Step, Verdict
from interface.cli.logbook import verify_file
from tests import given
from tests.architecture.pages import PROJECT
from tests.delivered import FEATURE, LIVES, SOURCES, TENANT, Shop, unzipped, with_files, zipped

MADE = (
    "README.md", "agent-trace.json", "bom.json", "letter.html", "letter.md",
    "trace.json", "trace.md",
)  # fmt: skip
"""Papers that no event records."""
SCRIPT = "documents/verify.py"

CODE = {"code/" + path: body for path, body in SOURCES.items()}


@pytest.fixture(scope="module")
def whole() -> bytes:
    return asyncio.run(Shop(given.done().events).zip())


FILES = unzipped(asyncio.run(Shop(given.done().events).zip()))
PLACES = [(path, at) for path, body in sorted(FILES.items()) for at in range(len(body))]


def listed_anew(files: dict[str, bytes], **fields: object) -> dict[str, bytes]:
    """The files with a manifest that fits them: what a careful forger would make."""
    told = json.loads(files[MANIFEST])
    inside = [checker.listing(path, body) for path, body in files.items() if path != MANIFEST]
    told |= {"files": sorted(inside, key=lambda each: each["path"]), **fields}
    return {**files, MANIFEST: manifest_bytes(told)}


def refused(files: dict[str, bytes], head: str | None = None) -> Wrong:
    with pytest.raises(Wrong) as caught:
        check(files, head)
    return caught.value


def test_a_delivery_as_it_was_made_is_valid():
    said = check(FILES)
    assert len(said) == 5
    assert said[0].startswith(f"{len(FILES)} files")
    assert {path for path in FILES if path.startswith("code/")} == set(CODE)
    head = json.loads(FILES[LOG].splitlines()[-1])["hash"]
    assert check(FILES, head) == said


@pytest.mark.parametrize("life", LIVES)
async def test_whatever_a_feature_went_through_its_delivery_is_valid(life):
    shop = Shop(LIVES[life]().events)
    files = unzipped(await shop.zip())
    assert check(files)
    feature = await shop.features.load(TENANT, FEATURE)
    standing = checker.standing_of([json.loads(line) for line in files[LOG].splitlines()])
    content = feature.content
    assert standing.parts == {part: getattr(content, part).version for part in checker.PARTS}
    assert standing.approved == {gate: content.approval(gate).content_sha256 for gate in Gate}


@pytest.mark.parametrize("path", sorted(FILES))
def test_one_changed_byte_is_named_by_its_file(path):
    body = FILES[path]
    for at in {0, len(body) // 3, len(body) // 2, len(body) - 1}:
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert refused({**FILES, path: changed}).place == path


@forall(st.sampled_from(PLACES), st.integers(1, 255))
def test_any_changed_byte_is_named_by_its_file(place, mask):
    path, at = place
    body = FILES[path]
    changed = body[:at] + bytes([body[at] ^ mask]) + body[at + 1 :]
    assert refused({**FILES, path: changed}).place == path


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_missing_file_is_named(path):
    wrong = refused({name: body for name, body in FILES.items() if name != path})
    assert wrong.place == path
    assert "missing" in str(wrong)


@pytest.mark.parametrize(
    "path", ["code/src/more.ts", "documents/more.md", "kit/more.sh", "aaa", "zzz"]
)
def test_an_added_file_is_named(path):
    wrong = refused({**FILES, path: b""})
    assert (wrong.place, "added" in str(wrong)) == (path, True)


def test_a_changed_line_of_the_log_is_named_even_by_its_number():
    lines = FILES[LOG].splitlines(keepends=True)
    lines[4] = lines[4].replace(b'"actor":"', b'"actor":"x')
    assert f"{LOG} is not what was delivered: line 5 " in str(
        refused({**FILES, LOG: b"".join(lines)})
    )


@pytest.mark.parametrize("path", sorted(set(FILES) - {MANIFEST, SCRIPT}))
def test_a_manifest_made_to_fit_does_not_hide_a_file_that_the_log_speaks_of(path):
    made_by_code = {checker.FOLDER + name for name in MADE}
    made_by_code |= {name for name in FILES if not name.startswith((checker.FOLDER, "code/"))}
    forged = listed_anew({**FILES, path: FILES[path].swapcase()})
    if path in made_by_code:
        assert check(forged)  # As the top of the program says.
    else:
        assert path in str(refused(forged))


def test_a_file_that_the_log_does_not_speak_of_is_not_hidden_by_a_manifest_made_to_fit():
    forged = listed_anew({**FILES, "code/src/backdoor.ts": b"evil()"})
    assert refused(forged).place == "code/src/backdoor.ts"
    fewer = {path: body for path, body in FILES.items() if path != "code/src/server.ts"}
    assert refused(listed_anew(fewer)).place == "code/src/server.ts"


def test_a_log_cut_short_does_not_pass_for_the_whole():
    lines = FILES[LOG].splitlines(keepends=True)
    for kept in (len(lines) - 1, 5):
        cut = b"".join(lines[:kept])
        head = json.loads(lines[kept - 1])["hash"]
        forged = listed_anew({**FILES, LOG: cut}, version=kept, head=head)
        assert refused(forged).place.startswith(LOG)


async def test_another_whole_log_passes_only_without_the_head_that_was_noted():
    other = unzipped(await Shop(LIVES["gone_back"]().events).zip())
    assert check(other)
    head = json.loads(FILES[LOG].splitlines()[-1])["hash"]
    assert refused(other, head).place.startswith(LOG)


async def test_a_review_is_told_as_the_log_records_it():
    told = json.loads(FILES[checker.REVIEWS])
    told["code_review"]["recorded"]["verdict"] = "FAIL"
    forged = listed_anew({**FILES, checker.REVIEWS: json.dumps(told).encode()})
    assert refused(forged).place == checker.REVIEWS


async def test_what_is_finished_is_delivered_alike_whatever_comes_after():
    shop = Shop(given.done().events)
    first = await shop.zip()
    assert first == await shop.zip()
    feature = given.done()
    end = feature.feature.version
    shop.tell(feature.do(c.RenameFeature("Another")).events[end:])
    assert await shop.zip() == first
    assert await shop.zip(end) == first
    there_and_back = LIVES["gone_back_and_forth"]().events
    assert unzipped(await Shop(there_and_back).zip()) == unzipped(first)


async def test_what_was_finished_once_is_delivered_as_of_then_and_nothing_earlier_is():
    shop = Shop(LIVES["gone_back"]().events)
    end = given.done().feature.version
    then = unzipped(await shop.zip(end))
    assert check(then)
    assert json.loads(then[MANIFEST])["version"] == end
    assert len(then[LOG].splitlines()) == end
    with pytest.raises(NotNow):
        await shop.zip(end - 1)


def test_a_zip_that_is_damaged_anywhere_says_so_or_holds_the_same_files(whole, tmp_path):
    place = tmp_path / "delivery.zip"
    hidden = 0
    for at in range(0, len(whole), 61):
        place.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        try:
            files = read(place)
            check(files)
        except Wrong:
            continue
        assert files == FILES
        hidden += 1
    assert hidden < len(whole) // 61 / 10  # Dates and the like, which are in no file.


@pytest.mark.parametrize("name", ["given", "another name", "Ünïcode"])
def test_a_folder_may_be_renamed_and_be_named_from_the_one_around_it(name, tmp_path):
    unpacked(tmp_path / "around" / name)
    (tmp_path / "around" / "holiday.jpg").write_bytes(b"")
    assert check(read(tmp_path / "around")) == check(FILES)
    unpacked(tmp_path / "around" / "second")
    assert "documents/manifest.json is missing" in str(refused(read(tmp_path / "around")))


def test_what_stands_in_a_zip_beside_the_folder_was_added(tmp_path):
    place = tmp_path / "more.zip"
    place.write_bytes(zipped(FILES))
    with zipfile.ZipFile(place, "a") as archive:
        archive.writestr("__MACOSX/as-unpacked/._README.md", APPLE_DOUBLE)
    assert check(read(place)) == check(FILES)
    with zipfile.ZipFile(place, "a") as archive:
        archive.writestr("autorun.inf", b"")
    assert refused(read(place)).place == "../autorun.inf"


def test_a_delivery_of_the_first_format_is_valid_and_its_changes_are_noticed(tmp_path, capsys):
    place = PROJECT / "tests" / "golden" / "delivery-1.zip"
    files = read(place)
    assert len(check(files)) == 5
    assert verify_file(place, None, as_json=False) == 0
    with zipfile.ZipFile(place) as archive:
        archive.extractall(tmp_path)
    assert check(read(tmp_path)) == check(files)
    capsys.readouterr()
    for path, body in files.items():
        assert refused({**files, path: body + b" "}).place == path
        assert refused({p: b for p, b in files.items() if p != path}).place in (path, MANIFEST)
    for path in ("src/more.ts", "evil.js", ".build-practical/more.md", "documents/manifest.json"):
        assert refused({**files, path: b"{}"}).place == path
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "dist").mkdir()
    assert len(notes(read(tmp_path))) == 2
    assert run(str(tmp_path / ".build-practical" / "verify.py"), str(place)).returncode == 0


async def test_the_folder_is_named_by_the_title_and_opens_with_how_to_start_it(whole):
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        names = archive.namelist()
        modes = {one.filename: one.external_attr >> 16 for one in archive.infolist()}
    top = file_name(given.SPEC.title) + "/"
    assert names[0] == top + "README.md"
    assert all(name.startswith(top) for name in names)
    first = {name.removeprefix(top).partition("/")[0] for name in names}
    assert first == {
        ".env.example", "README.md", "code", "compose.yaml", "documents", "kit", "start.cmd",
        "start.sh",
    }  # fmt: skip
    assert FILES["README.md"].startswith(f"# {given.SPEC.title}\n\n## How to start it\n".encode())
    assert {name for name, mode in modes.items() if mode & 0o111} == {top + "start.sh"}


async def test_what_the_implementer_tells_the_person_stands_on_the_first_page():
    shop = Shop([])
    shop.tell(
        replace(event, notes="Choose a **password**.\n\n- And keep it.")
        if isinstance(event, e.ImplementationCompleted)
        else event
        for event in with_files(given.done().events)
    )
    files = unzipped(await shop.zip())
    page = files["README.md"].decode()
    assert "## What the programmer tells you\n\n> Choose a **password**.\n>\n> - And keep" in page
    assert check(files)


def test_a_name_twice_in_a_zip_or_a_link_in_a_folder_is_refused(tmp_path):
    place = tmp_path / "twice.zip"
    place.write_bytes(zipped(FILES))
    with zipfile.ZipFile(place, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("as-unpacked/code/src/server.ts", b"evil()")
    with pytest.raises(Wrong, match=r"code/src/server.ts was added: it is in the zip twice"):
        read(place)
    folder = unpacked(tmp_path / "folder")
    (folder / "link").symlink_to(folder / "README.md")
    with pytest.raises(Wrong, match="link was added"):
        read(folder)


def unpacked(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    for path, body in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
    return folder


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@forall(st.sampled_from(["feature", "version", "head", "files", "format"]), json_values)
def test_a_manifest_of_nonsense_is_refused_and_never_believed(field, value):
    told = {**json.loads(FILES[MANIFEST]), field: value}
    if told != json.loads(FILES[MANIFEST]):
        refused({**FILES, MANIFEST: manifest_bytes(told)})


@forall(st.dictionaries(st.sampled_from(["path", "size", "sha256"]), json_values))
def test_a_manifest_that_lists_nonsense_is_refused_too(entry):
    told = json.loads(FILES[MANIFEST])
    told["files"] = [*told["files"], entry]
    refused({**FILES, MANIFEST: manifest_bytes(told)})


@forall(
    st.integers(0, len(FILES[LOG].splitlines()) - 1),
    st.sampled_from(["restored", "part", "event", "files", "document", "verdict", "gate"]),
    json_values,
    st.sampled_from(["feature_replayed", "part_carried", "approval_renewed", "code_reviewed", ""]),
)
def test_a_log_of_nonsense_chained_anew_stops_the_check_by_a_reason_if_it_stops_it(
    at, field, value, tag
):
    """What a forger could write who makes all hashes anew, but no sense."""
    made = []
    previous = b""
    for number, line in enumerate(FILES[LOG].splitlines()):
        stored = read_line(line)
        if number == at:
            clear = {**json.loads(stored.clear), field: value}
            stored = replace(stored, clear=json.dumps(clear).encode(), type=tag or stored.type)
        stored = rechained(stored, previous)
        previous = stored.hash
        made.append(msgspec.json.encode(cloud_event(stored)) + b"\n")
    forged = listed_anew({**FILES, LOG: b"".join(made)}, head=previous.hex())
    with contextlib.suppress(Wrong):
        check(forged)


def rechained(stored: StoredEvent, previous: bytes) -> StoredEvent:
    head = event_hash(
        previous,
        stored.position,
        stored.tenant_id.bytes,
        stored.feature_id.bytes,
        stored.version,
        stored.event_id.bytes,
        stored.type,
        stored.schema_version,
        stored.clear,
        stored.sealed_sha256,
        stored.key_id.bytes if stored.key_id else None,
        stored.correlation_id.bytes,
        stored.causation_id.bytes if stored.causation_id else None,
        stored.actor,
        stored.recorded_at,
    )
    return replace(stored, previous_hash=previous, hash=head)


def test_the_program_in_the_delivery_checks_it_with_nothing_but_python(tmp_path, whole):
    folder = unpacked(tmp_path / "folder")
    place = tmp_path / "delivery.zip"
    place.write_bytes(whole)
    own = str(folder / SCRIPT)
    head = json.loads(FILES[LOG].splitlines()[-1])["hash"]
    for arguments in ([], [str(place)], [str(folder), "--head", head]):
        ran = run(own, *arguments)
        assert (ran.returncode, ran.stderr) == (0, ""), ran
        assert ran.stdout.splitlines()[-1].startswith("valid: ")
    assert run(own, str(place), "--head", "ab" * 32).returncode == 1
    assert run(own, str(tmp_path / "nothing.zip")).returncode == 2
    assert run(own, "--help").returncode == 2
    server = folder / "code" / "src" / "server.ts"
    server.write_bytes(server.read_bytes() + b" ")
    ran = run(own)
    assert (ran.returncode, ran.stdout) == (
        1,
        "NOT valid: code/src/server.ts is not what was delivered\n",
    )
    assert read(folder).keys() == FILES.keys()  # It left nothing behind.


def test_the_command_line_checks_a_delivery_with_a_program_of_its_own(tmp_path, whole, capsys):
    place = tmp_path / "delivery.zip"
    place.write_bytes(whole)
    head = json.loads(FILES[LOG].splitlines()[-1])["hash"]
    assert verify_file(place, head, as_json=False) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"{head} (as you noted)")
    place.write_bytes(zipped({**FILES, SCRIPT: b"print('valid')"}))
    assert verify_file(place, None, as_json=False) == 1
    assert f"NOT valid: {SCRIPT} is not what was delivered" in capsys.readouterr().err
    assert verify_file(place, None, as_json=True) == 1
    assert json.loads(capsys.readouterr().out) == [{"valid": False, "place": SCRIPT}]
    assert verify_file(unpacked(tmp_path / "folder"), None, as_json=True) == 0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # Ours.
        [sys.executable, "-I", *arguments], capture_output=True, text=True, check=False
    )


def test_the_program_is_the_two_modules_word_for_word():
    text = script().decode()
    assert FILES[SCRIPT] == script()
    assert "import application" not in text
    assert "from application" not in text
    assert text.count("def main(") == 1
    assert text.count("\ndef event_hash(") == 1
    ast.parse(text, SCRIPT, feature_version=(3, 8))


def test_a_changed_program_that_still_runs_notices_itself(tmp_path):
    folder = unpacked(tmp_path / "folder")
    program = folder / SCRIPT
    program.write_bytes(program.read_bytes().replace(b"Checks a delivery", b"Checks A delivery"))
    ran = run(str(program))
    assert ran.stdout == f"NOT valid: {SCRIPT} is not what was delivered\n"
    # One that was made to say yes says yes: so the top of it tells people to use their own.
    program.write_bytes(b"print('valid')\n")
    assert run(str(program)).returncode == 0
    assert main([str(folder)]) == 1


def test_a_manifest_cannot_be_written_in_two_ways():
    told = json.loads(FILES[MANIFEST])
    assert manifest_bytes(told) == FILES[MANIFEST]
    for body in (
        json.dumps(told).encode(),
        FILES[MANIFEST].replace(b'"format"', b'"format" '),
        FILES[MANIFEST].replace(b'"version"', b'"Version"'),
        b"[]",
        b"\xff",
        b"",
    ):
        assert refused({**FILES, MANIFEST: body}).place == MANIFEST
    assert told["sha256"] not in {each["sha256"] for each in told["files"]}
    assert sha256(FILES["code/README.md"]).hexdigest() in {each["sha256"] for each in told["files"]}


def undecided() -> given.Story:
    story = given.in_review().work(Step.SECURITY_REVIEW, verdict=Verdict.UNDECIDED)
    return story.work(Step.CODE_REVIEW)


async def taken_as_not_passed(story: given.Story) -> dict[str, bytes]:
    parcel = await Shop(story.events).not_passed(TENANT, FEATURE)
    return unzipped(b"".join([chunk async for chunk in parcel.chunks()]))


async def test_code_without_a_verdict_is_no_delivery_and_says_so_where_it_is_handed_out():
    story = undecided()
    with pytest.raises(NotNow):
        await Shop(story.events).zip()
    files = await taken_as_not_passed(story)
    assert json.loads(files[MANIFEST])["verdict"] == "UNDECIDED"
    assert b"did not pass its reviews" in files["documents/README.md"]
    assert any("DID NOT PASS" in line for line in check(files))
    assert "WITHOUT HAVING PASSED" in checker.summary(files, None)
    renamed = await taken_as_not_passed(story.do(c.RenameFeature("Another")))
    assert renamed == files


async def test_what_did_not_pass_cannot_be_told_to_have_passed():
    files = await taken_as_not_passed(undecided())
    assert "both reviews passed" in str(refused(listed_anew(files, verdict="PASS")))
    assert "both reviews passed" in str(refused(listed_anew(FILES, verdict="UNDECIDED")))


async def test_what_failed_or_passed_is_never_handed_out_as_not_passed():
    failed = given.in_review().work(Step.SECURITY_REVIEW, verdict=Verdict.FAIL)
    failed.work(Step.CODE_REVIEW, verdict=Verdict.UNDECIDED)
    for story in (failed, given.done(), given.in_review(), undecided().do(c.RetryFeature())):
        with pytest.raises(NotNow):
            await taken_as_not_passed(story)
