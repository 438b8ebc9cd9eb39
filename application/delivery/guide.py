"""The first page of a delivery: how to start it, what its maker says of it, and what is where."""

from collections.abc import Iterator

from application.agents.markdown import inline
from application.delivery.kit import Kit, address
from application.delivery.words import WORDS


def guide_of(title: str, kit: Kit, notes: str, language: str, *, passed: bool) -> str:
    """`README.md` at the top of the folder.

    Args:
        title: What it is called.
        kit: What starts it.
        notes: What the implementer tells the person; may be empty.
        language: Of `WORDS`.
        passed: Whether the code passed its reviews.
    """
    words = WORDS[language]
    parts = [f"# {inline(title)}"]
    if not passed:
        parts.append(f"**{words.not_passed}**")
    parts += [f"## {words.start}", *_start(kit, language)]
    if notes.strip():
        parts += [f"## {words.notes}", quoted(notes)]
    inside = {"code": words.in_code, "documents": words.in_documents}
    if kit.files:
        inside["kit"] = words.in_kit
    listed = "\n".join(f"- `{folder}`: {what}" for folder, what in inside.items())
    return "\n\n".join([*parts, f"## {words.inside}", listed]) + "\n"


def _start(kit: Kit, language: str) -> Iterator[str]:
    words = WORDS[language]
    if kit.gaps:
        yield words.cannot.format(gaps=" ".join(kit.gaps))
        return
    yield words.needs
    steps = (words.step_docker, words.step_start, words.step_open.format(address=address()))
    yield "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    if kit.to_fill:
        yield words.fill.format(names=named(kit.to_fill))
    yield f"{words.stop} {words.settings}"
    yield f"{words.tried} {words.developer}"


def quoted(text: str) -> str:
    """What somebody else wrote, as a quotation: nothing of it passes for this page's own words."""
    lines = text.strip().replace("<", "&lt;").splitlines()
    return "\n".join(f"> {line}".rstrip() for line in lines)


def named(names: tuple[str, ...]) -> str:
    """Names of settings, as code."""
    return ", ".join(f"`{name}`" for name in names)
