"""Generated files, by content hash: in a local folder or in an S3-compatible store.

Invariant: what `get` gives back has the hash that its key names, whatever the store did to it.
"""

from infrastructure.artifacts.folder import FolderStore
from infrastructure.artifacts.keys import KeyRefused
from infrastructure.artifacts.opening import StoreUrlRefused, open_store
from infrastructure.artifacts.recent import RecentFiles
from infrastructure.artifacts.s3 import S3Store

__all__ = [
    "FolderStore",
    "KeyRefused",
    "RecentFiles",
    "S3Store",
    "StoreUrlRefused",
    "open_store",
]
