"""Names of files that run, or are obeyed, without anybody calling them.

By looking at the folder, by opening it in an editor, by unpacking, installing or pushing it. What
only runs when somebody calls it (a Makefile, a Dockerfile, a shell script, the code itself) may be
written: whoever calls it has had the chance to read it. Invariant: names are compared without
regard to case and compatibility, as the systems and tools that obey them do.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

_FOLDER: Final = "is read by the system when the folder is looked at"
_OPENED: Final = "runs, or leads elsewhere, when it is opened"
_ASSISTANT: Final = "is obeyed by assistants and editors that open the folder"
_INSTALLED: Final = "runs code, or says where code comes from, when packages are installed"
_PUSHED: Final = "runs when the project is pushed"
_REPOSITORY: Final = "makes a repository of its folder, whose settings can run programs"

NAMES: Final[Mapping[str, str]] = {
    name: why
    for why, names in {
        _FOLDER: (
            "desktop.ini", "thumbs.db", "ehthumbs.db", "autorun.inf", "folder.htt", "__macosx",
            "$recycle.bin", "$extend", "$mft", "system volume information",
        ),
        _ASSISTANT: (
            "agent.md", "agents.md", "agents.override.md", "claude.md", "claude.local.md",
            "codex.md", "copilot-instructions.md", "crush.md", "gemini.md", "jules.md", "qwen.md",
            "replit.md", "skill.md", "warp.md", "claude_desktop_config.json",
            "cline_mcp_settings.json", "crush.json", "mcp.json", "mcp.jsonc", "mcp-config.json",
            "mcp_config.json", "mcp_settings.json", "opencode.json", "opencode.jsonc",
            "nbproject", "conda-meta", "pyvenv.cfg", "mise.toml", "mise.local.toml",
        ),
        _INSTALLED: (
            "binding.gyp", "node_modules", "bower_components", "__pycache__", "pnpmfile.js",
            "pnpmfile.cjs", "pnpmfile.mjs", "sitecustomize.py", "usercustomize.py",
            "npm-shrinkwrap.json", "package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock",
            "bun.lockb", "deno.lock", "bunfig.toml", "nuget.config", "poetry.toml", "uv.toml",
            "package.json5", "package.yaml", "pnpm-workspace.yaml",
        ),
        _PUSHED: (
            "jenkinsfile", "appveyor.yml", "azure-pipelines.yml", "azure-pipelines.yaml",
            "bitbucket-pipelines.yml", "bitbucket-pipelines.yaml", "buildspec.yml",
            "buildspec.yaml", "cloudbuild.json", "cloudbuild.yaml", "cloudbuild.yml",
            "codemagic.yaml", "lefthook.yml", "lefthook.yaml", "wercker.yml",
        ),
    }.items()
    for name in names
}  # fmt: skip

ENDINGS: Final[Mapping[str, str]] = {
    ending: why
    for why, endings in {
        _OPENED: (
            # Windows: programs, scripts, settings, shortcuts, images that are mounted.
            "accdb", "appcontent-ms", "appinstaller", "application", "appref-ms", "appx",
            "appxbundle", "bat", "chm", "cmd", "com", "cpl", "deskthemepack", "diagcab",
            "diagcfg", "diagpkg", "dll", "exe", "gadget", "hlp", "hta", "img", "inf", "ins",
            "iqy", "iso", "isp", "jar", "jnlp", "jse", "lnk", "mdb", "msc", "msi", "msix",
            "msixbundle", "msp", "msstyles", "mst", "ocx", "oqy", "osd", "pif", "ppkg", "prf",
            "printerexport", "psc1", "rdp", "reg", "rgs", "rqy", "scf", "scr", "sct", "shb",
            "shs", "slk", "sys", "theme", "themepack", "udl", "url", "vb", "vbe", "vbs", "vhd",
            "vhdx", "website", "wll", "ws", "wsc", "wsf", "wsh", "xla", "xlam", "xll",
            # macOS and Linux.
            "action", "app", "appimage", "command", "desktop", "dmg", "fileloc", "ftploc",
            "inetloc", "mobileconfig", "mpkg", "pkg", "scpt", "terminal", "tool", "webloc",
            "workflow",
        ),
        _ASSISTANT: (
            "agent.md", "chatmode.md", "instructions.md", "prompt.md", "mdc", "code-workspace",
            "csproj", "iml", "props", "pth", "sln", "sublime-project", "targets", "vbproj",
            "vcxproj", "xcodeproj", "xcworkspace",
        ),
    }.items()
    for ending in endings
}  # fmt: skip
"""What stands behind a dot at the end of a name."""

_SHELL: Final = re.compile(r".*\.(?:[a-z0-9]{1,40}-ms|\{[0-9a-f-]{36}\})", re.DOTALL)
"""Types and folders of the Windows shell: `x.library-ms`, `x.{ED7BA470-…}`."""

_SHORT: Final = re.compile(r"(?=.{3,8}(?:\.|$))[^.]{1,7}~\d{1,6}(?:\.[^.]{0,3})?", re.DOTALL)
"""A name as Windows shortens long ones (`git~1` is `.git`): never more than 8 and 3 characters."""


def obeyed(segment: str, *, is_file: bool) -> str | None:
    """Why a file or folder of this name would run or be obeyed by itself; None if it would not.

    Args:
        segment: One name of a path.
        is_file: Whether it is the last one.
    """
    name = folded(segment)
    if _SHORT.fullmatch(name):
        return "may be another file's short name on Windows"
    if _SHELL.fullmatch(name):
        return _OPENED
    if is_file and name == "head":
        return _REPOSITORY
    if name in NAMES:
        return NAMES[name]
    parts = name.split(".")
    ends = (".".join(parts[-count:]) for count in (1, 2) if len(parts) > count)
    return next((ENDINGS[end] for end in ends if end in ENDINGS), None)


def folded(name: str) -> str:
    """A name without regard to case and compatibility: what some system takes for the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
