"""What stands for missing code, and what only sounds like it; what hides, and what people write."""

import pytest

from application.agents.checks.characters import hidden
from application.agents.checks.lexing import RegionKind, regions
from application.agents.checks.placeholders import placeholders
from application.agents.checks.residue import residue

BODY = "const a = 1;\nfunction f() {\n  {line}\n}\n"


def found(path: str, line: str) -> list[str]:
    return list(placeholders(path, BODY.replace("{line}", line)))


@pytest.mark.parametrize(
    "line",
    [
        "// restliche Funktionen bleiben gleich", "// le code existant reste identique",
        "// その他の処理は省略", "// 剩余逻辑不变", "// остальные методы без изменений",
        "return run(); // ... rest unchanged", "if (a) { /* ... */ }", "f({ ...a, /* others omitted */ });",
        "const b = `... remaining code omitted ...`;", "// @ts-ignore other handlers unchanged",
        "throw new Error('TODO')", "throw new HttpException('Not implemented', 501)",
        "// FIXME: escape it", "// XXX", "/* @todo finish */", "// stub", "// not yet implemented",
        "// In a real system, hash the password here", "// for now, just return true",
    ],
)  # fmt: skip
def test_a_comment_that_stands_for_code_is_refused_in_any_language(line):
    assert found("src/a.ts", line)


@pytest.mark.parametrize(
    "name", ["Todo list", "FIXME tracker", "TODO", "Todo: groceries", "Stub hub"]
)
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("README.md", "# {name}\n\nText.\n"), ("db/schema.sql", "-- {name}: its tables.\nSELECT 1;\n"),
        ("src/a.ts", "/** {name}: what it knows. */\nexport const a = 1;\n"),
        ("src/b.ts", 'export const title = "{name}";\n'),
        ("public/index.html", "<!doctype html>\n<title>{name}</title>\n<h1>{name}</h1>\n"),
        ("public/app.js", "document.title = '{name}';\n"),
    ],
)  # fmt: skip
def test_a_title_is_no_note_of_work_to_be_done(path, text, name):
    assert list(placeholders(path, text.replace("{name}", name))) == []


@pytest.mark.parametrize(
    "line",
    [
        "// The rest parameter holds all others.", "// Same origin only.", "// fall through",
        "// Everything that follows is private.", "// The file remains open until the process ends.",
        'const hint = "… loading";', "const all = [...rest];", "// Returns all todos that remain.",
    ],
)  # fmt: skip
def test_an_honest_comment_is_none(line):
    assert found("src/a.ts", line) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.ts", "const a = '\u202eb';"), ("a.ts", "const a = 'a\u200bb';"), ("a.ts", "const p\u0430y = 1;"),
        ("a.ts", "// x\U000e0041"), ("a.ts", "const a = 'a\x00';"), ("a.ts", "const a = 1\u037e"),
        ("a.ts", "let u\u200ds = 1;"), ("a.ts", "/* \u2066 */"), ("README.md", "a\u202eb"),
        ("a.ts", "const \u0441\u043e\u0440\u0443 = 1;"), ("a.html", "<p>a\u200bb</p>"),
    ],
)  # fmt: skip
def test_characters_that_hide_are_refused(path, text):
    assert list(hidden(path, text))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("i18n/he.json", '{"a": "\u200fשלום\u200e"}'), ("a.ts", "const fa = 'می\u200cخواهم';"),
        ("a.ts", "const s = 'Do\u00adnau';"), ("a.ts", "const x = '\u2068name\u2069';"),
        ("a.md", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"),
        ("a.ts", "const f = '\U0001f468\u200d\U0001f469';"), ("a.ts", "\ufeffconst a = 1;"),
        ("a.ts", "const größe = 1; const имя = 2; const 名前 = 3; const Δt = 4;"),
        ("th.json", '{"a": "ภาษา\u200bไทย"}'), ("a.md", "Τι είναι\u037e"),
    ],
)  # fmt: skip
def test_what_human_writing_needs_is_accepted(path, text):
    assert list(hidden(path, text)) == []


@pytest.mark.parametrize(
    "path", ["README.md", "a.ts", "a.css", "db/a.sql", "notes.txt", "Dockerfile"]
)
@pytest.mark.parametrize(
    "tail",
    [
        "</content></invoke>",
        "</content>\n</invoke>",
        "<|im_end|>",
        "</parameter>",
        '<parameter name="x">',
    ],
)
def test_what_is_left_of_a_tool_call_is_noticed_in_any_kind_of_file(path, tail):
    assert list(residue(path, f"text\n\n{tail}\n"))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("README.md", "```xml\n</invoke>\n```\n"), ("README.md", "Use `</invoke>`.\n"),
        ("feed.xml", "<entry><content>x</content>\n</entry>\n"), ("a.svg", "<content>x\n</content>\n"),
    ],
)  # fmt: skip
def test_what_a_file_opens_it_may_close(path, text):
    assert list(residue(path, text)) == []


@pytest.mark.parametrize("path", ["a.ts", "a.css", "a.sql", "a.py", "a.html", "a.md", "a"])
def test_parts_of_a_file_have_no_gap(path):
    text = "a /* b */ 'c' // d\n-- e\n# f `g ${h}` /i'/ \"j\n<!-- k --> <p>l</p>\\"
    assert "".join(region.text for region in regions(path, text)) == text


def test_an_apostrophe_in_a_pattern_begins_no_text():
    parts = [r.part for r in regions("a.ts", "const a = /['\"]/; // b\nreturn 4 / 2;")]
    assert parts == [RegionKind.CODE, RegionKind.COMMENT, RegionKind.CODE]
