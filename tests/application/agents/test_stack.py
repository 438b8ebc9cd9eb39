"""How projects are set up: one profile, stated and checked; only what cannot work is refused."""

import json
from typing import Any

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from application.agents.checks.stack import stack_findings
from application.agents.inspection import StaticFinding
from application.agents.prompting import prompt_text
from application.agents.stack_profile import PROFILE

README = f"""# Bookings

You need Node {PROFILE.node} and PostgreSQL.

    npm install
    npm start
    npm test

`DATABASE_URL` is the database.
"""
PACKAGE: dict[str, Any] = {
    "type": "module",
    "engines": {"node": f">={PROFILE.node}"},
    "scripts": dict(PROFILE.scripts),
    "dependencies": {"pg": PROFILE.versions["pg"]},
    "devDependencies": {
        name: PROFILE.versions[name] for name in ("@types/node", "@types/pg", "typescript")
    },
}
TSCONFIG = {"compilerOptions": {**PROFILE.tsconfig, "types": ["node"]}, "include": ["src"]}
GOOD = {
    "package.json": json.dumps(PACKAGE),
    "tsconfig.json": json.dumps(TSCONFIG),
    "README.md": README,
    ".env.example": "# The database\nDATABASE_URL=\n",
    "src/settings.ts": 'export const url = process.env["DATABASE_URL"];\n',
    "src/server.ts": 'import { url } from "./settings.ts";\nconsole.log(url);\n',
    "tests/helpers/clock.ts": "export const noon = 12;\n",
    "tests/a.test.ts": 'import { noon } from "./helpers/clock.ts";\n',
}


def package(**change: Any) -> dict[str, str]:
    return {"package.json": json.dumps({**PACKAGE, **change})}


def tsconfig(**change: Any) -> dict[str, str]:
    options = {**TSCONFIG["compilerOptions"], **change}
    return {"tsconfig.json": json.dumps({"compilerOptions": options})}


def found(change: dict[str, str]) -> tuple[StaticFinding, ...]:
    return stack_findings({**GOOD, **change})


def test_a_project_that_is_set_up_as_governance_says_has_no_findings() -> None:
    assert stack_findings(GOOD) == ()


def test_governance_states_what_is_checked() -> None:
    words = prompt_text("governance.md")
    for name, version in PROFILE.versions.items():
        assert f"| `{name}` | {version} |" in words
    for command in PROFILE.scripts.values():
        assert f"`{command}`" in words
    for option in PROFILE.tsconfig:
        assert f'"{option}"' in words
    assert f">={PROFILE.node}" in words


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (package(type="commonjs"), "package.json"),
        (package(engines={}), "package.json"),
        (package(engines={"node": ">=18"}), "package.json"),
        (package(engines={"node": ">=22.6"}), "package.json"),
        (package(scripts={"start": "node src/server.ts"}), "package.json"),
        (package(dependencies={"pg": "*"}), "package.json"),
        (package(dependencies={"pg": "latest"}), "package.json"),
        (package(devDependencies={"typescript": "7.0.2", "@types/pg": "8.23.1"}), "package.json"),
        (tsconfig(strict=False), "tsconfig.json"),
        (tsconfig(allowImportingTsExtensions=False), "tsconfig.json"),
        ({"src/more.ts": "process.env.SECRET_KEY;\n"}, ".env.example"),
        ({"README.md": README.replace("npm start", "run it")}, "README.md"),
        ({"src/b.ts": 'import { url } from "./settings";\n'}, "src/b.ts"),
        ({"src/b.ts": "server.listen(8080);\n"}, "src/b.ts"),
        ({"src/b.ts": "await app.listen({ port: 8080 });\n"}, "src/b.ts"),
        (
            {
                "src/b.ts": 'app.listen(Number(process.env.PORT), "127.0.0.1");\n',
                ".env.example": "DATABASE_URL=\nPORT=\n",
                "README.md": f"{README}\nPORT",
            },
            "src/b.ts",
        ),
        ({"src/b.ts": 'export * from "./settings.js";\n'}, "src/b.ts"),
        ({"src/b.ts": 'const a = await import("./settings");\n'}, "src/b.ts"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_do(change: dict[str, str], path: str) -> None:
    refused = [one for one in found(change) if one.error]
    assert [one.path for one in refused]
    assert {one.path for one in refused} == {path}
    assert all(one.message.endswith(".") for one in refused)


@pytest.mark.parametrize("path", ["package.json", "tsconfig.json", "README.md"])
def test_what_is_missing_is_refused(path: str) -> None:
    files = {name: content for name, content in GOOD.items() if name != path}
    assert path in {one.path for one in stack_findings(files) if one.error}


@pytest.mark.parametrize(
    "change",
    [
        package(engines={"node": "^24 || ^26"}),
        package(scripts={**PACKAGE["scripts"], "test": "vitest run"}),
        package(dependencies={"pg": "^8.0.0"}),
        package(dependencies={"pg": "8.1.0", "left-pad": "1.3.0"}),
        tsconfig(target="ES2024"),
        {"package.json": "{"},
        {"tsconfig.json": "{oops"},
        {"tsconfig.json": json.dumps({"extends": "./base.json"})},
        {".env.example": "DATABASE_URL=\nPORT=\n"},
        {"README.md": README.replace("npm test", "the tests")},
        {"tests/a.test.ts": 'import { noon } from "./helpers/clock.ts";\nserver.listen(0);\n'},
        {
            "src/b.ts": "const { PORT: port = 3000, HOST } = process.env;\nx.listen(port, HOST);\n",
            ".env.example": "DATABASE_URL=\nPORT=\nHOST=\n",
        },
        {"README.md": README.replace("npm install", "npm ci")},
        {"src/b.ts": 'import { a } from "./gone.ts";\nprocess.env.NODE_ENV;\n'},
    ],
)
def test_what_may_work_all_the_same_is_a_note_at_most(change: dict[str, str]) -> None:
    assert [one for one in found(change) if one.error] == []


def test_comments_and_commas_at_the_end_are_no_fault_of_a_tsconfig() -> None:
    schema = ', "$schema": "https://json.schemastore.org/tsconfig, }"'
    commented = "// Settings\n" + json.dumps(TSCONFIG)[:-1] + schema + ", /* more */ }"
    assert found({"tsconfig.json": commented}) == ()


def test_helpers_stand_among_the_tests_and_are_none() -> None:
    assert PROFILE.is_test_helper("tests/helpers/clock.ts")
    assert not PROFILE.is_test_helper("tests/a.test.ts")
    assert not PROFILE.is_test_helper("src/clock.ts")


@forall(st.dictionaries(st.sampled_from([*GOOD]), st.text(max_size=200)))
def test_whatever_stands_in_the_files_there_is_an_answer(change: dict[str, str]) -> None:
    for one in found(change):
        assert str(one).startswith((*GOOD, "src/", "tests/"))
        assert "\n" not in one.message
