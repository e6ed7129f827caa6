"""Text of others cannot hide anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.text import utf16_len
from telegram_channel.core.visible import visible, visible_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm -rf /tmp/x", "rm -rf /tmp/x"),
        ("Grüße, Привет, 你好, 🙂", "Grüße, Привет, 你好, 🙂"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("a\u200bb\ufeff", "a⟨U+200B⟩b⟨U+FEFF⟩"),
        ("a\u00a0b", "a⟨U+00A0⟩b"),
        ("a\u3164b\u2800", "a⟨U+3164⟩b⟨U+2800⟩"),
        ("x\U000e0041", "x⟨U+E0041⟩"),
        ("x\ufe0f\U000e0101", "x⟨U+FE0F⟩⟨U+E0101⟩"),
        ("\x1b[2J\x00\x07", "␛[2J␀␇"),
        ("\x7f\x85", "⟨U+007F⟩⟨U+0085⟩"),
        ("a\r\nb\tc", "a␍\nb\tc"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("\ud800", "⟨U+D800⟩"),
        ("e\u0301", "e\u0301"),
        ("e" + "\u0301" * 5, "e" + "\u0301" * 3 + "⟨U+0301⟩⟨U+0301⟩"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_one_line_stays_one_line() -> None:
    assert visible("a\nb\tc", lines=False) == "a␊b␉c"
    assert visible_line("  a\nb  ", 20) == "a␊b"


@given(st.text(), st.booleans())
def test_nothing_invisible_is_left(text: str, lines: bool) -> None:
    shown = visible(text, lines=lines)
    assert all(char.isprintable() or (lines and char in "\n\t") for char in shown)
    assert visible(shown, lines=lines) == shown


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_a_line_keeps_its_limit_and_says_that_it_was_cut(text: str, units: int) -> None:
    line = visible_line(text, units)
    assert utf16_len(line) <= units
    assert line.endswith("…") or line == visible(text.strip(), lines=False)
