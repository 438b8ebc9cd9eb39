"""An event with a new status: a draft can be put aside."""

from tests.architecture.examples import Edit

EN = "interface/web/src/lib/i18n/en.ts"

EDITS = (
    Edit("domain/status.py", '    DRAFTING = "drafting"\n', '    PUT_ASIDE = "put_aside"\n'),
    Edit(
        "domain/events.py",
        '''class FeatureRenamed(Event, frozen=True, tag="feature_renamed"):
    """A person gave it another title."""

    personal: ClassVar[frozenset[str]] = frozenset({"title"})
    title: str
''',
        '''

class FeaturePutAside(Event, frozen=True, tag="feature_put_aside"):
    """A person put a draft aside."""
''',
    ),
    Edit("domain/events.py", "    | FeatureRenamed\n", "    | FeaturePutAside\n"),
    Edit(
        "domain/commands.py",
        '''class DeleteFeature(Command, frozen=True):
    """Delete it, for good: its content becomes unreadable."""
''',
        '''

class PutAside(Command, frozen=True):
    """Put a draft aside."""
''',
    ),
    Edit("domain/commands.py", "    | DeleteFeature\n", "    | PutAside\n"),
    Edit(
        "domain/decider.py",
        "            return (e.FeatureDeleted(),)\n",
        "        case c.PutAside():\n            return (e.FeaturePutAside(),)\n",
    ),
    Edit(
        "domain/lifecycle.py",
        "    e.FeatureRenamed: _row(ALIVE, STAYS),\n",
        "    e.FeaturePutAside: _row(S.DRAFTING, S.PUT_ASIDE),\n",
    ),
    Edit(EN, "		drafting: 'In conversation',\n", "		put_aside: 'Put aside',\n"),
    Edit(
        EN,
        "		feature_renamed: 'renamed the feature',\n",
        "		feature_put_aside: 'put the draft aside',\n",
    ),
)

MOST_FILES = 6
