"""A feature's history as a git bundle: one file that `git clone` takes.

Invariant: the same history gives the same bytes. No repository is made on disk, no program is run,
and a commit's time, author and message are the event's.
"""

from collections.abc import AsyncGenerator, Mapping
from hashlib import sha256
from io import BytesIO
from typing import Final
from uuid import UUID

from dulwich.object_format import SHA1
from dulwich.objects import Blob, ObjectID, ShaFile, Tree
from dulwich.objects import Commit as GitCommit
from dulwich.pack import write_pack_objects

from application.delivery.history import Commit, Histories, RecordedLife, branches_of, commits_of
from application.delivery.names import file_name
from application.delivery.parcel import Parcel
from application.running.computing import Computing, Here

FILE: Final = 0o100644
FOLDER: Final = 0o040000
REFS: Final = (b"HEAD", b"refs/heads/main")
CHUNK_BYTES: Final = 65_536


class GitBundle:
    """Bundles the histories of finished features."""

    def __init__(self, histories: Histories, computing: Computing | None = None) -> None:
        self._histories = histories
        self._computing: Computing = computing or Here()

    async def __call__(
        self, tenant_id: UUID, feature_id: UUID, version: int | None = None
    ) -> Parcel:
        """The bundle of the feature as it is, or as it was at a version.

        Raises:
            NotFound, NotNow: as for the histories.
        """
        told = await self._histories.tell(tenant_id, feature_id, version)
        bundle = await self._computing.run(tenant_id, bundle_of, told)
        called = file_name(told.title)
        return Parcel(called, sha256(bundle).hexdigest(), lambda: _in_chunks(bundle))


async def _in_chunks(bundle: bytes) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(bundle), CHUNK_BYTES):
        yield bundle[at : at + CHUNK_BYTES]


def bundle_of(told: RecordedLife) -> bytes:
    """The bundle of a history, from its first commit to its last."""
    made: dict[ObjectID, ShaFile] = {}
    parent: ObjectID | None = None
    branches = branches_of(told.events)
    tips: dict[str, ObjectID] = {}
    for commit in commits_of(told.events):
        bodies = {path: text.encode() for path, text in commit.texts.items()}
        bodies |= {file.path: told.bodies[file.sha256] for file in commit.files}
        parent = _kept(made, _commit(commit, _tree(made, bodies), parent))
        tips |= {name: parent for name, end in branches.items() if commit.version <= end}
    head = b"".join(b"%s %s\n" % (parent, ref) for ref in REFS)
    head += b"".join(b"%s refs/heads/%s\n" % (tip, name.encode()) for name, tip in tips.items())
    out = BytesIO(b"# v2 git bundle\n" + head + b"\n")
    out.seek(0, 2)
    write_pack_objects(out, list(made.values()), SHA1, deltify=False)
    return out.getvalue()


def _tree(made: dict[ObjectID, ShaFile], bodies: Mapping[str, bytes]) -> ObjectID:
    tree = Tree()
    folders: dict[str, dict[str, bytes]] = {}
    for path, body in bodies.items():
        name, inside, rest = path.partition("/")
        if inside:
            folders.setdefault(name, {})[rest] = body
        else:
            tree.add(name.encode(), FILE, _kept(made, Blob.from_string(body)))
    for name, inner in folders.items():
        tree.add(name.encode(), FOLDER, _tree(made, inner))
    return _kept(made, tree)


def _commit(commit: Commit, tree: ObjectID, parent: ObjectID | None) -> GitCommit:
    made = GitCommit()
    made.tree = tree
    made.parents = [parent] if parent else []
    made.author = made.committer = f"{commit.author} <{commit.email}>".encode()
    made.author_time = made.commit_time = int(commit.at.timestamp())
    made.author_timezone = made.commit_timezone = 0
    made.message = commit.message.encode()
    return made


def _kept(made: dict[ObjectID, ShaFile], new: ShaFile) -> ObjectID:
    """Keep an object once, however often it is used."""
    made.setdefault(new.id, new)
    return new.id
