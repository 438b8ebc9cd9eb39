"""From a brief to a zip, through the API of a real service with the demo model."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from ast_grep_py import SgRoot

from interface.cli.client import ServiceClient, ServiceRefused
from interface.cli.demo import run_demo
from tests.e2e.service import PROJECT, up
from tests.object_store import object_store

BRIEF = (PROJECT / "examples" / "tool-library.md").read_text()
PASSWORD = "correct horse battery staple"  # noqa: S105  # Of accounts that live for a test.

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with up(tmp_path_factory.mktemp("e2e") / "data") as url:
        yield url


async def settled(client: ServiceClient, path: str, status: str, *, version: int = 0) -> dict:
    """The feature once it stands there; the demo model's steps are short."""
    while True:
        shown = await client.call("GET", path, min_version=version + 1)
        if shown["status"] == status and not shown.get("working"):
            return shown
        assert shown["status"] != "failed", shown["failure"]
        version = shown["version"]


async def advised(client: ServiceClient, path: str, gate: str) -> dict:
    shown = await settled(client, path, f"{gate}_ready")
    while shown["recommendation"] is None:
        shown = await client.call("GET", path, min_version=shown["version"] + 1)
    return shown


async def approve(client: ServiceClient, path: str, gate: str) -> dict:
    shown = await advised(client, path, gate)
    sha = shown["deliverables"][gate]["content_sha256"]
    return await client.call(
        "POST", f"{path}/approve", {"gate": gate, "content_sha256": sha, "note": "looks right"}
    )


async def signed_up(url: str, name: str) -> ServiceClient:
    client = ServiceClient(url)
    await client.sign_up(f"{name}@example.com", PASSWORD)
    return client


async def test_a_brief_becomes_a_zip_whose_code_reads(service, tmp_path, database):
    async with ServiceClient(service) as client:
        lines: list[str] = []
        first = await run_demo(client, BRIEF, tmp_path, lines.append)
        feature = UUID(lines[0].removeprefix("feature "))
        again = tmp_path / "again.zip"
        await client.download(feature, again)
        assert first.read_bytes() == again.read_bytes()

        runs = await client.call("GET", f"/api/features/{feature}/runs")
        assert {run["agent"] for run in runs["items"]} == {
            "ba",
            "spec",
            "planner",
            "contract_test",
            "implementer",
            "security_review",
            "code_review",
            "alignment_review",
            "title",
        }
        assert {run["model"] for run in runs["items"]} == {"demo-model"}
        verified = await client.call("GET", f"/api/features/{feature}/events/verify")
        assert verified["valid"]
        bundle = tmp_path / "feature.bundle"
        await client.download(feature, bundle, "git")
        line = await client.call("GET", f"/api/features/{feature}/events", limit=200)
        heads = {event["version"]: event["hash"] for event in line["items"]}

    proves_itself(first, tmp_path / "unpacked", heads)
    is_the_history_of(first, bundle, tmp_path / "clone")
    archive = zipfile.ZipFile(io.BytesIO(first.read_bytes()))
    assert archive.testzip() is None
    scripts = [name for name in archive.namelist() if name.endswith(".ts")]
    assert scripts
    for name in scripts:
        tree = SgRoot(archive.read(name).decode(), "typescript").root()
        assert tree.find(kind="ERROR") is None, name
    schema = next(name for name in archive.namelist() if name.endswith(".sql"))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA app_under_test")
        connection.execute("SET search_path = app_under_test")
        connection.execute(archive.read(schema).decode())
        tables = connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'app_under_test'"
        ).fetchone()
    assert tables is not None
    assert tables[0] >= 2


def proves_itself(archive: Path, folder: Path, heads: dict[int, str]) -> None:
    """The program in the zip finds it good, in the zip and in a folder, and notices one byte."""
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    (folder,) = folder.iterdir()
    manifest = json.loads((folder / "documents" / "manifest.json").read_text())
    head = heads[manifest["version"]]
    own = str(folder / "documents" / "verify.py")
    for arguments in ([], [str(archive)], [str(archive), "--head", head]):
        ran = said_by(sys.executable, "-I", own, *arguments)
        assert (ran.returncode, ran.stderr) == (0, ""), ran
        assert ran.stdout.splitlines()[-1].startswith("valid: ")
    trace = json.loads((folder / "documents" / "trace.json").read_text())
    assert trace["points"]
    assert trace["gaps"] == []
    changed = folder / "code" / "src" / "server.ts"
    changed.write_bytes(b"!" + changed.read_bytes()[1:])
    ran = said_by(sys.executable, "-I", own)
    assert (ran.returncode, ran.stdout) == (
        1,
        "NOT valid: code/src/server.ts is not what was delivered\n",
    )


def is_the_history_of(archive: Path, bundle: Path, clone: Path) -> None:
    """Real git clones the bundle; its last commit holds the zip's files."""
    ran = said_by("git", "clone", "-q", str(bundle), str(clone))
    assert ran.returncode == 0, ran.stderr
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            _, inside, path = name.partition("/code/")
            if inside:
                assert (clone / path).read_bytes() == opened.read(name), name
    subjects = said_by("git", "-C", str(clone), "log", "--format=%s").stdout.splitlines()
    assert subjects[0] == "Pass both reviews"
    assert subjects[-1] == "Begin the feature"


def said_by(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


async def test_a_person_revises_goes_back_and_goes_on(service):
    async with await signed_up(service, "ana") as client:
        created = await client.call("POST", "/api/features", {"title": "Tools"})
        path = f"/api/features/{created['id']}"
        await client.call("POST", f"{path}/brief", {"brief": BRIEF})
        shown = await advised(client, path, "spec")
        first_sha = shown["deliverables"]["spec"]["content_sha256"]
        await approve(client, path, "spec")
        plan = await advised(client, path, "plan")

        revised = f"{BRIEF}\n- BF-90 Members can print a list of all tools.\n"
        await client.call("POST", f"{path}/revise", {"brief": revised})
        shown = await advised(client, path, "spec")
        assert shown["deliverables"]["plan"] is None
        assert shown["epoch"] == plan["epoch"] + 1
        assert shown["deliverables"]["spec"]["content_sha256"] != first_sha
        with pytest.raises(ServiceRefused) as stale:
            await client.call(
                "POST", f"{path}/approve", {"gate": "spec", "content_sha256": first_sha}
            )
        assert (stale.value.status, stale.value.code) == (409, "content_changed")

        checkpoints = await client.call("GET", f"{path}/checkpoints")
        target = next(
            point
            for point in checkpoints["items"]
            if point["status"] == "plan_ready" and point["event"] == "recommendation_made"
        )
        accepted = await client.call("POST", f"{path}/replay", {"version": target["version"]})
        shown = await client.call("GET", path, min_version=accepted["version"])
        assert shown["status"] == "plan_ready"
        assert shown["deliverables"]["spec"]["content_sha256"] == first_sha
        assert shown["recommendation"]["gate"] == "plan"
        await approve(client, path, "plan")
        await approve(client, path, "tests")
        done = await settled(client, path, "done")
        assert {part["state"] for part in done["breadcrumb"]} == {"done"}


async def test_bad_input_is_one_clear_problem(service):
    async with await signed_up(service, "bea") as client:
        created = await client.call("POST", "/api/features", {})
        path = f"/api/features/{created['id']}"
        for method, place, body, status, code in [
            ("POST", f"{path}/brief", {"brief": ""}, 400, "invalid"),
            ("POST", f"{path}/brief", {"brief": "x" * 40_001}, 400, "invalid"),
            ("POST", f"{path}/brief", {"brief": "x" * 400_000}, 413, "too_large"),
            ("POST", f"{path}/retry", None, 409, "not_now"),
            ("GET", f"{path}/download", None, 409, "not_now"),
            ("POST", f"{path}/replay", {"version": 99}, 409, None),
            ("GET", "/api/features/0190a000-0000-7000-8000-000000000000", None, 404, "not_found"),
        ]:
            with pytest.raises(ServiceRefused) as refused:
                await client.call(method, place, body)
            assert refused.value.status == status, (place, refused.value)
            assert str(refused.value)
            assert code is None or refused.value.code.startswith(code), refused.value.code


async def test_two_people_see_nothing_of_each_other(service):
    async with await signed_up(service, "cai") as cai, await signed_up(service, "dan") as dan:
        created = await cai.call("POST", "/api/features", {"title": "Mine"})
        assert (await dan.call("GET", "/api/features"))["items"] == []
        with pytest.raises(ServiceRefused) as refused:
            await dan.call("GET", f"/api/features/{created['id']}")
        assert refused.value.status == 404


async def test_what_is_deleted_is_gone(service):
    async with await signed_up(service, "eve") as client:
        created = await client.call("POST", "/api/features", {"title": "Secret"})
        path = f"/api/features/{created['id']}"
        await client.call("DELETE", path)
        with pytest.raises(ServiceRefused) as refused:
            await client.call("GET", path)
        assert refused.value.status == 404


async def test_a_second_start_finds_everything(tmp_path):
    data = tmp_path / "data"
    with up(data) as url:
        async with await signed_up(url, "fay") as client:
            await client.call("POST", "/api/features", {"title": "Kept"})
    with up(data) as url:
        async with ServiceClient(url) as client:
            session = await client.call(
                "POST", "/auth/login", {"email": "fay@example.com", "password": PASSWORD}
            )
            client.carry(session["access_token"])
            listed = await client.call("GET", "/api/features")
    assert [item["title"] for item in listed["items"]] == ["Kept"]


@pytest.mark.campaign
async def test_files_may_be_kept_in_a_bucket(tmp_path: Path):
    import boto3  # noqa: PLC0415

    with object_store() as (host, port):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        endpoint = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys).create_bucket(
            Bucket="generated"
        )
        settings = {
            "BP_ARTIFACTS_URL": f"s3://generated?endpoint={endpoint}&region=us-east-1",
            "BP_ARTIFACTS_ACCESS_KEY_ID": "test",
            "BP_ARTIFACTS_SECRET_ACCESS_KEY": "test",
        }
        with up(tmp_path / "data", **settings) as url:
            async with ServiceClient(url) as client:
                archive = await run_demo(client, BRIEF, tmp_path, lambda _: None)
    assert zipfile.is_zipfile(archive)
