"""What a finished feature gives to its owner: the files of the zip, in order, checked by hash.

Invariant: the same version of a feature gives the same paths and the same bytes, for ever.
"""

from collections.abc import AsyncIterator
from uuid import UUID

from application.artifact_keys import artifact_key
from application.features import Features
from application.ports import ArtifactStore
from domain import events as e
from domain.errors import NotFound, NotNow
from domain.status import Status

DOCUMENTS = ".build-practical"
"""Where the documents that led to the code stand in the zip."""


class Download:
    """Reads finished features."""

    def __init__(self, features: Features, artifacts: ArtifactStore) -> None:
        self._features = features
        self._artifacts = artifacts

    async def entries(self, tenant_id: UUID, feature_id: UUID) -> AsyncIterator[tuple[str, bytes]]:
        """Path and bytes of every file, sorted by path.

        Raises:
            NotFound: there is no such feature.
            NotNow: it is not done yet.
        """
        feature = await self._features.load(tenant_id, feature_id)
        content = feature.content
        if feature.version == 0 or feature.status is Status.DELETED:
            raise NotFound
        if feature.status is not Status.DONE or content.implementation is None:
            raise NotNow(
                "There is nothing to download yet: the code is ready once both reviews pass.",
                feature.status,
            )
        named = {
            "brief": content.brief,
            "spec": content.spec,
            "plan": content.plan,
            "tests": content.tests,
            "security_review": content.security_review,
            "code_review": content.code_review,
        }
        versions = {part.version for part in named.values() if part}
        found = await self._features.texts(
            tenant_id, feature_id, versions | {content.implementation.version}
        )
        documents = {
            f"{DOCUMENTS}/{name}.md": markdown_of(found[part.version].event).encode()
            for name, part in named.items()
            if part
        }
        implementation = found[content.implementation.version].event
        assert isinstance(implementation, e.ImplementationCompleted)  # noqa: S101
        files = {file.path: file.sha256 for file in implementation.files}
        return self._stream(tenant_id, feature_id, documents, files)

    async def _stream(
        self, tenant_id: UUID, feature_id: UUID, documents: dict[str, bytes], files: dict[str, str]
    ) -> AsyncIterator[tuple[str, bytes]]:
        for path in sorted({*documents, *files}):
            if path in files:
                key = artifact_key(tenant_id, feature_id, files[path])
                yield path, await self._artifacts.get(key)
            else:
                yield path, documents[path]


def markdown_of(event: e.FeatureEvent) -> str:
    """The text that people see of a document's event; empty if it has none."""
    match event:
        case e.BriefConfirmed(brief=brief) | e.BriefRevised(brief=brief):
            return brief
        case (
            e.SpecGenerated(markdown=markdown)
            | e.PlanGenerated(markdown=markdown)
            | e.TestsGenerated(markdown=markdown)
            | e.SecurityReviewed(markdown=markdown)
            | e.CodeReviewed(markdown=markdown)
        ):
            return markdown
        case _:
            return ""
