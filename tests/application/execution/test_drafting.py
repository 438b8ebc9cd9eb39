"""A document is readable while it is being written, however its JSON is cut."""

import json

from hypothesis import given as forall
from hypothesis import strategies as st

from application.execution.drafting import Draft

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\b\f\r"))
VALUES = st.recursive(
    TEXT | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(TEXT, VALUES)


def texts(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for inner in value.values() for text in texts(inner)]
        case list():
            return [text for inner in value for text in texts(inner)]
        case _:
            return []


def prose(document: object) -> str:
    return "".join(f"{text}\n" for text in texts(document) if " " in text)


@forall(DOCUMENTS, st.booleans(), st.lists(st.integers(1, 9), min_size=1))
def test_the_prose_is_every_text_with_a_space_whatever_the_pieces(document, escaped, sizes):
    raw, draft, read, at = json.dumps(document, ensure_ascii=escaped), Draft(), "", 0
    while at < len(raw):
        size = sizes[at % len(sizes)]
        read += draft.read(raw[at : at + size])
        at += size
    assert read == prose(document)


def test_ids_paths_choices_and_names_are_passed_over():
    call = {"id": "FR-1", "a name": "must", "path": "src/a.ts", "text": "It is kept."}
    assert Draft().read(json.dumps(call)) == "It is kept.\n"


def test_words_come_before_their_text_is_whole():
    assert Draft().read('{"summary": "An app that le') == "An app that le"


def test_one_call_follows_another():
    draft = Draft()
    assert draft.read('{"a": "one two"}') + draft.read('{"a b": "three four"}') == (
        "one two\nthree four\n"
    )


@forall(st.text())
def test_what_is_no_json_breaks_nothing(piece):
    assert isinstance(Draft().read(piece), str)
