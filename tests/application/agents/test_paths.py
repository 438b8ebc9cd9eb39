"""Paths that unpack as they are named, on every system."""

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath
from uuid import UUID

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from application.agents.paths import LARGEST_FILE, collisions, key, oversizes, refusal, refusals

HOSTILE = [
    "", "/etc/passwd", "~/x", "../x", "a/../../x", "./x", "a//b", "a/", "a\\b", "C:/x", "C:x",
    "a\x00b", "a\nb", "a\u202eb", "a\u200bb", "\ufeffa", "con", "src/CON.ts", "aux.js", "a/nul",
    "com1.txt", "LPT³", "a.", "a ", " a", "a/ b", "x" * 241, "/".join("a" * 17), "a" * 101,
    ".git/config", ".GIT/x", ".gitmodules", ".env", ".npmrc", ".vscode/tasks.json", ".idea/x",
    ".github/workflows/x.yml", ".husky/pre-commit", ".devcontainer/x", ".claude/x", ".mcp.json",
    ".gitlab-ci.yml", ".circleci/config.yml", "Jenkinsfile", "node_modules/x/index.js",
    "a\u0301.ts", "\uff0e\uff0e/x", "a\uff0fb", "a\U000e0041",
    "e\u0301", "\ud800", "a<b", "a|b", "a*b", 'a"b', "a?b",
    # Looked at, or opened.
    "desktop.ini", "src/Desktop.INI", "Thumbs.db", "autorun.inf", "a.lnk", "a.URL", "a.scf",
    "x.library-ms", "a/x.searchConnector-ms", "x.search-ms", "x.settingcontent-ms", "a.theme",
    "a.themepack", "x.{ED7BA470-8E54-465E-825C-99712043E01C}", "run.bat", "run.cmd", "a.vbs",
    "a.hta", "a.wsf", "setup.exe", "a.msi", "a.reg", "a.chm", "a.scr", "a.pif", "a.iso", "a.rdp",
    "a.desktop", "a.webloc", "a.inetloc", "a.command", "Evil.app/x", "a.workflow", "a.jar",
    # Obeyed by tools.
    "CLAUDE.md", "docs/Agents.md", "GEMINI.md", ".cursorrules", ".windsurfrules", "mcp.json",
    "a/MCP.json", "x.mdc", "a.instructions.md", "copilot-instructions.md", "x.code-workspace",
    "nbproject/x", "x.sln", "Directory.Build.targets", ".envrc", ".yarnrc.yml", ".pnpmfile.cjs",
    # Run, or obeyed, by installing or pushing.
    "binding.gyp", "native/Binding.gyp", "pnpmfile.js", "package-lock.json", "yarn.lock",
    "npm-shrinkwrap.json", "sitecustomize.py", "x.pth", "azure-pipelines.yml", "appveyor.yml",
    "bitbucket-pipelines.yml", "vendor/HEAD", "bunfig.toml", "a/NuGet.Config", "mise.toml",
    "package.yaml", "pnpm-workspace.yaml", "venv/pyvenv.cfg",
    # Another file's short name, and other names of Windows and of file systems.
    "git~1", "GIT~1/config", "a/GITMOD~1", "CLAUDE~1.md", "gi7eba~1", "progra~1", "aux.tar.gz",
    "conin$", "a/con .txt", "com0", "$mft", "a:b", "a::$DATA", "-rf", "a/-x", "a/~x",
]  # fmt: skip
ORDINARY = [
    "README.md", "src/index.ts", "db/001_tables.sql", ".env.example", ".gitignore", "public/é.css",
    "src/routes/[id].ts", "a/b/c/d.test.ts", "Dockerfile", "src/console.ts", "src/日本.ts",
    "Makefile", "package.json", "tsconfig.json", "scripts/start.sh", "public/app.js", "src/com.ts",
    "src/head/index.ts", "src/agents.ts", "docs/instructions.md", "src/theme.ts", "db/lock.sql",
    "src/mcp.ts", "docker-compose.yml", "src/versions~2026.ts", "src/prop.s.ts", "LICENSE",
    "src/desktop.ts", "public/manifest.webmanifest", "src/git.ts", "$types.ts", "src/a-b_c.ts",
]  # fmt: skip


LONG_FOLDER = (
    "C:\\Users\\maria.hernandez\\OneDrive - Example Company Limited\\Downloads\\"
    f"feature-{UUID(int=0)} (1)\\"
)


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_paths_are_refused(path):
    assert refusal(path)


@pytest.mark.parametrize("path", ORDINARY)
def test_ordinary_paths_are_not(path):
    assert refusal(path) is None


@forall(st.text(max_size=40) | st.sampled_from(HOSTILE + ORDINARY))
def test_what_is_accepted_stays_inside_on_every_system(path):
    if refusal(path):
        return
    for pure in (PurePosixPath(path), PureWindowsPath(path)):
        assert not pure.is_absolute()
        assert not pure.drive
        assert ".." not in pure.parts
        assert len(pure.parts) == path.count("/") + 1
    assert path.isprintable()
    assert unicodedata.normalize("NFC", path) == path
    assert len(path.encode()) <= 240
    assert len(LONG_FOLDER) + len(path.encode("utf-16-le")) // 2 <= 259


@forall(st.lists(st.sampled_from(["a", "A", "a/b", "A/B", "ß", "SS", "a/b/c", "x"]), max_size=6))
def test_without_collisions_every_path_is_a_file_of_its_own(paths):
    paths = list(dict.fromkeys(paths))
    if list(collisions(paths)):
        return
    keys = [key(path) for path in paths]
    assert len(set(keys)) == len(keys)
    assert not any(one.startswith(f"{other}/") for one in keys for other in keys)


def test_a_path_that_is_too_long_for_windows_is_told_with_its_length():
    assert refusal("a/" * 15 + "b" * 100) is None
    (told,) = refusals(["src/" + "x" * 99 + "/" + "y" * 60 + ".ts"])
    assert "has 167 characters" in told
    assert "at most 140" in told
    assert "Windows" in told


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ß.ts", "SS.ts"),
        ("ﬁ.ts", "FI.ts"),
        ("\u017f.ts", "S.ts"),
        ("K.ts", "k.ts"),
        ("İ.ts", "i̇.ts"),
    ],
)
def test_names_that_fold_to_the_same_are_one_file(one, other):
    assert list(collisions([one, other]))


def test_collisions_are_told():
    assert "same folder" in next(collisions(["Src/a.ts", "src/b.ts"]))
    assert "ignore case" in next(collisions(["src/a.ts", "SRC/A.ts"]))
    assert "file and a folder" in next(collisions(["src", "src/a.ts"]))


def test_limits_over_all_files():
    assert "at most" in refusals([f"f{n}.ts" for n in range(2_001)])[0]
    assert oversizes({"a.ts": "é" * (LARGEST_FILE // 2)}) == []
    assert "a.ts" in oversizes({"a.ts": "é" * (LARGEST_FILE // 2 + 1)})[0]
    full = {f"f{n}.ts": "x" * LARGEST_FILE for n in range(51)}
    assert oversizes(full)[-1].startswith("All files")


def test_a_refusal_shows_what_cannot_be_seen():
    (found,) = refusals(["a\u202eb"])
    assert "\\u202e" in found
    assert found.isprintable()
