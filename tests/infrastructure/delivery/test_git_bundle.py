"""A feature's history as real git sees it: cloned from the bundle, checked, and read back."""

import subprocess
from pathlib import Path

import pytest

from application.delivery.history import commits_of
from domain import events as e
from domain.errors import NotFound, NotNow
from domain.status import Status
from tests import given
from tests.delivered import FEATURE, LIVES, PERSON, SOURCES, TENANT, Shop, unzipped


def git(*arguments: str, inside: Path | None = None) -> str:
    """What real git says, without anybody's settings."""
    ran = subprocess.run(  # noqa: S603  # Ours.
        ["git", "-c", "core.fsmonitor=false", *arguments],  # noqa: S607  # Whichever is there.
        cwd=inside,
        env={
            "PATH": "/usr/bin:/bin:/usr/local/bin",
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": "/nowhere",
        },
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.decode()


async def cloned(shop: Shop, folder: Path, version: int | None = None) -> Path:
    bundle = folder / "feature.bundle"
    bundle.write_bytes(await shop.git(version))
    git("bundle", "verify", str(bundle), inside=_repository(folder))
    git("clone", "-q", str(bundle), str(folder / "clone"))
    return folder / "clone"


def _repository(folder: Path) -> Path:
    git("init", "-q", str(folder / "empty"))
    return folder / "empty"


def files_at(clone: Path, commit: str) -> dict[str, bytes]:
    names = git("ls-tree", "-r", "-z", "--name-only", commit, inside=clone).split("\0")[:-1]
    return {name: git("show", f"{commit}:{name}", inside=clone).encode() for name in names}


def logged(clone: Path, form: str) -> list[str]:
    return git("log", "--reverse", f"--format={form}", inside=clone).splitlines()


@pytest.mark.parametrize("life", LIVES)
async def test_real_git_clones_each_life_and_finds_every_checkpoint(life, tmp_path):
    shop = Shop(LIVES[life]().events)
    clone = await cloned(shop, tmp_path)
    git("fsck", "--strict", inside=clone)
    assert git("branch", "--show-current", inside=clone) == "main\n"
    assert git("status", "--porcelain", inside=clone) == ""
    events = await shop.features.history(TENANT, FEATURE)
    feature = await shop.features.load(TENANT, FEATURE)
    versions = [int(v) for v in logged(clone, "%(trailers:key=Version,valueonly,separator=)")]
    ended = feature.content.checkpoint
    mended = {r.version for r in events if isinstance(r.event, e.MendingStarted)}
    marks = {c.version for c in feature.checkpoints if c.version <= ended} - mended
    back = {
        r.version
        for r in events[:ended]
        if isinstance(r.event, e.FeatureReplayed | e.FeatureRetried)
    }
    assert versions == sorted(marks | back)
    times = [int(t) for t in logged(clone, "%at")]
    assert times == [int(events[v - 1].recorded_at.timestamp()) for v in versions]
    assert times == [int(t) for t in logged(clone, "%ct")]
    hashes = logged(clone, "%(trailers:key=Event-Hash,valueonly,separator=)")
    assert hashes == [events[v - 1].hash.hex() for v in versions]
    kinds = [email.partition("-")[0] for email in logged(clone, "%ae")]
    assert kinds == [events[v - 1].actor.partition(":")[0] for v in versions]
    assert set(logged(clone, "%ae")) >= {f"user-{PERSON}@build-practical.invalid"}


async def test_the_last_commit_holds_the_files_and_documents_of_the_zip(tmp_path):
    shop = Shop(given.done().events)
    clone = await cloned(shop, tmp_path)
    there = files_at(clone, "HEAD")
    zipped = unzipped(await shop.zip())
    assert {path: body for path, body in there.items() if not path.startswith("docs/")} == SOURCES
    for name in ("brief", "spec", "plan", "tests", "security_review", "code_review"):
        assert there.pop(f"docs/{name}.md") == zipped[f"documents/{name}.md"]
    assert there == SOURCES
    assert (clone / "src" / "server.ts").read_bytes() == SOURCES["src/server.ts"]


async def test_documents_tests_and_files_come_when_they_were_made(tmp_path):
    clone = await cloned(Shop(given.done().events), tmp_path)
    by_status = dict(
        zip(
            logged(clone, "%(trailers:key=Status,valueonly,separator=)"),
            logged(clone, "%H"),
            strict=True,
        )
    )
    assert files_at(clone, by_status[Status.DRAFTING]) == {}
    spec = files_at(clone, by_status[Status.SPEC_READY])
    assert set(spec) == {"docs/brief.md", "docs/spec.md"}
    tests = files_at(clone, by_status[Status.TESTS_READY])
    assert set(tests) == {
        "docs/brief.md", "docs/spec.md", "docs/plan.md", "docs/tests.md", "tests/lend.test.ts"
    }  # fmt: skip
    review = files_at(clone, by_status[Status.REVIEW])
    assert set(review) == {*SOURCES, *(set(tests) - set(SOURCES))}


async def test_going_back_is_a_commit_that_restores(tmp_path):
    shop = Shop(LIVES["gone_back"]().events)
    clone = await cloned(shop, tmp_path)
    subjects = logged(clone, "%s")
    trees = logged(clone, "%T")
    at = next(n for n, words in enumerate(subjects) if words.startswith("Go back to version"))
    assert trees[at] == trees[subjects.index("Write the plan")]
    assert files_at(clone, "HEAD").keys() >= SOURCES.keys()
    assert len(subjects) == len(logged(clone, "%H"))


async def test_the_same_history_is_the_same_bundle_and_may_be_asked_for_as_of_then():
    shop = Shop(LIVES["gone_back"]().events)
    once = given.done()
    end = once.feature.version
    assert await shop.git() == await shop.git()
    assert await shop.git(end) == await Shop(once.events).git()
    assert await shop.git(end) != await shop.git()
    with pytest.raises(NotNow):
        await shop.git(end - 1)
    shop.features._folded.clear()  # noqa: SLF001
    shop.log.events.clear()
    with pytest.raises(NotFound):
        await shop.git()


def test_words_of_people_cannot_pass_for_the_lines_of_the_service():
    story = given.at_gate(given.Gate.SPEC)
    command = given.approve(story.feature, given.Gate.SPEC)
    note = "fine\n\nVersion: 99\nEvent-Hash: 00\0"
    story.do(type(command)(command.gate, command.content_sha256, note))
    shop = Shop(story.events)
    last = list(commits_of(shop.log.events))[-1]
    assert "fine Version: 99 Event-Hash: 00\n\nStatus: spec_approved\n" in last.message
    assert "\0" not in last.message


@pytest.mark.parametrize("path", ["docs/spec.md", "Docs/SPEC.md", "docs"])
def test_generated_files_that_take_a_documents_place_move_the_documents(path):
    events = [
        given.replace(event, files=(e.FileWritten(path, 1, "aa" * 32),))
        if isinstance(event, e.ImplementationCompleted)
        else event
        for event in given.done().events
    ]
    shop = Shop([])
    shop.tell(events)
    last = list(commits_of(shop.log.events))[-1]
    assert set(last.texts) == {
        f".build-practical/{name}.md"
        for name in ("brief", "spec", "plan", "tests", "security_review", "code_review")
    }


async def test_real_git_finds_a_branch_for_each_earlier_round(tmp_path):
    story = LIVES["changed_twice"]()
    clone = await cloned(Shop(story.events), tmp_path)
    names = git("branch", "-r", "--format=%(refname:lstrip=3)", inside=clone).split()
    assert {"main", "round-1", "round-2"} <= set(names)
    form = "--format=%(trailers:key=Status,valueonly,separator=)"
    assert git("log", "-1", form, "origin/round-1", inside=clone) == "done\n"
    ahead = git("rev-list", "--count", "origin/round-1..main", inside=clone)
    assert int(ahead) > 0
    assert git("rev-list", "--count", "main..origin/round-2", inside=clone) == "0\n"
