"""From a URL in the settings to a store that is not open yet.

Invariant: a URL is either understood completely or refused with one sentence that shows both forms.
"""

import re
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from infrastructure.artifacts.folder import FolderStore
from infrastructure.artifacts.s3 import S3Store

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OPTIONS: Final = frozenset({"endpoint", "region"})
_FORMS: Final = "file:///absolute/folder or s3://bucket?endpoint=https://…&region=…"


class StoreUrlRefused(ValueError):
    """The address of the artifact store cannot be used."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the address of the artifact store {reason}; expected {_FORMS}")


def open_store(
    url: str,
    *,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
    packs: bool = True,
) -> FolderStore | S3Store:
    """Make the store that a URL names; enter it (`async with`) to use it.

    The credentials are for S3 only; without them those of the machine's role are used. With
    `packs`, files of one feature that are stored together share an object. Raises
    StoreUrlRefused, whose message never repeats the URL, since somebody may have put a secret in.
    """
    try:
        parsed = urlsplit(url)
        options = parse_qs(parsed.query, keep_blank_values=True, strict_parsing=bool(parsed.query))
    except ValueError:
        raise StoreUrlRefused("is no URL") from None
    if parsed.username or parsed.password:
        raise StoreUrlRefused("must not hold credentials: they have settings of their own")
    match parsed.scheme:
        case "file":
            return _folder(parsed.netloc, unquote(parsed.path), options, packs=packs)
        case "s3":
            if parsed.path not in ("", "/") or parsed.fragment:
                raise StoreUrlRefused("names more than a bucket")
            return _bucket(parsed.netloc, options, access_key_id, secret_access_key, packs=packs)
        case _:
            raise StoreUrlRefused("has another scheme than file and s3")


def _folder(host: str, path: str, options: dict[str, list[str]], *, packs: bool) -> FolderStore:
    if host or options or not path.startswith("/") or path == "/" or "\0" in path:
        raise StoreUrlRefused("names no absolute folder")
    return FolderStore(Path(path), packs=packs)


def _bucket(
    bucket: str,
    options: dict[str, list[str]],
    access_key_id: str | None,
    secret_access_key: str | None,
    *,
    packs: bool,
) -> S3Store:
    if _BUCKET.fullmatch(bucket) is None:
        raise StoreUrlRefused("names no bucket")
    if not options.keys() <= _OPTIONS or any(len(values) > 1 for values in options.values()):
        raise StoreUrlRefused("has options other than one endpoint and one region")
    endpoint = options.get("endpoint", [None])[0]
    if endpoint is not None:
        parsed = urlsplit(endpoint)
        if parsed.scheme not in ("http", "https") or not parsed.hostname or parsed.username:
            raise StoreUrlRefused("has an endpoint that is no http or https URL")
    if (access_key_id is None) != (secret_access_key is None):
        raise StoreUrlRefused("needs both an access key id and a secret access key, or neither")
    return S3Store(
        bucket,
        endpoint=endpoint,
        region=options.get("region", [None])[0],
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
        packs=packs,
    )
