"""What a delivery says to the person it is for, in their language where code knows it."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import msgspec
from msgspec import Struct

from application.agents.language import language_of


class Spoken(Struct, frozen=True, forbid_unknown_fields=True):
    """What start scripts say."""

    packed: str
    missing: str
    asleep: str
    old: str
    starting: str
    failed: str
    runs: str
    stopped: str
    changed: str


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    """Every sentence in one language; braces are places for values."""

    start: str
    needs: str
    step_docker: str
    step_start: str
    step_open: str
    stop: str
    settings: str
    fill: str
    developer: str
    cannot: str
    tried: str
    notes: str
    inside: str
    in_code: str
    in_documents: str
    in_kit: str
    not_passed: str
    letter: str
    what: str
    does: str
    more: str
    requires: str
    require_docker: str
    require_open: str
    costs: str
    cost_own: str
    cost_services: str
    ask: str
    ask_owner: str
    ask_developer: str
    ask_proof: str
    script: Spoken


def _words() -> Mapping[str, Words]:
    text = files("application.delivery").joinpath("words.toml").read_text("utf-8")
    return msgspec.toml.decode(text, type=dict[str, Words])


WORDS: Final = _words()


def language_for(text: str) -> str:
    """The code of the language in which somebody is spoken to who wrote this."""
    found = language_of(text)
    return found if found in WORDS else "en"
