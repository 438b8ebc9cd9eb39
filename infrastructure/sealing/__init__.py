"""Sealing of content and secrets at rest: a master key wraps data keys, a data key seals records.

Invariant: sealed bytes open only under the same tenant, scope, key, purpose and record that they
were sealed for. Nothing here knows a database; storing wrapped keys is the caller's business.
"""

from infrastructure.sealing.binding import Part, bind
from infrastructure.sealing.data_key import TENANT_SCOPE, DataKey
from infrastructure.sealing.master_key import MasterKey
from infrastructure.sealing.refusals import MasterKeyUnusable, Unsealable, WrongMasterKey

__all__ = [
    "TENANT_SCOPE",
    "DataKey",
    "MasterKey",
    "MasterKeyUnusable",
    "Part",
    "Unsealable",
    "WrongMasterKey",
    "bind",
]
