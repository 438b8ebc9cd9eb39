"""An accepted result, offered again to a new attempt with the same inputs: it costs nothing."""

from domain import commands as c
from domain import events as e
from domain.runs import Attempt, Run

FREE = Run()


def recorded_again(event: e.FeatureEvent, attempt: Attempt, version: int) -> c.AgentAnswer:
    """The command that records the result of an earlier attempt, found at `version`, once more.

    Raises:
        TypeError: the event is no result of a step.
    """
    match event:
        case e.SpecGenerated():
            return c.RecordSpec(
                attempt, FREE, event.document, event.markdown, event.manifest_sha256, version
            )
        case e.PlanGenerated():
            return c.RecordPlan(
                attempt, FREE, event.document, event.markdown, event.manifest_sha256, version
            )
        case e.TestsGenerated():
            return c.RecordTests(
                attempt, FREE, event.document, event.markdown, event.manifest_sha256, version
            )
        case e.RecommendationMade():
            return c.RecordRecommendation(
                attempt,
                FREE,
                event.gate,
                event.content_sha256,
                event.document,
                event.manifest_sha256,
                version,
                event.lost,
                event.added,
            )
        case e.ImplementationCompleted():
            return c.RecordImplementation(
                attempt, FREE, event.files, event.manifest_sha256, event.notes, version
            )
        case e.SecurityReviewed() | e.CodeReviewed():
            return c.RecordReview(
                attempt,
                FREE,
                event.document,
                event.markdown,
                event.manifest_sha256,
                event.verdict,
                event.reasons,
                event.dropped_findings,
                version,
            )
        case _:
            raise TypeError(f"{type(event).__name__} is no result of a step")
