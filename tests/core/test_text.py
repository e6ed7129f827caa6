"""Lengths are counted as the platform counts them, and no prefix parts a character."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.core.replies import MOST_PARTS, must_be_attached, source_of
from telegram_channel.core.text import Markdown, Plain, Span, Style, styled, utf16_len, utf16_prefix


@settings(deadline=None)  # the machine may be busy
@given(text=st.text())
def test_the_length_is_the_number_of_utf16_units(text: str) -> None:
    assert utf16_len(text) == len(text.encode("utf-16-le")) // 2


@settings(deadline=None)  # the machine may be busy
@given(text=st.text(), units=st.integers(0, 40))
def test_a_prefix_is_as_long_as_it_may_be_and_no_longer(text: str, units: int) -> None:
    prefix = utf16_prefix(text, units)
    assert text.startswith(prefix)
    assert utf16_len(prefix) <= units
    if prefix != text:
        assert utf16_len(text[: len(prefix) + 1]) > units


@pytest.mark.parametrize(("text", "units"), [("", 0), ("a", 1), ("é", 1), ("👍", 2), ("\ud83d", 1), ("日👍", 3)])
def test_units_of_single_characters(text: str, units: int) -> None:
    assert utf16_len(text) == units


def test_a_composed_text_can_be_read_plainly() -> None:
    body = styled("Allow ", Span("rm", Style.CODE), "?")
    assert body.plain() == "Allow rm?"
    assert [span.style for span in body] == [Style.PLAIN, Style.CODE, Style.PLAIN]


@pytest.mark.parametrize(
    ("body", "source"), [(Markdown("**a**"), "**a**"), (Plain("**a**"), "**a**"), (styled("a", Span("b")), "ab")]
)
def test_the_source_of_a_body_is_what_its_author_wrote(body: Markdown | Plain, source: str) -> None:
    assert source_of(body) == source


def test_four_parts_are_sent_and_five_are_attached() -> None:
    """MUST R21: more than four parts become the first part and the whole answer as a file."""
    assert not must_be_attached(MOST_PARTS)
    assert must_be_attached(MOST_PARTS + 1)
