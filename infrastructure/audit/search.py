"""Free text in the audit: what a word is compared with, and the titles it may be part of.

Invariant: only what stands in the clear is searched, and every look at titles is bounded.
"""

import re
from collections.abc import Collection
from typing import Any, Final, get_args
from uuid import UUID

from application.audit.events import SearchTerm
from domain.events import FeatureEvent, tag_of
from infrastructure.postgres.database import AsyncBoundedConnection

TAGS: Final = tuple(tag_of(kind) for kind in get_args(FeatureEvent))
CODED: Final = [tag_of(kind) for kind in get_args(FeatureEvent) if "code" in kind.__struct_fields__]
"""Events that name what went wrong by a code."""
CODE: Final = "app.text_at(payload, 'code')"
"""Null where the payload is no JSON: one damaged event hides no other."""

TITLES_AT_MOST: Final = 5_000
"""Of the newest features: titles beyond these are not searched."""

_OF_AN_ID: Final = re.compile(r"[0-9a-f-]{6,64}")

TITLED: Final = """
    SELECT feature_id FROM (
        SELECT feature_id, row FROM app.views
        WHERE projection = 'dashboard' AND tenant_id = %s AND generation = (
            SELECT generation FROM app.positions WHERE projection = 'dashboard' AND active)
        ORDER BY feature_id DESC LIMIT %s) newest
    WHERE strpos(lower(row ->> 'title'), %s) > 0
"""
TITLES: Final = """
    SELECT feature_id, row ->> 'title' FROM app.views
    WHERE projection = 'dashboard' AND tenant_id = %s AND feature_id = any(%s) AND generation = (
        SELECT generation FROM app.positions WHERE projection = 'dashboard' AND active)
"""


def condition_of(number: int, word: SearchTerm) -> str:
    """What must hold for one word; its values are those of `values_of`."""
    ways = [
        "type = any(%(types_{0})s)",
        "stream_id = any(%(titled_{0})s)",
        "strpos(actor, %(text_{0})s) > 0",
        "actor = any(%(actors_{0})s)",
        "split_part(actor, ':', 1) = any(%(actors_{0})s)",
        f"(CASE WHEN type = any(%(coded)s) THEN strpos({CODE}, %(text_{{0}})s) > 0 END)",
    ]
    if _OF_AN_ID.fullmatch(word.text):
        ways += [
            "event_id::text ^@ %(text_{0})s",
            "stream_id::text ^@ %(text_{0})s",
            "encode(hash, 'hex') ^@ %(text_{0})s",
        ]
    return f"({' OR '.join(ways)})".format(number)


def values_of(number: int, word: SearchTerm) -> dict[str, Any]:
    """The values of a word's condition, but for the features whose title holds it."""
    types = {*word.types, *(tag for tag in TAGS if word.text in tag)}
    return {
        f"text_{number}": word.text,
        f"types_{number}": sorted(types),
        f"actors_{number}": list(word.actors),
    }


async def titled(connection: AsyncBoundedConnection, tenant_id: UUID, text: str) -> list[UUID]:
    """The features, of the newest, whose title holds a text."""
    found = await connection.execute(TITLED, (tenant_id, TITLES_AT_MOST, text))
    return [row[0] for row in await found.fetchall()]


async def titles_of(
    connection: AsyncBoundedConnection, tenant_id: UUID, features: Collection[UUID]
) -> dict[UUID, str]:
    """The titles that features have now; deleted ones have none."""
    found = await connection.execute(TITLES, (tenant_id, list(features)))
    return dict(await found.fetchall())
