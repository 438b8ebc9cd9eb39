"""What a finished feature gives to its owner: the files of the zip, in order, checked by hash.

Invariant: the same version of a feature gives the same paths and the same bytes, for ever.
"""

from collections.abc import AsyncIterator
from uuid import UUID

from application.computing import Computing, Here
from application.delivery.bill import is_declaration
from application.delivery.dossier import Finished, dossier, markdown_of
from application.delivery.finished import finished
from application.export import StoredLog, lines_of
from application.features import Features
from application.ports import ArtifactStore
from application.stored_files import read_stored
from domain.events import FileWritten

__all__ = ["Download", "markdown_of"]


class Download:
    """Reads finished features."""

    def __init__(
        self,
        features: Features,
        artifacts: ArtifactStore,
        log: StoredLog,
        computing: Computing | None = None,
    ) -> None:
        self._computing: Computing = computing or Here()
        self._features = features
        self._artifacts = artifacts
        self._log = log

    async def entries(
        self, tenant_id: UUID, feature_id: UUID, version: int | None = None
    ) -> AsyncIterator[tuple[str, bytes]]:
        """Path and bytes of every file, sorted by path; as they were, if a version is given.

        Raises:
            NotFound: there is no such feature.
            NotNow: it is not done yet, or was not then.
        """
        made = await finished(self._features, tenant_id, feature_id, version)
        return self._stream(tenant_id, made)

    async def _stream(self, tenant_id: UUID, made: Finished) -> AsyncIterator[tuple[str, bytes]]:
        chunks = lines_of(self._log, tenant_id, made.feature_id, made.version)
        log = b"".join([chunk async for chunk in chunks])
        declarations = {
            file.path: await self._body(tenant_id, made, file)
            for file in made.files
            if is_declaration(file.path)
        }
        papers = await self._computing.run(tenant_id, dossier, made, log, declarations)
        files = {file.path: file for file in made.files}
        for path in sorted({*papers, *files}):
            if path in files:
                yield path, await self._body(tenant_id, made, files[path])
            else:
                yield path, papers[path]

    async def _body(self, tenant_id: UUID, made: Finished, file: FileWritten) -> bytes:
        return await read_stored(self._artifacts, tenant_id, made.feature_id, file)
