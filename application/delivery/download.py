"""What a finished feature gives to its owner: the files of the zip, in order, checked by hash.

One folder, named by the title: `README.md` first, the code, the documents, and what starts it.

Invariant: the same version of a feature gives the same paths and the same bytes, for ever.
"""

from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from uuid import UUID

import msgspec

from application.delivery.checker import LAYOUT, README
from application.delivery.dossier import Finished, dossier, markdown_of
from application.delivery.finished import finished
from application.delivery.names import file_name
from application.delivery.stored_files import read_all_stored, read_stored, read_what_is_there
from application.delivery.writings import Writings, writings_of
from application.features import Features
from application.ports import ArtifactStore
from application.running.computing import Computing, Here
from application.transparency.export import StoredLog, lines_of

__all__ = ["Download", "markdown_of"]


class Download:
    """Reads finished features."""

    def __init__(
        self,
        features: Features,
        artifacts: ArtifactStore,
        log: StoredLog,
        computing: Computing | None = None,
        *,
        undecided: bool = False,
    ) -> None:
        """Take where things are, and whether it is for code whose reviews came to no verdict."""
        self._computing: Computing = computing or Here()
        self._features = features
        self._artifacts = artifacts
        self._log = log
        self._undecided = undecided

    async def of(self, tenant_id: UUID, feature_id: UUID, version: int | None = None) -> "Contents":
        """The files of a finished feature; as they were, if a version is given.

        Raises:
            NotFound: there is no such feature.
            NotNow: it is not done yet, or was not then.
        """
        made = await finished(
            self._features, tenant_id, feature_id, version, undecided=self._undecided
        )
        chunks = lines_of(self._log, tenant_id, made.feature_id, made.version)
        log = b"".join([chunk async for chunk in chunks])
        events = await self._features.history(tenant_id, feature_id, made.version)
        writings = await self._computing.run(tenant_id, writings_of, tuple(events))
        bodies = await self._bodies(tenant_id, made, writings)
        papers = await self._computing.run(tenant_id, dossier, made, log, writings, bodies)
        return Contents(self._artifacts, tenant_id, made, papers)

    async def letter(
        self, tenant_id: UUID, feature_id: UUID, form: str, version: int | None = None
    ) -> tuple[str, bytes]:
        """The page for whoever will run it: a name for its file, and its bytes, `md` or `html`.

        Raises:
            NotFound, NotNow: as for the files.
        """
        contents = await self.of(tenant_id, feature_id, version)
        return contents.called, contents.paper(f"{LAYOUT.documents}letter.{form}")

    async def _bodies(
        self, tenant_id: UUID, made: Finished, writings: Writings
    ) -> dict[str, bytes]:
        """Every source file, and of the texts it was written on from those that can be read."""
        place = (self._artifacts, tenant_id, made.feature_id)
        paths = [file.path for file in made.files]
        now = {file.sha256: file for file in made.files}
        bodies = dict(zip(now, await read_all_stored(*place, now.values()), strict=True))
        wanted = writings.wanted(made.parts["implementation"].version, paths)
        earlier = [file for sha256, file in wanted.items() if sha256 not in now]
        return bodies | await read_what_is_there(*place, earlier)


class Contents:
    """What is delivered: papers at hand, and files that are read from the store as they go out."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        tenant_id: UUID,
        made: Finished,
        papers: Mapping[str, bytes],
    ) -> None:
        """Take where files are, and the papers that follow from the log."""
        self._artifacts = artifacts
        self._whose = (tenant_id, made.feature_id)
        self.called = file_name(made.title)
        """The name of the folder."""
        self._papers = {self._place(path): body for path, body in papers.items()}
        self._files = {self._place(LAYOUT.code + file.path): file for file in made.files}

    def _place(self, path: str) -> str:
        return f"{self.called}/{path}"

    def paper(self, path: str) -> bytes:
        """A file that follows from the log, by its path in the folder."""
        return self._papers[self._place(path)]

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex of every path with the hash of its bytes."""
        hashes = {path: sha256(body).hexdigest() for path, body in self._papers.items()}
        hashes |= {path: file.sha256 for path, file in self._files.items()}
        return sha256(msgspec.json.encode(hashes, order="sorted")).hexdigest()

    async def entries(self) -> AsyncIterator[tuple[str, bytes]]:
        """Path and bytes of every file: what is to be read first, then sorted by path."""
        first = self._place(README)
        for path in sorted({*self._papers, *self._files}, key=lambda path: (path != first, path)):
            if path in self._files:
                yield path, await read_stored(self._artifacts, *self._whose, self._files[path])
            else:
                yield path, self._papers[path]
