"""Which file of the project an import leads to.

Invariant: nothing outside the project is ever meant; what leads there resolves to nothing.
"""

import posixpath
from collections.abc import Collection
from typing import Final

ENDINGS: Final = (
    "ts", "tsx", "mts", "cts", "d.ts", "d.mts", "d.cts", "js", "jsx", "mjs", "cjs", "json",
    "svelte", "vue",
)  # fmt: skip
COMPILED: Final = {
    "js": ("ts", "tsx", "d.ts", "jsx"), "jsx": ("tsx", "d.ts"), "mjs": ("mts", "d.mts"),
    "cjs": ("cts", "d.cts"),
}  # fmt: skip
"""An import names what a file becomes; the project holds what it is made from, or declares it."""


def is_relative(wanted: str) -> bool:
    """Whether an import names a file beside the one it stands in."""
    return wanted.startswith(("./", "../")) or wanted in {".", ".."}


def resolved(path: str, wanted: str, files: Collection[str]) -> str | None:
    """The file that a relative import of `path` leads to; None if there is none."""
    if not is_relative(wanted):
        return None
    plain = wanted.partition("?")[0]
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), plain))
    if target.startswith(".."):
        return None
    stem, _, ending = target.rpartition(".")
    made_from = [f"{stem}.{source}" for source in COMPILED.get(ending, ())]
    inside = [f"{target}/index.{e}" if target != "." else f"index.{e}" for e in ENDINGS]
    declared = [f"{stem}.d.{ending}.ts"] if ending and stem else []
    return next(
        (
            place
            for place in (target, *made_from, *(f"{target}.{e}" for e in ENDINGS), *inside,
                          *declared)
            if place in files
        ),
        None,
    )  # fmt: skip
