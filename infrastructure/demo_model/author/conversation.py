"""The BA agent's part: it asks twice at most, proposes a brief, and answers at the gates.

Invariant: a turn has at most 120 words, and says that a demo model speaks.
"""

import json
import re
from typing import Any

from msgspec import Struct

from domain import documents as d
from infrastructure.demo_model.author.alignment import ids_in
from infrastructure.demo_model.author.brief import ALSO, Section, points_of, sections_in, text_of
from infrastructure.demo_model.author.nouns import find_things
from infrastructure.demo_model.author.proposal import data_lines, propose
from infrastructure.demo_model.author.words import listed
from infrastructure.demo_model.reply import Call, Reply, ReplyText

LONG_ENOUGH = 600
"""Characters of a first message that need no questions."""
SHORT = 12
"""Characters beside the words go ahead that say nothing else."""
MOST_WORDS = 110
GO_AHEAD = re.compile(
    r"\b(go ahead|that'?s (all|it|everything)|nothing else|propose|write the brief|good enough|"
    r"just (do|start|build)|start now|looks good|i'?m done)\b",
    re.IGNORECASE,
)
CHANGE = re.compile(
    r"\b(add|change|remove|drop|instead|also|should|want|don'?t|do not|without|rename|replace|must|"
    r"needs?|leave out|forgot)\b",
    re.IGNORECASE,
)
MEMBERS = re.compile(r"[;\n]")
WORD = re.compile(r"[a-z]{4,}")
MARKUP = re.compile(r"[#*|\"{}\[\]]")
POINT = re.compile(r"BF-\d{1,9}")
WHO, WHAT = "who will use it", "what it should remember"


class SpokenMessage(Struct, frozen=True):
    """A message of the conversation."""

    id: str
    by_person: bool
    text: str


def said_so_far(inputs: dict[str, Any]) -> list[SpokenMessage]:
    """The conversation, oldest first, whatever its shape."""
    given = inputs.get("conversation") or []
    if isinstance(given, str):
        return [SpokenMessage("", by_person=True, text=given)]
    found = []
    for message in given:
        if isinstance(message, str):
            found.append(SpokenMessage("", by_person=True, text=message))
            continue
        by = next(
            (str(message[k]) for k in ("role", "by", "author", "from", "actor") if k in message),
            "user",
        )
        words = (message.get(k) for k in ("text", "content", "message"))
        text = next((w for w in words if isinstance(w, str)), json.dumps(message))
        person = by.lower().startswith(("user", "person", "human", "you"))
        found.append(
            SpokenMessage(str(message.get("id") or message.get("message_id") or ""), person, text)
        )
    return found


def _story(messages: list[SpokenMessage]) -> str:
    """Everything the person said, each answer under the question it answers."""
    parts: list[str] = []
    asked = ""
    for message in messages:
        if not message.by_person:
            low = message.text.lower()
            asked = WHO if WHO in low else WHAT if WHAT in low else ALSO
            continue
        rest = GO_AHEAD.sub("", message.text).strip(" .,;!?\n")
        if rest != message.text.strip(" .,;!?\n") and len(rest) < SHORT:
            continue
        members = [x.strip() for x in MEMBERS.split(message.text) if x.strip()]
        bullets = "\n".join(f"- {x}" for x in members)
        heading = {WHO: "Who uses it", WHAT: "Data"}.get(asked, ALSO)
        parts.append(f"## {heading}\n\n{bullets}" if asked else message.text)
        asked = ""
    return "\n\n".join(parts)


def _short(text: str) -> str:
    words = text.split(" ")
    return text if len(words) <= MOST_WORDS else " ".join(words[:MOST_WORDS]) + " …"


def _offer(text: str, messages: list[SpokenMessage], lead: str) -> Reply:
    spoken = [(m.id, m.text) for m in messages if m.by_person]
    brief = propose(text, spoken)
    words = (
        f"{lead} I am the demo model, so I keep to what I recognise (points: "
        f"{len(brief.must_haves)}, kinds of things to remember: {len(brief.data)}). "
        "Please read the brief; confirm it if it says what you mean, or tell me what is wrong."
    )
    return Reply((ReplyText(_short(words)), Call.of("propose_brief", brief)))


def _ask_who(text: str) -> Reply:
    thing = find_things(text).things[0].many
    question = d.Question(
        question="Who will use it?",
        why="It decides how large, how simple and how quick the page has to be.",
        options=("Only me", "A few people who know each other", "Everybody who finds the page"),
        recommended="A few people who know each other",
    )
    words = (
        f"Thank you, that sounds useful. I am the demo model, a plain stand-in: I understood that "
        f"it is about {thing}. Two short questions. First: {WHO}?"
    )
    return Reply((ReplyText(_short(words)), Call.of("ask_question", question)))


def _ask_what(text: str) -> Reply:
    guess = "; ".join(data_lines(text))[:1_000]
    things = listed([thing.many for thing in find_things(text).things])
    question = d.Question(
        question="What should it remember about each of them?",
        why="Each kind of thing becomes a table, a form and a list.",
        options=(guess, *(f"{t.label.capitalize()}: name" for t in find_things(text).things[:2])),
        recommended=guess,
    )
    words = (
        f"Good. The last question is {WHAT}. As the demo model I heard of {things}. Choose my "
        "guess, or write it yourself, such as “Tool: name, condition (good, worn), bought on”."
    )
    return Reply((ReplyText(_short(words)), Call.of("ask_question", question)))


def _explain(inputs: dict[str, Any], question: str) -> Reply:
    deliverable = inputs.get("deliverable") or text_of(inputs.get("brief"))
    text = deliverable if isinstance(deliverable, str) else json.dumps(deliverable, indent=1)
    where = str(inputs.get("gate") or inputs.get("status") or "document").replace("_", " ")
    counts = [
        f"{len(found)} {name}"
        for name, prefix in (("requirements", "FR"), ("checks", "AC"), ("tasks", "T"))
        if (found := ids_in(text, prefix))
    ]
    asked = set(WORD.findall(question.lower()))
    lines = [MARKUP.sub(" ", x).strip(" ,") for x in text.split("\n")]
    scored = [(len(asked & set(WORD.findall(x.lower()))), x) for x in lines if x]
    best = [x for score, x in sorted(scored, key=lambda s: -s[0]) if score > 0][:2]
    words = "I am the demo model, so I can only point at what is written. "
    words += f"The {where} has {listed(counts)}. " if counts else f"It stands at: {where}. "
    words += (
        f"Closest to your question: “{'” and “'.join(x[:160] for x in best)}”. " if best else ""
    )
    words += "Tell me what should be different, and I propose a revised brief."
    return Reply((ReplyText(_short(" ".join(words.split()))),))


def _revise(inputs: dict[str, Any], messages: list[SpokenMessage]) -> Reply:
    last = messages[-1]
    points = points_of(inputs)
    numbers = [int(key.split("-")[1]) for key, _ in points if POINT.fullmatch(key)]
    brief = text_of(inputs.get("brief", ""))
    wish = " ".join(last.text.split())
    about = sections_in(inputs)
    wanted = [p for p in points if about.get(p[0]) in (None, Section.MUST, Section.STORY)]
    kept = (
        brief
        if all(key in brief for key, _ in points)
        else "\n".join(
            [brief, "", "## It must do", "", *(f"- {key}: {text}" for key, text in wanted)]
        )
    )
    added = f"{kept}\n\n## {ALSO}\n\n- BF-{max(numbers, default=0) + 1}: {wish}\n"
    return _offer(added, messages, "I added your wish as a point of its own.")


def converse(inputs: dict[str, Any], tools: frozenset[str]) -> Reply:
    """The next turn of the conversation."""
    messages = said_so_far(inputs)
    spoken = [m for m in messages if m.by_person]
    last = spoken[-1].text if spoken else ""
    begun = inputs.get("deliverable") is not None or str(
        inputs.get("status") or "drafting"
    ) not in ("drafting", "")
    if begun:
        wants = CHANGE.search(last) and not last.rstrip().endswith("?")
        return (
            _revise(inputs, messages)
            if wants and "propose_brief" in tools
            else _explain(inputs, last)
        )
    text = _story(messages)
    asked = sum(not m.by_person for m in messages)
    enough = GO_AHEAD.search(last) or len(spoken[0].text if spoken else "") > LONG_ENOUGH
    if not text.strip():
        return Reply(
            (ReplyText("I am the demo model. What should the software do, and for whom?"),)
        )
    if (enough or asked > 1) and "propose_brief" in tools:
        lead = "Here is the brief again, with what you said." if asked > 1 else "Here is a brief."
        return _offer(text, messages, lead)
    if "ask_question" not in tools:
        return Reply((ReplyText("I am the demo model. Tell me more, or say “go ahead”."),))
    return _ask_what(text) if asked else _ask_who(text)
