"""How events of earlier schema versions become those of today, one version at a time.

Invariant: whoever changes the shape of an event raises its `schema_version` and adds the step from
the version before it here; nothing here is ever removed. `tests/golden` holds them to it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""From the plain JSON of one schema version to that of the next; all fields, clear and personal."""

UPCASTERS: Final[Mapping[tuple[str, int], Upcaster]] = {}
"""By tag and the version they start from. Every event is still in its first version."""
