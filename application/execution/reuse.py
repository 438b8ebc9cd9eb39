"""An accepted result, offered again to a new attempt with the same inputs: it costs nothing."""

from domain import commands as c
from domain import events as e
from domain.decider import NOT_RECORDED
from domain.pipeline import ANSWER_OF, RESULT_OF
from domain.runs import Attempt, Run

FREE = Run()


def recorded_again(event: e.FeatureEvent, attempt: Attempt, version: int) -> c.AgentAnswer:
    """The command that records the result of an earlier attempt, found at `version`, once more.

    Raises:
        TypeError: the event is no result of the attempt's step, or one that cannot be reused.
    """
    answer = ANSWER_OF[attempt.step]
    names = answer.__struct_fields__
    if type(event) is not RESULT_OF[attempt.step] or "reused_from" not in names:
        raise TypeError(f"{type(event).__name__} is no result that {attempt.step} can have again")
    again = {"attempt": attempt, "run": FREE, "reused_from": version}
    given = (name for name in names if name not in again and name not in NOT_RECORDED)
    return answer(**{name: getattr(event, name) for name in given} | again)
