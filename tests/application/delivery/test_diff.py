"""Unified diffs: what a person would see with `diff -u`, and never more than a page can hold."""

from hashlib import sha256

from hypothesis import given as forall
from hypothesis import strategies as st

from application.delivery import diff
from application.delivery.diff import ComparedText, Kind, Shown, changes, differing
from application.delivery.matching import matching


def text(body: str | bytes) -> ComparedText:
    raw = body.encode() if isinstance(body, str) else body
    return ComparedText(sha256(raw).hexdigest(), raw)


def only(before: dict[str, ComparedText], after: dict[str, ComparedText]) -> diff.ChangedText:
    [change] = changes(before, after)
    return change


def test_a_changed_line_is_shown_with_its_surroundings():
    old = "".join(f"{n}\n" for n in range(20))
    change = only({"a.md": text(old)}, {"a.md": text(old.replace("10\n", "ten\n"))})
    assert (change.kind, change.shown) == (Kind.CHANGED, Shown.WHOLE)
    assert change.diff == (
        "--- a/a.md\n+++ b/a.md\n@@ -8,7 +8,7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n"
    )


def test_what_came_and_what_went_is_whole():
    added = only({}, {"a": text("x\n")})
    assert (added.kind, added.from_sha256) == (Kind.ADDED, None)
    assert added.diff == "--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\n"
    removed = only({"a": text("x\n")}, {})
    assert (removed.kind, removed.to_sha256) == (Kind.REMOVED, None)
    assert removed.diff.endswith("-x\n")


def test_a_last_line_without_an_end_is_marked():
    change = only({"a": text("x")}, {"a": text("y\n")})
    assert change.diff.endswith("-x\n\\ No newline at end of file\n+y\n")


def test_what_is_the_same_is_not_named():
    same = {"a": text("x"), "b": text("y")}
    assert changes(same, dict(same)) == ()
    assert differing({"a": "1", "b": "2"}, {"a": "1", "c": "2"}) == ("b", "c")


def test_bytes_that_are_no_text_are_named_only():
    change = only({"a": text(b"\xff\xfe")}, {"a": text("x")})
    assert (change.shown, change.diff) == (Shown.NO_TEXT, "")
    assert change.from_sha256 != change.to_sha256


def test_a_large_diff_is_cut_at_a_line_and_says_so():
    change = only({}, {"a": text("".join(f"line {n} {'x' * 80}\n" for n in range(3_000)))})
    assert change.shown is Shown.CUT
    assert change.diff.endswith("x\n" + diff.CUT)
    assert len(change.diff.encode()) <= diff.LARGEST_DIFF_BYTES + len(diff.CUT)


def test_what_is_too_large_to_compare_is_named_only():
    for body in ("x" * (diff.LARGEST_TEXT_BYTES + 1), "\n" * (diff.LARGEST_TEXT_LINES + 1)):
        assert only({"a": text("y")}, {"a": text(body)}).shown is Shown.TOO_LARGE


def test_all_diffs_together_are_bounded():
    body = "".join(f"{n}\n" for n in range(9_000))
    after = {f"{n:03d}": text(f"{n}\n{body}") for n in range(100)}
    found = changes({}, after)
    assert len(found) == 100
    total = sum(len(change.diff.encode()) for change in found)
    assert total <= diff.LARGEST_ANSWER_BYTES + 2 * diff.LARGEST_DIFF_BYTES
    assert found[-1].shown is Shown.TOO_LARGE


LINE = st.sampled_from(["a\n", "b\n", "c\n", "\n", "a\r\n", "\u2028x\x0c\n"])
LINES = st.lists(LINE, max_size=30)


@forall(LINES, LINES)
def test_applying_a_diff_to_one_side_gives_the_other(old, new):
    before, after = "".join(old), "".join(new)
    found = changes({"f": text(before)}, {"f": text(after)})
    if before == after:
        assert found == ()
        return
    assert applied(old, found[0].diff) == new


def applied(old: list[str], unified: str) -> list[str]:
    """The other side, by a patch program of ten lines."""
    out: list[str] = []
    at = 0
    for line in diff.lines_of(unified)[2:]:
        if line.startswith("@@"):
            first, _, count = line.split()[1].removeprefix("-").partition(",")
            begin = int(first) - (0 if count == "0" else 1)
            out += old[at:begin]
            at = begin
        elif line.startswith("+"):
            out.append(line[1:])
        else:
            assert old[at] == line[1:]
            at += 1
            out += [line[1:]] if line.startswith(" ") else []
    return out + old[at:]


@forall(LINES, LINES)
def test_what_is_matched_is_the_same_and_in_order(old, new):
    found = matching(old, new)
    assert found.close
    ends = (0, 0)
    for stretch in found.stretches:
        assert old[stretch.before :][: stretch.size] == new[stretch.after :][: stretch.size]
        assert stretch.before >= ends[0]
        assert stretch.after >= ends[1]
        ends = (stretch.before + stretch.size, stretch.after + stretch.size)
    if set(old) & set(new):
        assert found.stretches


def test_a_moved_line_is_one_that_went_and_came():
    change = only({"a": text("1\n2\n3\n4\n")}, {"a": text("4\n1\n2\n3\n")})
    assert change.diff.count("\n-") == change.diff.count("\n+") - 1 == 1
    assert not change.coarse


def test_lines_that_nothing_tells_apart_are_replaced_as_a_whole_and_that_is_said():
    old = [f"{n * n % 101}\n" for n in range(6_000)]
    new = [f"{n * n * n % 103}\n" for n in range(6_000)]
    change = only({"a": text("".join(old))}, {"a": text("".join(new))})
    assert change.coarse
    assert change.shown is Shown.WHOLE
    assert applied(old, change.diff) == new
