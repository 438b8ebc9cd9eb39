"""How every project is set up: module system, imports, tests, scripts, database, package versions.

Invariant: governance states this profile from the very data that code checks.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

import msgspec
from msgspec import Struct, to_builtins


class Package(Struct, frozen=True, forbid_unknown_fields=True):
    """A package of which a version is known that exists and fits."""

    name: str
    version: str
    purpose: str
    build: bool = False
    """Whether it is needed for checking the types only."""


class KitProfile(Struct, frozen=True, forbid_unknown_fields=True):
    """What a project is started with by people who only have Docker."""

    node_image: str
    database_image: str
    database_setting: str
    """The setting that says where the database is."""
    port: int
    """Where the program listens, and where people open it unless they choose another."""
    given: Mapping[str, str]
    """Settings that it is always given, with places for values."""
    given_with_database: Mapping[str, str]
    also: Mapping[str, str]
    """Given where the code names them."""
    suggested: Mapping[str, str]
    """Suggested where the code names them and gives no value."""


class StackProfile(Struct, frozen=True, forbid_unknown_fields=True):
    """How a project is set up."""

    node: str
    """The least version, `major.minor`."""
    why_node: str
    type: str
    """The module system, as `package.json` names it."""
    extension: str
    """What imports inside the project end in."""
    driver: str
    """The package that talks to the database."""
    migrations: str
    """Folder of the SQL files, with a slash."""
    tests: str
    """Folder of the tests, with a slash."""
    test_ending: str
    """What the runner takes for a test; other files of the folder help the tests."""
    scripts: Mapping[str, str]
    tsconfig: Mapping[str, str | bool | tuple[str, ...]]
    """Compiler options."""
    packages: tuple[Package, ...]
    kit: KitProfile

    @property
    def versions(self) -> Mapping[str, str]:
        """Package to the version that is known to be good."""
        return {package.name: package.version for package in self.packages}

    def is_test_helper(self, path: str) -> bool:
        """Whether a file stands among the tests and is none: what several tests share."""
        return path.startswith(self.tests) and not path.endswith(self.test_ending)

    def words(self) -> dict[str, str]:
        """What governance says of it, by placeholder."""
        options: Any = to_builtins(self.tsconfig)
        scripts = (f"`{name}`: `{command}`" for name, command in self.scripts.items())
        known = (f"| `{p.name}` | {p.version} | {p.purpose} |" for p in self.packages)
        return {
            "node": self.node,
            "why_node": self.why_node,
            "modules": self.type,
            "extension": self.extension,
            "scripts": ", ".join(scripts),
            "test_ending": self.test_ending,
            "driver": self.driver,
            "migrations": self.migrations,
            "tsconfig": msgspec.json.encode(options).decode(),
            "kit_settings": ", ".join(
                f"`{name}`" for name in (*self.kit.given, self.kit.database_setting)
            ),
            "packages": "\n".join(["| package | version | for |", "| --- | --- | --- |", *known]),
        }


def _profile() -> StackProfile:
    text = files("application.agents").joinpath("stack_profile.toml").read_text("utf-8")
    return msgspec.toml.decode(text, type=StackProfile)


PROFILE: Final = _profile()
