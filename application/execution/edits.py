"""A person's own version of a document at a gate, checked as an agent's is.

Invariant: nothing is recorded here; what passes becomes the one command that records it, and the
decider still holds it to the very version that it was checked against.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar
from uuid import UUID

from msgspec.structs import replace

from application.agents.checks.spec import with_gone_listed
from application.agents.document_checks import completed, findings_in, page_of
from application.agents.inspection import Inspection, StaticFinding
from application.execution.load_inputs import InputLoader
from application.features import Features
from application.running.computing import Computing
from domain import commands as c
from domain.decider import decide
from domain.documents import AgentDocument, Plan, Requirement, Spec
from domain.errors import FaultyDocument
from domain.parts import KEYS
from domain.status import Gate, Step

P = ParamSpec("P")
R = TypeVar("R")


class DocumentEdits:
    """Checks what people wrote."""

    def __init__(
        self,
        features: Features,
        loader: InputLoader,
        inspection: Inspection,
        computing: Computing,
    ) -> None:
        """Take what knows the features, and what reads documents."""
        self._features = features
        self._loader = loader
        self._inspection = inspection
        self._computing = computing

    async def checked(
        self, tenant_id: UUID, feature_id: UUID, command: c.EditDocument
    ) -> c.RecordEdit:
        """The command that records an edited document.

        Raises:
            Refused: it could not be recorded now, whatever it says; FaultyDocument: it does not
                pass the checks.
            Unavailable: something that is needed does not answer.
        """
        gate = GATE_OF_EDIT[type(command)]
        feature = await self._features.load(tenant_id, feature_id)
        shown = feature.content.deliverable(gate)
        based_on = shown.version if shown else 0
        edit = c.RecordEdit(gate, command.content_sha256, based_on, command.document, "")
        decide(edit, feature)
        material = await self._loader.load_inputs(tenant_id, feature_id, Step(gate.value), feature)
        base = material.documents[gate]
        material = replace(material, previous={gate: base})
        document: AgentDocument = command.document
        if isinstance(document, Spec) and isinstance(base, Spec):
            document = with_gone_listed(document, base)
        tools = _Tools(tenant_id, self._inspection, self._computing)
        found = await findings_in(document, material, tools)
        if found:
            raise FaultyDocument(tuple((pointer_of(document, one), one) for one in found))
        document = completed(document, material)
        markdown = await page_of(document, material, tools)
        return replace(edit, document=document, markdown=markdown)


GATE_OF_EDIT: Mapping[type[c.EditDocument], Gate] = {
    c.EditSpec: Gate.SPEC,
    c.EditPlan: Gate.PLAN,
    c.EditTests: Gate.TESTS,
}


class _Tools:
    """What checks need, for one tenant."""

    def __init__(self, tenant_id: UUID, inspection: Inspection, computing: Computing) -> None:
        self._tenant_id = tenant_id
        self._inspection = inspection
        self._computing = computing

    async def inspect(
        self, files: Mapping[str, str], packages: Sequence[str], plan: Plan | None = None
    ) -> Sequence[StaticFinding]:
        return await self._inspection.inspect(self._tenant_id, files, packages, plan)

    async def compute(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._computing.run(self._tenant_id, work, *args, **kwargs)


def pointer_of(document: AgentDocument, finding: str) -> str:
    """Where a finding is at home: a JSON pointer to the part that it names first."""
    places: dict[str, str] = {}
    for field, key in KEYS[type(document)].items():
        for number, part in enumerate(getattr(document, field)):
            here = f"/document/{field}/{number}"
            places.setdefault(key(part), here)
            if isinstance(part, Requirement):
                criteria = enumerate(part.criteria)
                places.update({one.id: f"{here}/criteria/{at}" for at, one in criteria})
    found = ((_first(name, finding), -len(name), place) for name, place in places.items())
    named = [one for one in found if one[0] >= 0]
    return min(named)[2] if named else "/document"


def _first(name: str, finding: str) -> int:
    """Where a finding names a part, whole; -1 if it does not."""
    at = finding.find(name)
    while at >= 0:
        around = f" {finding} "[at] + f" {finding} "[at + len(name) + 1]
        if not any(sign.isalnum() or sign in "-_" for sign in around):
            return at
        at = finding.find(name, at + 1)
    return -1
