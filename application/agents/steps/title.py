"""The title agent names the feature in the user's words; code does when the agent cannot.

Invariant: a feature gets a title of one to six words, whatever the model answers.
"""

from application.agents.failures import StepFailed
from application.agents.steps.step_context import StepContext
from application.agents.submission import obtain
from application.agents.title import fallback_title, title_findings
from application.agents.tools import SUBMIT_TITLE
from domain import commands as c
from domain.documents import Title
from domain.runs import Run

_TASK = "Name the feature, and hand the title over with `submit_title`."


async def name_feature(work: StepContext) -> c.RecordTitle:
    """The title."""

    async def check(title: Title) -> list[str]:
        return title_findings(title.title)

    try:
        named = await obtain(work.exchange(_TASK), SUBMIT_TITLE, Title, check)
    except StepFailed:
        title = fallback_title(work.material.brief, work.material.points)
        return c.RecordTitle(work.attempt, Run(), title, by_model=False)
    return c.RecordTitle(work.attempt, Run(), named.title)
