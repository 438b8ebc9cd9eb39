"""A delivery can be started by somebody who has only Docker, and says plainly what is missing.

Docker itself is not here: what is shown is that the files are sound and agree with each other, that
the scripts run, and what they say, with a program called `docker` that answers as they expect.
"""

import json
import os
import re
import stat
import string
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given as forall
from hypothesis import strategies as st

from application.agents.stack_profile import PROFILE
from application.delivery.guide import guide_of
from application.delivery.kit import Kit, is_secret, kit_of, settings_of
from application.delivery.letter import letter_html, letter_markdown, letter_of
from application.delivery.words import WORDS, language_for
from tests import given

FEATURE = UUID("019ad000-0000-7000-8000-000000000001")
PACKAGE = json.dumps(
    {"scripts": dict(PROFILE.scripts), "dependencies": {"pg": PROFILE.versions["pg"]}}
).encode()
EXAMPLE = b"""\
# The PostgreSQL database
DATABASE_URL=
HOST=127.0.0.1
PORT=3000

# Signs the sessions
SESSION_SECRET=
# Where mail goes out
SMTP_URL=
SESSION_HOURS=8
GREETING="Hello $you, it's"
# OPTIONAL_NAME=
PUBLIC_URL=
"""
PATHS = ("package.json", ".env.example", "db/002_more.sql", "db/001_first.sql", "src/server.ts")


def made(
    example: bytes = EXAMPLE,
    paths: tuple[str, ...] = PATHS,
    package: bytes = PACKAGE,
    language: str = "en",
) -> Kit:
    return kit_of(FEATURE, paths, {"package.json": package, ".env.example": example}, language)


KIT = made()


def compose(kit: Kit = KIT) -> dict[str, Any]:
    return dict(yaml.safe_load(kit.files["compose.yaml"]))


def given_by(kit: Kit) -> set[str]:
    """Every setting that the program can get: by the compose file, or from the example."""
    named = {one.name for one in settings_of(kit.files[".env.example"].decode())}
    return named | set(compose(kit)["services"]["app"]["environment"])


def test_the_compose_file_starts_the_database_then_the_tables_then_the_program():
    services = compose()["services"]
    assert set(services) == {"database", "tables", "app", "ready"}
    assert services["tables"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["app"]["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "tables": {"condition": "service_completed_successfully"},
    }
    assert services["ready"]["depends_on"] == {"app": {"condition": "service_healthy"}}
    assert services["tables"]["command"][2:] == ["001_first.sql", "002_more.sql"]
    given_to = services["app"]["environment"]
    assert given_to["DATABASE_URL"] == "postgres://app:app@database:5432/app"
    assert (given_to["HOST"], given_to["PORT"]) == ("0.0.0.0", "3000")  # noqa: S104
    assert services["tables"]["environment"]["PGHOST"] == "database"


def test_only_this_computer_can_open_the_program_and_nobody_the_database():
    made = compose()
    published = {name: one["ports"] for name, one in made["services"].items() if "ports" in one}
    assert published == {"app": ["127.0.0.1:${START_PORT:-3000}:3000"]}
    assert made["services"]["database"]["networks"] == ["inside"]
    assert made["networks"]["inside"] == {"internal": True}


def test_every_name_in_the_compose_file_is_there():
    made = compose()
    for service in made["services"].values():
        assert set(service.get("depends_on", {})) <= set(made["services"])
        assert set(service.get("networks", [])) <= set(made["networks"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./kit/"):
                assert source[2:] in KIT.files
            elif source.startswith("./"):
                assert any(f"./code/{path}".startswith(source) for path in PATHS)
            else:
                assert source in made["volumes"]
    assert made["services"]["app"]["build"]["dockerfile"] in KIT.files
    copied = re.findall(r"^COPY (\S+)", KIT.files["kit/Dockerfile"].decode(), re.MULTILINE)
    assert copied == ["code/package.json", "code/", "kit/run.sh"]
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", made["name"])


def test_settings_are_given_made_suggested_or_left_to_the_person():
    example = KIT.files[".env.example"].decode()
    settings = {one.name: one for one in settings_of(example)}
    assert settings["START_PORT"].value == "3000"
    assert settings["SESSION_HOURS"].value == "8"
    assert settings["PUBLIC_URL"].value == "http://localhost:3000"
    assert not settings["OPTIONAL_NAME"].active
    assert "DATABASE_URL" not in settings
    assert KIT.to_fill == ("SMTP_URL",)
    assert "# Where mail goes out" in example
    assert (
        "GREETING=\n" in example
    )  # It has a `'`, and cannot be written so that all read it alike.
    run = KIT.files["kit/run.sh"].decode()
    assert "for name in SESSION_SECRET; do" in run


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("SESSION_SECRET", True), ("COOKIE_KEY", True), ("JWT_SECRET", True), ("TOKEN_KEY", True),
        ("PASSWORD_PEPPER", True), ("CSRF_TOKEN_SECRET", True), ("ENCRYPTION_KEY", True),
        ("STRIPE_SECRET_KEY", False), ("AWS_SECRET_ACCESS_KEY", False), ("API_KEY", False),
        ("OAUTH_CLIENT_SECRET", False), ("SMTP_PASSWORD", False), ("SECRETARY_MAIL", False),
    ],
)  # fmt: skip
def test_a_random_value_is_made_only_where_any_value_is_right(name, secret):
    assert is_secret(name) == secret
    assert (made(f"{name}=\n".encode()).to_fill == ()) == secret


def test_without_a_database_there_is_none():
    kit = made(b"", ("package.json", "src/server.ts"), b'{"scripts": {"start": "node x"}}')
    assert set(compose(kit)["services"]) == {"app", "ready"}
    assert "kit/tables.sh" not in kit.files
    assert not kit.has_database


@pytest.mark.parametrize("package", [b"", b"{", b"[]", b"{}", b'{"scripts": []}', b"\xff"])
def test_code_that_cannot_be_started_has_no_kit_and_the_first_page_says_so(package):
    kit = made(package=package)
    assert (kit.files, len(kit.gaps)) == ({}, 1)
    page = guide_of("Tools", kit, "", "en", passed=True)
    assert "cannot be started from here" in page
    assert "start.sh" not in page


names = st.text(string.ascii_uppercase + "_", min_size=1, max_size=12).filter(str.isidentifier)
values = st.text(max_size=20)
lines = st.builds("{}{}={}".format, st.sampled_from(["", "# ", "export "]), names, values) | values
known = st.sampled_from([*PROFILE.kit.given, *PROFILE.kit.given_with_database, *PROFILE.kit.also])
examples = st.lists(lines | known.map("{}=".format), max_size=8).map("\n".join)


@forall(examples, st.lists(st.text(max_size=12), max_size=3), st.sampled_from([*WORDS]))
def test_any_settings_and_any_tables_make_files_that_agree(example, tables, language):
    paths = (*PATHS, *(f"db/{name}.sql" for name in tables))
    kit = made(example.encode("utf-8", "replace"), paths, language=language)
    services = compose(kit)["services"]
    named = {one.name for one in settings_of(example.encode("utf-8", "replace").decode())}
    assert named <= given_by(kit)
    assert {"DATABASE_URL", "HOST", "PORT"} <= given_by(kit)
    run = services["tables"]["command"][2:]
    wanted = sorted(p.removeprefix("db/") for p in paths if p.startswith("db/") and p.isprintable())
    assert [name.replace("$$", "$") for name in run] == wanted
    for line in kit.files[".env.example"].decode().splitlines():
        assert not line or line.startswith("#") or re.match(r"[A-Z][A-Z0-9_]*=", line)
    assert kit == made(example.encode("utf-8", "replace"), paths, language=language)
    text = b"".join(kit.files.values()).decode()
    assert not re.search(r"@[A-Z_]+@", re.sub(r"(?m)^.*=.*$|^#.*$", "", text))


# What scripts say, and that they run.


@pytest.mark.parametrize("language", [*WORDS])
def test_the_scripts_are_whole_in_every_language(language, tmp_path):
    kit = made(language=language)
    for path, body in kit.files.items():
        assert not re.search(rb"@[A-Z_]+@", body)
        assert (b"\r\n" in body) == (path == "start.cmd")
        if path.endswith(".sh"):
            (tmp_path / "script.sh").write_bytes(body)
            assert shell({}, "-n", tmp_path / "script.sh").returncode == 0
    said = msgspec.structs.asdict(WORDS[language].script)
    for name, words in said.items():
        assert not set(words) & set("&|<>^%!()\"'`$\\")
        assert words.encode() in kit.files["kit/tables.sh" if name == "changed" else "start.sh"]
        assert name == "changed" or f"echo {words}\r\n".encode() in kit.files["start.cmd"]


def test_every_label_of_the_windows_script_is_there_and_what_it_asks_of_docker_is_the_same():
    text = KIT.files["start.cmd"].decode()
    labels = set(re.findall(r"(?m)^:(\w+)\r$", text))
    assert set(re.findall(r"goto (\w+)", text)) == labels
    asked = re.compile(r"docker compose (?:up|down|logs)[^\r\n|;]*")
    calls = {call.strip() for call in asked.findall(text)}
    in_sh = asked.findall(KIT.files["start.sh"].decode())
    assert calls == {call.replace(" exit 1", "").strip() for call in in_sh}


def shell(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # Ours.
        ["/bin/sh", *map(str, arguments)],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def started(folder: Path, docker: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `start.sh` where `docker` is such a script, or is not there."""
    project = folder / "Werk zeug 自転車"
    for path, body in KIT.files.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_bytes(body)
    tools = folder / "tools"
    tools.mkdir()
    for name in ("dirname", "cp", "sed", "tail", "cat"):
        found = next(Path(p, name) for p in ("/usr/bin", "/bin") if Path(p, name).exists())
        (tools / name).symlink_to(found)
    if docker is not None:
        (tools / "docker").write_text(f'#!/bin/sh\necho "$@" >>"{folder}/calls"\n{docker}\n')
        (tools / "docker").chmod(stat.S_IRWXU)
    return shell({"PATH": str(tools)}, project / "start.sh", *arguments)


SAID = WORDS["en"].script


@pytest.mark.parametrize(
    ("docker", "says"),
    [
        (None, SAID.missing),
        ('[ "$1" != compose ]', SAID.old),
        ('[ "$1" != info ]', SAID.asleep),
        ('[ "$2" != up ]', SAID.failed),
    ],
)
def test_what_is_missing_is_said_in_plain_words(docker, says, tmp_path):
    ran = started(tmp_path, docker)
    assert ran.returncode == 1
    assert says in ran.stdout


def test_it_starts_and_says_what_to_open_and_stops(tmp_path):
    ran = started(tmp_path, "exit 0")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith(f"{SAID.runs}\nhttp://localhost:3000\n")
    assert (tmp_path / "calls").read_text().splitlines()[-1] == (
        "compose up --build --detach --remove-orphans"
    )


def test_a_chosen_port_is_kept_and_it_can_be_stopped(tmp_path):
    (tmp_path / "Werk zeug 自転車").mkdir()
    (tmp_path / "Werk zeug 自転車" / ".env").write_text("START_PORT=4000\n")
    assert started(tmp_path, "exit 0").stdout.endswith("http://localhost:4000\n")
    (tmp_path / "again").mkdir()
    ran = started(tmp_path / "again", "exit 0", "stop")
    assert (ran.returncode, ran.stdout) == (0, SAID.stopped + "\n")
    assert (tmp_path / "again" / "calls").read_text().splitlines()[-1] == "compose down"


def test_in_the_container_empty_settings_are_not_given_and_secrets_are_made_once(tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "npm").write_text('#!/bin/sh\necho "$@"\nenv | sort\n')
    (tools / "node").write_text(
        "#!/bin/sh\necho made >>'" + str(tmp_path / "made") + "'\nprintf x1\n"
    )
    for tool in tools.iterdir():
        tool.chmod(stat.S_IRWXU)
    (tmp_path / "run.sh").write_bytes(KIT.files["kit/run.sh"])
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "KIT_KEPT": str(tmp_path),
        "SMTP_URL": "",
        "SESSION_SECRET": "",
        "SESSION_HOURS": "9 to 5",
    }
    for _ in range(2):
        said = shell(environment, tmp_path / "run.sh").stdout
        assert said.startswith("start\n")
        assert "SESSION_SECRET=x1\n" in said
        assert "SESSION_HOURS=9 to 5\n" in said
        assert "SMTP_URL" not in said
    assert (tmp_path / "made").read_text() == "made\n"
    chosen = {**environment, "SESSION_SECRET": "chosen"}
    assert "SESSION_SECRET=chosen\n" in shell(chosen, tmp_path / "run.sh").stdout


# What people read.


def test_every_language_has_the_same_places_for_values():
    for words in WORDS.values():
        for name in set(words.__struct_fields__) - {"script"}:
            english, said = getattr(WORDS["en"], name), getattr(words, name)
            assert said
            assert set(re.findall(r"{\w+}|`[^`]+`", said)) == set(
                re.findall(r"{\w+}|`[^`]+`", english)
            )


@pytest.mark.parametrize("language", [*WORDS])
def test_the_first_page_begins_with_how_to_start_it_in_three_steps(language):
    page = guide_of(
        "Werkzeuge", KIT, "Choose a <b>password</b>.\n# Not a heading", language, passed=True
    )
    lines = [line for line in page.splitlines() if line]
    assert lines[:2] == ["# Werkzeuge", f"## {WORDS[language].start}"]
    assert [line[:2] for line in lines if line[:1].isdigit()] == ["1.", "2.", "3."]
    assert "http://localhost:3000" in page
    assert "`SMTP_URL`" in page
    assert "> Choose a &lt;b>password&lt;/b>." in page
    assert "> # Not a heading" in page
    assert WORDS[language].not_passed not in page
    failed = guide_of("Werkzeuge", KIT, "", language, passed=False)
    assert WORDS[language].not_passed in failed.split("## ")[0]
    assert WORDS[language].notes not in failed


@pytest.mark.parametrize(
    ("brief", "language"),
    [
        ("Wir verleihen Werkzeug und möchten sehen, wer es hat und wann es kommt.", "de"),
        ("道具の貸し出しを記録します。", "ja"),
        ("نريد حجز إصلاح الدراجات", "en"),
        ("", "en"),
    ],
)
def test_the_person_is_spoken_to_in_the_language_of_the_brief(brief, language):
    assert language_for(brief) == language


@pytest.mark.parametrize("language", [*WORDS])
def test_the_letter_says_what_it_is_needs_costs_and_whom_to_ask_on_one_page(language):
    many = msgspec.structs.replace(given.SPEC, requirements=given.SPEC.requirements * 22)
    letter = letter_of(FEATURE, 30, many, KIT, language)
    words = WORDS[language]
    headings = [words.what, words.does, words.requires, words.costs, words.ask]
    assert [section.heading for section in letter.sections] == headings
    text, page = letter_markdown(letter), letter_html(letter)
    assert "PostgreSQL" in text
    assert "`SMTP_URL`" in text
    assert "14" in text
    assert str(FEATURE) in text
    assert len(text.splitlines()) < 50
    assert f'<html lang="{language}">' in page
    assert "<code>SMTP_URL</code>" in page
    assert "<script" not in page


@forall(st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_nothing_of_what_agents_wrote_is_markup_in_the_letter(title, summary):
    spec = msgspec.structs.replace(given.SPEC, title=title, summary=f"{summary} <i>x</i>")
    page = letter_html(letter_of(FEATURE, 1, spec, KIT, "en"))
    assert "<i>" not in page
    assert page.count("<h1") == page.count("</h1>") == 1
    assert page.count("<") == page.count(">")
