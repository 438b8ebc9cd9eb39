"""What code finds in the files of a feature: the parsers' findings and those of the stack profile.

Invariant: build and reviews are told the same of the same files.
"""

from collections.abc import Mapping, Sequence

from application.agents.checks.stack import stack_findings
from application.agents.inspection import StaticFinding
from application.agents.step_inputs import AttemptContext
from domain.documents import Plan


async def inspected(
    context: AttemptContext, files: Mapping[str, str], plan: Plan
) -> Sequence[StaticFinding]:
    """All findings, the stack's behind the parsers'.

    Args:
        context: What asks the parsers.
        files: All files of the feature, tests included.
        plan: What they are held to. A plan without exports and routes is older than the profile.
    """
    found = await context.inspect(files, plan.packages, plan)
    if not (plan.exports or plan.routes):
        return found
    return [*found, *await context.compute(stack_findings, dict(files))]
