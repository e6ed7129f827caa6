"""A diff tells exactly what changes and where, whatever the texts hold, and never takes long."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.diff import replacement, unified

_HEADLINE = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@")
_NO_END = "\\ No newline at end of file"


def lines_of(text: str) -> list[str]:
    *ended, last = text.split("\n")
    return [line + "\n" for line in ended] + ([last] if last else [])


def applied(before: str, diff: str) -> str:
    """What the diff makes of a text of plain letters; fails where the diff does not fit it."""
    old, new, at = lines_of(before), list[str](), 0
    shown = diff.split("\n") if diff else []
    while shown:
        headline = _HEADLINE.fullmatch(shown.pop(0))
        assert headline
        start, count, other, others = map(int, headline.groups())
        start -= count > 0
        new += old[at:start]
        at = start
        assert len(new) == other - (others > 0)
        while shown and not shown[0].startswith("@@"):
            letter, line = shown[0][0], shown.pop(0)[1:] + "\n"
            if shown and shown[0] == _NO_END:
                shown.pop(0)
                line = line[:-1]
            assert letter in " -+"
            if letter in " -":
                assert old[at] == line
                at += 1
                count -= 1
            if letter in " +":
                new.append(line)
                others -= 1
        assert (count, others) == (0, 0)
    return "".join(new + old[at:])


TEXTS = st.lists(st.sampled_from(["a", "b", "", "-a", "+a", "@@ -1,1 +1,1 @@", _NO_END]), max_size=30).map("\n".join)


@given(TEXTS, TEXTS)
def test_a_unified_diff_turns_the_old_text_into_the_new_one(before: str, after: str) -> None:
    """MUST V20: a file's change is shown as a diff that leads from what it holds to what it will hold."""
    assert applied(before, unified(before, after)) == after


@given(st.text(max_size=200), st.text(max_size=200))
def test_every_line_of_a_diff_starts_with_our_own_letter(before: str, after: str) -> None:
    """MUST V21: no line of a shown change can pass for another."""
    for diff in (unified(before, after), replacement(before, after)):
        for line in diff.split("\n") if diff else []:
            if line.startswith("@@"):
                assert _HEADLINE.fullmatch(line) or re.fullmatch(r"@@ \d+ unchanged lines @@", line)
            else:
                assert line == _NO_END or line[0] in " -+"


def test_far_changes_stand_in_hunks_of_their_own_with_their_line_numbers() -> None:
    before = "".join(f"{number}\n" for number in range(1, 41))
    after = before.replace("\n5\n", "\nfive\n").replace("\n30\n", "\n30\nmore\n")
    assert unified(before, after) == (
        "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -28,6 +28,7 @@\n 28\n 29\n 30\n+more\n 31\n 32\n 33"
    )


@pytest.mark.parametrize(
    ("before", "after", "diff"),
    [
        ("", "", ""),
        ("a\n", "a\n", ""),
        ("", "a\n", "@@ -0,0 +1,1 @@\n+a"),
        ("a\n", "", "@@ -1,1 +0,0 @@\n-a"),
        ("a\n", "a", f"@@ -1,1 +1,1 @@\n-a\n+a\n{_NO_END}"),
        ("a\r\n", "a\n", "@@ -1,1 +1,1 @@\n-a␍\n+a"),
        ("a\x0cb\n", "a\x0bb\n", "@@ -1,1 +1,1 @@\n-a␌b\n+a␋b"),
        ("x", "⟨U+202E⟩", f"@@ -1,1 +1,1 @@\n-x\n{_NO_END}\n+⟨U+202E⟩\n{_NO_END}"),
    ],
)
def test_the_edges_of_a_text_are_shown(before: str, after: str, diff: str) -> None:
    assert unified(before, after) == diff


def test_lines_that_only_look_alike_are_a_change() -> None:
    assert "-⟨U+202E⟩\n+⟨U+202E⟩" in unified("\u202e\n", "⟨U+202E⟩\n")


def test_a_mark_at_the_start_of_a_line_cannot_change_our_letter() -> None:
    assert unified("\u0336x\n", "\u0336x\ny\n").split("\n")[1] == " ⟨U+0336⟩x"
    assert replacement("\u20d2x", "y").split("\n")[0] == "-⟨U+20D2⟩x"


def test_a_change_at_both_ends_of_a_long_file_leaves_its_middle_out() -> None:
    middle = "".join(f"line {number}\n\n" for number in range(1000))
    diff = unified(middle, f"first\n{middle}last\n")
    assert [line for line in diff.split("\n") if line[0] in "+-"] == ["+first", "+last"]


def test_texts_that_are_much_alike_are_told_coarsely_rather_than_late() -> None:
    before = "x\n" * 3000 + "old\n" + "x\n" * 3000
    after = "y\n" + "x\n" * 2000 + "new\n" + "x\n" * 3000 + "y\n"
    diff = unified(before, after)
    assert applied(before, diff) == after
    assert sum(line == "-x" for line in diff.split("\n")) > 5000  # given up, so everything is replaced
