"""Text and entities: refused, cleaned, trimmed and completed as on the real server."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.text import utf16_len
from telegram_channel.demo.botapi_text import Formatted, read_entities, settle, what_is_wrong_with
from telegram_channel.demo.botapi_wire import Refused
from tests.demo.desk import Desk


def bold(offset: int, length: int) -> dict[str, Any]:
    return {"type": "bold", "offset": offset, "length": length}


def settled(text: str, *entities: dict[str, Any]) -> tuple[Formatted, list[str]]:
    complaints: list[str] = []
    return settle(text, entities, complaints.append), complaints


@pytest.mark.parametrize(
    ("text", "entity", "words"),
    [
        ("hello", bold(100, 1), "entity begins after the end of the text at UTF-16 offset 100"),
        (
            "hello",
            bold(0, 100),
            "entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 100",
        ),
        (
            "hello",
            bold(5, 1),
            "entity beginning at UTF-16 offset 5 ends after the end of the text at UTF-16 offset 6",
        ),
        ("hello", bold(-1, 1), "receive an entity with incorrect offset -1"),
        ("hello", bold(0, -1), "receive an entity with incorrect length -1"),
        ("a😀b", bold(2, 2), "entity begins in a middle of a UTF-16 symbol at byte offset 5"),
        (
            "a😀b",
            bold(0, 2),
            "entity beginning at UTF-16 offset 0 ends in a middle of a UTF-16 symbol at byte offset 5",
        ),
        (
            "hello",
            {"type": "shiny", "offset": 0, "length": 1},
            "can't parse MessageEntity: Unsupported type specified",
        ),
        ("hello", {"type": "bold", "length": 1}, "can't parse MessageEntity: Can't find field \"offset\""),
        (
            "hello",
            {"type": "bold", "offset": "0", "length": 1},
            'can\'t parse MessageEntity: Field "offset" must be of type Number',
        ),
        (
            "hello",
            {"type": "text_link", "offset": 0, "length": 1},
            "can't parse MessageEntity: Can't find field \"url\"",
        ),
        (
            "hello",
            {"type": "text_link", "offset": 0, "length": 1, "url": "not-a-url"},
            "entity URL 'not-a-url' is invalid: Wrong HTTP URL",
        ),
        (
            "hello",
            {"type": "custom_emoji", "offset": 0, "length": 1, "custom_emoji_id": "x"},
            'can\'t parse MessageEntity: Field "custom_emoji_id" must be a valid Number',
        ),
        ("hello", "bold", "can't parse MessageEntity: expected an Object"),
    ],
)
def test_an_entity_that_does_not_fit_is_refused(text: str, entity: Any, words: str) -> None:
    desk = Desk()

    assert (
        desk.refusal("sendMessage", chat_id=desk.ada.id, text=text, entities=[entity]) == f"400 Bad Request: {words}"
    )


@pytest.mark.parametrize(
    ("text", "entities", "kept"),
    [
        ("  hi  ", [], Formatted("hi")),
        ("\n\nhi", [bold(2, 2)], Formatted("hi", (bold(0, 2),))),
        ("  hi", [bold(0, 4)], Formatted("  hi", (bold(0, 4),))),
        ("hi  ", [bold(0, 4)], Formatted("hi", (bold(0, 2),))),
        ("hi   ", [bold(0, 2), bold(3, 1)], Formatted("hi", (bold(0, 2),))),
        ("a\tb\x00c", [], Formatted("a b c")),
        ("a\r\nb", [bold(3, 1)], Formatted("a\nb", (bold(2, 1),))),
        ("x", [bold(0, 0)], Formatted("x")),
        ("x", [{"type": "hashtag", "offset": 0, "length": 1}], Formatted("x")),
    ],
)
def test_text_is_cleaned_and_trimmed_with_its_entities(text: str, entities: list[Any], kept: Formatted) -> None:
    assert settle(text, read_entities(entities, pytest.fail), pytest.fail) == kept


def test_the_limit_counts_what_is_left_after_trimming() -> None:
    desk = Desk()

    desk.send("x" * 4096 + "  \n")
    desk.send("😀" * 2048)

    assert [utf16_len(message.text) for message in desk.phone.inbox()] == [4096, 4096]


def test_entities_after_the_hundredth_are_ignored() -> None:
    result, complaints = settled("ab" * 101, *(bold(2 * index, 1) for index in range(101)))

    assert len(result.entities) == 100
    assert complaints == ["101 entities: the platform ignores all after 100"]


def test_code_keeps_no_company() -> None:
    code = {"type": "code", "offset": 0, "length": 4}

    result, complaints = settled("code", code, bold(1, 2))

    assert result.entities == (code,)
    assert complaints == ["bold inside code at 1: the platform drops it"]


def test_crossing_entities_are_complained_about() -> None:
    italic = {"type": "italic", "offset": 2, "length": 4}

    assert settled("crossing", bold(0, 4), italic)[1] == [
        "italic at 2 crosses the end of another entity: the platform splits it"
    ]
    assert settled("nesting", bold(0, 6), italic)[1] == []
    assert settled("quoted code", {"type": "blockquote", "offset": 0, "length": 11}, bold(0, 6))[1] == []


def test_the_platform_finds_commands_mentions_and_links_but_not_in_code() -> None:
    text = "😀 /help@claude_bot @ada https://a.b/c?d. /no in code"
    code = {"type": "code", "offset": utf16_len(text) - 11, "length": 11}

    result, _ = settled(text, code)

    assert result.entities == (
        {"type": "bot_command", "offset": 3, "length": 16},
        {"type": "mention", "offset": 20, "length": 4},
        {"type": "url", "offset": 25, "length": 15},
        code,
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://example.com/a", ""),
        ("example.com", ""),
        ("tg://user?id=1", ""),
        ("http://127.0.0.1:8000/", ""),
        ("", "URL host is empty"),
        ("https://", "URL host is empty"),
        ("localhost", "Wrong HTTP URL"),
        ("ftp://example.com", "Unsupported URL protocol"),
        ("javascript://example.com", "Unsupported URL protocol"),
    ],
)
def test_links_are_checked(url: str, reason: str) -> None:
    assert what_is_wrong_with(url) == reason


@given(
    st.text(alphabet=st.sampled_from("a😀 \n\r\tж/@\u200b"), max_size=30),
    st.lists(st.tuples(st.integers(-2, 40), st.integers(-2, 40)), max_size=5),
)
def test_whatever_passes_fits_its_text(text: str, ranges: list[tuple[int, int]]) -> None:
    """MUST E2: entities the emulator lets through lie within the text and split no character."""
    try:
        result = settle(text, [bold(offset, length) for offset, length in ranges], lambda _: None)
    except Refused:
        return
    units = result.text.encode("utf-16-le")
    for entity in result.entities:
        begin, end = entity["offset"] * 2, (entity["offset"] + entity["length"]) * 2
        assert 0 <= begin < end <= len(units)
        units[begin:end].decode("utf-16-le")
    assert result.text == result.text.rstrip(" \n")
    assert result.text
    assert settle(result.text, result.entities, lambda _: None).text == result.text
