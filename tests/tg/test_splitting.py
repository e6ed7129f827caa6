"""A long text is cut where a reader would pause, loses nothing, and every part is sendable by itself."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.core.replies import MOST_PARTS, WHOLE_ANSWER_ATTACHED
from telegram_channel.core.text import Markdown, Plain, Span, Style, Styled, styled, utf16_len
from telegram_channel.tg.entities import Entity, Rendered, is_blank, tidy
from telegram_channel.tg.limits import MOST_ENTITIES, TEXT_UNITS
from telegram_channel.tg.render import plan, render
from telegram_channel.tg.splitting import split
from tests.tg.test_markdown import DOCUMENTS, properly_nested


def texts(text: str, limit: int, *entities: Entity) -> list[str]:
    return [part.text for part in split(Rendered(text, tidy(text, entities)), limit)]


def visible(text: str) -> str:
    return "".join(char for char in text if not is_blank(char))


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("short", 10, ["short"]),
        ("one two\n\nthree four", 14, ["one two", "three four"]),
        ("aaaa\nbbbb\ncccc", 10, ["aaaa\nbbbb", "cccc"]),
        ("One is. Two is.", 13, ["One is.", "Two is."]),
        ("one two three", 9, ["one two", "three"]),
        ("0123456789", 4, ["0123", "4567", "89"]),
        ("a\n\n\n\n\nb", 3, ["a", "b"]),
        ("   \n ", 2, []),
    ],
)
def test_cuts_are_made_where_a_reader_pauses(text: str, limit: int, parts: list[str]) -> None:
    assert texts(text, limit) == parts


@pytest.mark.parametrize(
    "character",
    ["👍", "👍🏽", "👨\u200d👩\u200d👧", "🇩🇪", "e\u0301", "❤\ufe0f", "🏴\U000e0067\U000e0062\U000e007f"],
)
def test_no_character_is_parted(character: str) -> None:
    """MUST M4: no part ends inside a character."""
    units = utf16_len(character)
    for extra in range(units):
        parts = texts(character * 6, 3 * units + extra)
        assert "".join(parts) == character * 6
        assert all(part == character * (len(part) // len(character)) for part in parts)


def test_five_thousand_emoji_are_sent_whole() -> None:
    """MUST M4: no part ends inside a character."""
    parts = split(render(Plain("😀" * 5000)))
    assert [utf16_len(part.text) for part in parts] == [4096, 4096, 1808]


def test_a_code_block_cut_in_two_is_code_in_both() -> None:
    """MUST M5: a code block cut in two is a code block in both parts, in the same language."""
    code = "\n".join(f"    line {number}" for number in range(600))
    parts = split(render(Markdown(f"Look:\n\n```python\n{code}\n```\n\nDone.")))
    assert len(parts) > 1
    for part in parts:
        (block,) = [entity for entity in part.entities if entity.type == "pre"]
        assert block.language == "python"
    assert parts[1].text.startswith("    line ")
    assert visible("".join(part.text for part in parts)) == visible(f"Look:{code}Done.")


def test_a_code_block_that_fits_is_not_cut() -> None:
    intro, code = "word " * 500, "x = 1\n" * 400
    parts = split(render(Markdown(f"{intro}\n\n```\n{code}```")))
    assert [len(part.entities) for part in parts] == [0, 1]
    assert parts[1].text == code.strip()


def test_no_part_has_more_than_a_hundred_entities() -> None:
    """MUST M6: every part stays within 4096 UTF-16 units and 100 entities."""
    parts = split(render(Markdown("`a` " * 250)))
    assert [len(part.entities) for part in parts] == [100, 100, 50]


@settings(deadline=None)  # the machine may be busy
@given(source=DOCUMENTS, limit=st.integers(8, 60), most=st.integers(6, 12))
def test_any_document_is_split_without_loss(source: str, limit: int, most: int) -> None:
    """MUST M6: every part stays within 4096 UTF-16 units and 100 entities."""
    rendered = render(Markdown(source * 3))
    parts = split(rendered, limit, most)
    assert visible("".join(part.text for part in parts)) == visible(rendered.text)
    for part in parts:
        assert not part.is_blank
        assert utf16_len(part.text) <= limit
        assert len(part.entities) <= most
        assert properly_nested(part.entities)
        assert all(e.offset >= 0 and e.length > 0 and e.end <= utf16_len(part.text) for e in part.entities)
        part.text.encode("utf-8")


@settings(deadline=None)  # the machine may be busy
@given(text=st.text(max_size=80), limit=st.integers(4, 30))
def test_any_text_is_split_without_loss(text: str, limit: int) -> None:
    rendered = render(Plain(text))
    parts = split(rendered, limit)
    assert all(utf16_len(part.text) <= limit and not part.is_blank for part in parts)
    assert visible("".join(part.text for part in parts)) == visible(rendered.text)


# Plans


def paragraphs(parts: int) -> str:
    """Markdown that needs exactly so many messages."""
    return "\n\n".join(f"**{number}** " + "x" * 3000 for number in range(parts))


def test_an_answer_of_four_parts_is_sent_in_full() -> None:
    planned = plan(Markdown(paragraphs(MOST_PARTS)))
    assert len(planned.parts) == MOST_PARTS
    assert planned.document is None


def test_a_longer_answer_becomes_its_beginning_and_a_file() -> None:
    """MUST R21: more than four parts become the first part and the whole answer as a file."""
    source = paragraphs(MOST_PARTS + 1)
    planned = plan(Markdown(source))
    (first,) = planned.parts
    assert first.text.startswith("0 xxx")
    assert first.text.endswith(WHOLE_ANSWER_ATTACHED)
    assert utf16_len(first.text) <= TEXT_UNITS
    assert planned.document == source.encode()


def test_emphasis_gives_way_before_an_answer_becomes_a_file() -> None:
    planned = plan(Markdown("*a* " * 1000))
    assert planned.document is None
    assert len(planned.parts) == 1
    assert len(planned.parts[0].entities) == MOST_ENTITIES


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (Plain("x" * 20_000), "x" * 20_000),
        (Plain("x" * 80_000), "x" * 80_000),
        (Markdown("*x* " * 30_000), "*x* " * 30_000),
        (Styled((Span("y" * 30_000, Style.PRE),)), "y" * 30_000),
        (styled("y" * 90_000), "y" * 90_000),
    ],
)
def test_whatever_is_too_long_is_attached_as_it_was_written(body: Plain | Markdown | Styled, whole: str) -> None:
    """MUST R21: more than four parts become the first part and the whole answer as a file."""
    planned = plan(body)
    assert planned.document == whole.encode()
    (first,) = planned.parts
    assert TEXT_UNITS - 400 < utf16_len(first.text) <= TEXT_UNITS
    assert len(first.entities) <= MOST_ENTITIES
    assert first.text.endswith(WHOLE_ANSWER_ATTACHED)


def test_blank_bodies_need_no_message() -> None:
    assert plan(Markdown(" \n")).parts == ()
    assert plan(Plain("\u200b")).parts == ()
    assert plan(styled("")).parts == ()


def test_the_preview_of_code_closes_outside_of_it() -> None:
    planned = plan(Markdown("```py\n" + "x = 1\n" * 5000 + "```"))
    (block,) = planned.parts[0].entities
    assert block.language == "py"
    assert block.end == utf16_len(planned.parts[0].text) - utf16_len(f"\n\n{WHOLE_ANSWER_ATTACHED}")
