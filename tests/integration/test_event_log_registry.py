"""Tags, schema versions and upcasters: what was written once is read for ever."""

from base64 import b64decode
from datetime import UTC, datetime
from hashlib import sha256
from typing import ClassVar, get_args
from uuid import UUID

import msgspec
import pytest

from domain import documents as d
from domain import events as e
from domain.content import Content, Deliverable
from domain.runs import Attempt, InputFingerprint, Run, Tokens
from domain.status import Agent, Gate, Part, Recommendation, Status, Step, Verdict
from infrastructure.event_log import REGISTRY, Registry, UnknownEvent
from tests.golden.filled import filled

ATTEMPT = Attempt(Step.SPEC, 2, 3)
RUN = Run(Tokens(1, 2, 3, 4), seconds=1.5, turns=2)
SHA = "a" * 64
ALIGNMENT = d.Alignment(Recommendation.REVISE, (d.Reason("why", ("FR-1",)),), "in short")
CRITERION = d.Criterion("AC-1", "given", "when", "then")
SPEC = d.Spec("Title", "Summary", (d.Requirement("FR-1", "a", "t", "r", ("BF-1",), (CRITERION,)),))
PLAN = d.Plan("Summary", (d.PlannedFile("a.py", "p", "T-1"),), (d.Task("T-1", "t", (), ("a.py",)),))
TESTS = d.Tests("Summary", (d.TestFile("t.py", "assert 1", ("FR-1",)),))
MANIFEST = InputFingerprint("model", SHA, "prices", {"brief": SHA}, {"effort": "high", "n": 3}, SHA)
TOLD: tuple[e.FeatureEvent, ...] = (
    e.FeatureCreated("Grüße"),
    e.FeatureRenamed("B"),
    e.FeatureDeleted(),
    e.MessagePosted(UUID(int=1), "text"),
    e.StepStarted(ATTEMPT, Agent.SPEC, UUID(int=2), MANIFEST),
    e.AttemptFailed(ATTEMPT, "overloaded", "why", RUN, retried=True),
    e.RunDiscarded(ATTEMPT, "superseded", RUN),
    e.AgentReplied(ATTEMPT, UUID(int=1), "text", RUN, question=d.Question("q", "w")),
    e.BriefConfirmed("brief", SHA, 1),
    e.BriefRevised("brief", SHA, 2),
    e.SpecGenerated(ATTEMPT, SPEC, "# md", SHA, SHA, RUN, reused_from=4),
    e.PlanGenerated(ATTEMPT, PLAN, "# md", SHA, SHA, RUN),
    e.TestsGenerated(ATTEMPT, TESTS, "# md", SHA, SHA, RUN),
    e.RecommendationMade(
        ATTEMPT, Gate.SPEC, Recommendation.REVISE, SHA, ALIGNMENT, SHA, RUN, lost=("FR-2",)
    ),
    e.FeatureTitled(ATTEMPT, "Title", RUN, by_model=False),
    e.SpecApproved(SHA, Recommendation.REVISE, override=True, note="anyway"),
    e.PlanApproved(SHA, None, override=False),
    e.TestsApproved(SHA, None, override=False),
    e.ImplementationCompleted(ATTEMPT, (e.FileWritten("a.py", 3, SHA),), SHA, SHA, RUN),
    e.SecurityReviewed(ATTEMPT, d.Report("s"), "# md", SHA, SHA, Verdict.FAIL, RUN, ("why",)),
    e.CodeReviewed(ATTEMPT, d.Report("s"), "# md", SHA, SHA, Verdict.PASS, RUN),
    e.VerdictReached(Verdict.FAIL, Verdict.FAIL, Verdict.PASS),
    e.StepAbandoned(Step.TITLE, 1, "deadline", "why"),
    e.FeatureFailed(Step.SPEC, 1, "deadline", "why", "advice"),
    e.FeatureRetried(3, 2, Content(Status.SPEC_GENERATING, Deliverable(3, SHA)), (Step.SPEC,)),
    e.FeatureReplayed(3, 2, Content(Status.DRAFTING), ()),
    e.FeatureForked("Grüße", UUID(int=7), 4, SHA, 1, 2, titled=True, resume=(Step.ALIGN_SPEC,)),
    e.PartCarried(
        Part.SPEC,
        4,
        "agent:spec",
        datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        e.SpecGenerated(ATTEMPT, SPEC, "# md", SHA, SHA, RUN),
    ),
    e.ApprovalRenewed(Gate.SPEC, SHA, "again"),
)
OTHERS = [kind for kind in get_args(e.FeatureEvent) if kind not in set(map(type, TOLD))]
EXAMPLES = (*TOLD, *(filled(kind)[0] for kind in OTHERS))
"""Events that are written out above, and one of every other type, made up from its shape."""


def test_there_is_an_example_of_every_event() -> None:
    assert {type(event) for event in EXAMPLES} == set(get_args(e.FeatureEvent))


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_an_event_is_read_as_it_was_written(event: e.FeatureEvent) -> None:
    written = REGISTRY.encode(event)
    assert REGISTRY.decode(*written) == event


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_what_is_personal_is_only_in_the_personal_part(event: e.FeatureEvent) -> None:
    written = REGISTRY.encode(event)
    clear = msgspec.json.decode(written.clear)
    personal = msgspec.json.decode(written.personal or b"{}")
    beside = {"type", "salt", "personal_sha256"}
    assert clear.keys().isdisjoint(event.personal)
    assert personal.keys() - {"salt"} <= event.personal
    whole = msgspec.to_builtins(event)
    assert (clear.keys() | personal.keys()) - beside == whole.keys() - beside


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_the_clear_part_commits_to_the_personal_one(event: e.FeatureEvent) -> None:
    written = REGISTRY.encode(event)
    clear = msgspec.json.decode(written.clear)
    if written.personal is None:
        assert "personal_sha256" not in clear
    else:
        assert clear["personal_sha256"] == sha256(written.personal).hexdigest()
        salt = b64decode(msgspec.json.decode(written.personal)["salt"], validate=True)
        assert written.personal.startswith(b'{"salt":"')
        assert len(salt) == 16


def test_the_commitment_to_the_same_words_is_another_each_time() -> None:
    one, two = (REGISTRY.encode(e.FeatureCreated("Tools")) for _ in range(2))
    assert one.clear != two.clear
    assert b"Tools" not in one.clear
    unsalted = sha256(b'{"title":"Tools"}').hexdigest().encode()
    assert unsalted not in one.clear


def test_the_bytes_of_a_known_event_never_change() -> None:
    written = REGISTRY.encode(e.SpecApproved(SHA, None, override=False, note="so be it"), bytes(16))
    assert written == (
        "spec_approved",
        1,
        b'{"content_sha256":"%s","recommendation":null,"override":false,"personal_sha256":'
        b'"0f4c17e16530d5b88fb11a12bf83ab53d56cb0c60a9957d701070edcc093ebbf"}' % SHA.encode(),
        b'{"salt":"AAAAAAAAAAAAAAAAAAAAAA==","note":"so be it"}',
    )


def test_a_field_cannot_take_a_name_that_stands_beside_all_fields() -> None:
    class Salted(e.Event, frozen=True, tag="salted"):
        salt: str = ""

    with pytest.raises(ValueError, match="reserved name"):
        Registry(Other | Salted)


def test_an_unknown_tag_is_an_error() -> None:
    with pytest.raises(UnknownEvent, match="feature_melted"):
        REGISTRY.decode("feature_melted", 1, b"{}", None)


@pytest.mark.parametrize("version", [0, 2])
def test_an_unknown_schema_version_is_an_error(version: int) -> None:
    with pytest.raises(UnknownEvent, match="feature_created"):
        REGISTRY.decode("feature_created", version, b"{}", b'{"title":"A"}')


class Renamed(e.Event, frozen=True, tag="renamed"):
    personal: ClassVar[frozenset[str]] = frozenset({"name"})
    schema_version: ClassVar[int] = 3
    name: str
    owner: UUID
    loud: bool = False


class Other(e.Event, frozen=True, tag="other"):
    pass


def test_an_old_event_is_brought_up_step_by_step() -> None:
    registry = Registry(
        Renamed | Other,
        {
            ("renamed", 1): lambda old: {"name": old["title"], "owner": old["owner"]},
            ("renamed", 2): lambda old: {**old, "loud": True},
        },
    )
    old = registry.decode(
        "renamed", 1, b'{"owner":"%s"}' % str(UUID(int=5)).encode(), b'{"title":"A"}'
    )
    assert old == Renamed("A", UUID(int=5), loud=True)
    assert registry.encode(old).schema_version == 3


def test_an_upcaster_gets_all_fields_and_nothing_that_stands_beside_them() -> None:
    class Before(e.Event, frozen=True, tag="renamed"):
        personal: ClassVar[frozenset[str]] = frozenset({"title"})
        title: str
        owner: UUID

    seen: list[dict[str, object]] = []

    def rename(old: dict[str, object]) -> dict[str, object]:
        seen.append(old)
        return {"name": old["title"], "owner": old["owner"]}

    written = Registry(Before | Other).encode(Before("A", UUID(int=5)))
    later = Registry(Renamed | Other, {("renamed", 1): rename, ("renamed", 2): lambda old: old})
    assert later.decode(*written) == Renamed("A", UUID(int=5))
    assert seen == [{"title": "A", "owner": str(UUID(int=5))}]


class Carrying(e.Event, frozen=True, tag="carrying"):
    personal: ClassVar[frozenset[str]] = frozenset({"event"})
    event: Renamed | Other
    event_schema_version: int = 1


def test_what_an_event_carries_is_brought_up_by_its_own_steps() -> None:
    registry = Registry(
        Renamed | Other | Carrying,
        {
            ("renamed", 1): lambda old: {"name": old["title"], "owner": old["owner"]},
            ("renamed", 2): lambda old: {**old, "loud": True},
        },
    )
    inner = b'{"event":{"type":"renamed","title":"A","owner":"%s"}}' % str(UUID(int=5)).encode()
    now = Carrying(Renamed("A", UUID(int=5), loud=True), 3)
    assert registry.decode("carrying", 1, b"{}", inner) == now
    again = registry.encode(now)
    assert registry.decode("carrying", 1, again.clear, again.personal) == now
    later = b'{"event":{"type":"renamed"},"event_schema_version":4}'
    with pytest.raises(UnknownEvent, match="renamed in schema version 4"):
        registry.decode("carrying", 1, later, None)


def test_a_missing_upcaster_is_an_error() -> None:
    registry = Registry(Renamed | Other, {("renamed", 1): lambda old: old})
    with pytest.raises(UnknownEvent):
        registry.decode("renamed", 1, b"{}", b"{}")


def test_two_events_cannot_share_a_tag_nor_hide_a_field_they_do_not_have() -> None:
    class Again(e.Event, frozen=True, tag="other"):
        pass

    class Hiding(e.Event, frozen=True, tag="hiding"):
        personal: ClassVar[frozenset[str]] = frozenset({"secret"})

    with pytest.raises(ValueError, match="share the tag"):
        Registry(Other | Again)
    with pytest.raises(ValueError, match="no field secret"):
        Registry(Other | Hiding)
