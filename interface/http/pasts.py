"""Versions of features that were looked at lately: a past version never changes."""

from typing import Final
from uuid import UUID

from application.running.recent import Recent
from projections.past import Past

REMEMBERED: Final = 64
"""Versions that a process keeps; each is some kilobytes, of a very long life a megabyte."""


class Pasts:
    """Rows as they were, by tenant, feature and version."""

    def __init__(self) -> None:
        self._kept: Recent[tuple[UUID, UUID, int], Past] = Recent(REMEMBERED)

    def find(self, tenant_id: UUID, feature_id: UUID, version: int) -> Past | None:
        """The rows at a version, if they are remembered."""
        return self._kept.find((tenant_id, feature_id, version))

    def keep(self, tenant_id: UUID, past: Past) -> None:
        """Remember the rows under their own feature and version."""
        self._kept.keep((tenant_id, past.feature.id, past.feature.version), past)

    def clear(self) -> None:
        """Forget everything: the log was set back."""
        self._kept.clear()

    def forget(self, feature_id: UUID) -> None:
        """Forget what was deleted."""
        self._kept.forget_all(lambda key: key[1] == feature_id)
