"""No module of the web app imports itself, over however many others; types count as well."""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture.pages import PROJECT

SOURCE = PROJECT / "interface" / "web" / "src"
ALIAS = "#lib/"
"""How `package.json` spells `src/lib/`."""
GENERATED = "generated"
"""Made when the app is built, from the API's document alone: it imports nothing of ours."""
IMPORTED = re.compile(
    r"""^\s*(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*['"](?P<static>[^'"]+)['"]"""
    r"""|\bimport\s*\(\s*(?:['"](?P<dynamic>[^'"]+)['"]|(?P<computed>[^'"\s]))""",
    re.MULTILINE,
)


def _named(source: Path, module: Path, name: str) -> Path | None:
    """The module of ours that an import names; None for a package, a style or what is generated."""
    if name.startswith(ALIAS):
        meant = source / "lib" / name.removeprefix(ALIAS)
    elif name.startswith("."):
        meant = module.parent / name
    else:
        return None
    meant = meant.resolve()
    if GENERATED in meant.parts or meant.suffix == ".css":
        return None
    for path in (meant, meant.with_name(f"{meant.name}.ts"), meant / "index.ts"):
        if path.is_file():
            return path
    raise LookupError(f"{module.name} imports {name}, which is not there")


def _imports(source: Path) -> dict[Path, set[Path]]:
    """For each module and component under `source`, those of ours that it imports.

    Raises LookupError for an import of ours that names no file, or whose name is computed: what
    cannot be followed could close a circle.
    """
    found: dict[Path, set[Path]] = {}
    for module in sorted(source.resolve().rglob("*")):
        if module.suffix not in {".ts", ".svelte"} or GENERATED in module.parts:
            continue
        found[module] = set()
        for match in IMPORTED.finditer(module.read_text(encoding="utf-8")):
            if match["computed"] is not None:
                raise LookupError(f"{module.name} computes what it imports: name it")
            named = _named(source, module, match["static"] or match["dynamic"])
            if named is not None:
                found[module].add(named)
    return found


def _circle(source: Path) -> list[str]:
    """The modules of one circle, the first again at the end; empty if there is none."""
    try:
        TopologicalSorter(_imports(source)).prepare()
    except CycleError as error:
        # The sorter names each before the one that imports it.
        circle = reversed(error.args[1])
        return [path.relative_to(source.resolve()).as_posix() for path in circle]
    return []


def test_no_circle_among_the_modules_of_the_web_app() -> None:
    imports = _imports(SOURCE)
    assert sum(map(len, imports.values())) > 2 * len(imports), "imports are not found any more"
    circle = _circle(SOURCE)
    assert not circle, " -> ".join(circle)


ONWARDS = {
    "a value": "import { b } from './b.ts';",
    "a type": "import type { B } from '#lib/b.ts';",
    "without its suffix": 'import { b } from "./b";',
    "several lines": "import {\n\tone,\n\ttype Two\n} from './b.ts';",
    "for what it does": "import './b.ts';",
    "passed on": "export * from './b.ts';",
    "passed on by name": "export { one, type Two } from './b.ts';",
    "later": "const b = await import('./b.ts');",
    "of a component": "<script lang=\"ts\">\n\timport { b } from './b.ts';\n</script>\n<p>it's</p>",
}


@pytest.mark.parametrize("text", ONWARDS.values(), ids=ONWARDS.keys())
def test_a_circle_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "lib").mkdir()
    first = "a.svelte" if text.startswith("<") else "a.ts"
    (tmp_path / "lib" / first).write_text(text, encoding="utf-8")
    (tmp_path / "lib" / "b.ts").write_text(
        "import c from './c';\nimport 'svelte';", encoding="utf-8"
    )
    (tmp_path / "lib" / "c").mkdir()
    (tmp_path / "lib" / "c" / "index.ts").write_text(
        f"export const c = 1;\nimport a from '../{first}';", encoding="utf-8"
    )
    circle = _circle(tmp_path)
    assert circle[0] == circle[-1]
    assert set(circle) == {f"lib/{first}", "lib/b.ts", "lib/c/index.ts"}
    place = circle.index(f"lib/{first}")
    assert [*circle[:-1], *circle[:-1]][place + 1] == "lib/b.ts"


def test_one_that_imports_itself_is_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text("import { a } from './a.ts';", encoding="utf-8")
    assert _circle(tmp_path) == ["a.ts", "a.ts"]


def test_two_ways_to_one_module_are_no_circle(tmp_path: Path) -> None:
    for name, text in {
        "a.ts": "import b from './b.ts';\nimport c from './c.ts';",
        "b.ts": "import c from './c.ts';",
        "c.ts": "export const from = 'import';\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert _circle(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["import a from './gone.ts';", "const a = await import(`./${name}.ts`);"]
)
def test_an_import_that_cannot_be_followed_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.ts").write_text(text, encoding="utf-8")
    with pytest.raises(LookupError):
        _circle(tmp_path)
