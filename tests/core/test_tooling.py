"""Arguments of tool calls are checked here, whatever the client checked."""

from pathlib import PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.tooling import (
    BUTTONS,
    CHAT,
    EMOJI,
    FILE,
    FORMAT,
    MESSAGE,
    PATHS,
    REACTIONS,
    TEXT,
    Argument,
    Format,
    chat_named,
    read_arguments,
    schema_of,
)
from telegram_channel.errors import ToolError
from telegram_channel.tg import limits

ARGUMENTS = (
    Argument("chat_id", CHAT, "the chat.", required=True),
    Argument("text", TEXT, "the text."),
    Argument("reply_to", MESSAGE, "the message."),
    Argument("files", PATHS, "the files."),
    Argument("format", FORMAT, "the format."),
    Argument("buttons", BUTTONS, "the buttons."),
    Argument("emoji", EMOJI, "the emoji."),
    Argument("file_id", FILE, "the file."),
)


def read(**given: Any) -> dict[str, Any]:
    return read_arguments("tool", ARGUMENTS, {"chat_id": "1001", **given})


def test_values_come_out_as_what_they_mean() -> None:
    values = read(reply_to="5", files=["/srv/a"], format="text", emoji="👍", file_id="AgAD-_1")
    assert values == {
        "chat_id": "1001",
        "reply_to": "5",
        "files": (PurePath("/srv/a"),),
        "format": Format.TEXT,
        "emoji": "👍",
        "file_id": "AgAD-_1",
    }


def test_ids_may_come_as_numbers() -> None:
    assert read(chat_id=-100123, reply_to=7) == {"chat_id": "-100123", "reply_to": "7"}


def test_null_means_left_out() -> None:
    assert read(text=None, files=None) == {"chat_id": "1001"}


@pytest.mark.parametrize("written", ["❤", "❤️", " ❤️ "])
def test_an_emoji_is_recognised_however_it_is_written(written: str) -> None:
    assert read(emoji=written)["emoji"] == "❤"


def test_an_empty_emoji_takes_the_reaction_away() -> None:
    assert read(emoji="")["emoji"] == ""


def test_the_allowed_emoji_are_those_the_chat_allows() -> None:
    assert set(REACTIONS) == limits.REACTIONS


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"chat_id": None}, "tool needs chat_id: the chat."),
        ({"chat_id": "ann"}, "chat_id must be the chat_id of a channel event"),
        ({"chat_id": True}, "chat_id must be"),
        ({"chat_id": 1.5}, "chat_id must be"),
        ({"chat_id": "١٢٣"}, "chat_id must be"),
        ({"chat_id": "1" * 30}, "chat_id must be"),
        ({"reply_to": "last"}, "reply_to must be the message_id"),
        ({"reply_to": -4}, "reply_to must be the message_id"),
        ({"text": ["a"]}, "text must be a string"),
        ({"format": "html"}, '"markdown" or "text"'),
        ({"format": ["text"]}, '"markdown" or "text"'),
        ({"files": "/srv/a"}, "files must be a list of absolute paths"),
        ({"files": [1]}, "files must be a list of absolute paths"),
        ({"files": ["plot.png"]}, "not an absolute path"),
        ({"files": ["~/plot.png"]}, "not an absolute path"),
        ({"files": ["/a"] * 11}, "at most 10"),
        ({"emoji": "✅"}, "emoji must be one of 👍 👎"),
        ({"emoji": 5}, "emoji must be one of"),
        ({"file_id": "../x"}, "attachment_file_id"),
        ({"file_id": ""}, "attachment_file_id"),
        ({"buttons": "Yes"}, "rows of labels"),
        ({"parse_mode": "HTML"}, "tool has no argument 'parse_mode': it takes chat_id, text, "),
    ],
)
def test_a_wrong_call_is_told_in_one_sentence_what_to_do(given: dict[str, Any], says: str) -> None:
    """MUST R19: a wrong argument is answered with one sentence that says what to do."""
    with pytest.raises(ToolError) as raised:
        read(**given)
    assert says in str(raised.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([one.name for one in ARGUMENTS]) | st.text(max_size=3), JSON))
def test_no_arguments_are_a_surprise(given: dict[str, Any]) -> None:
    try:
        values = read_arguments("tool", ARGUMENTS, given)
    except ToolError:
        pass
    else:
        assert set(values) <= set(given)
    chat_named(given)


def test_the_chat_of_a_wrong_call_is_still_known() -> None:
    assert chat_named({"chat_id": "5", "nonsense": 1}) == "5"
    assert chat_named({"chat_id": "x"}) is None
    assert chat_named({}) is None


def test_the_schema_advertises_what_is_checked() -> None:
    schema = schema_of(ARGUMENTS)
    assert schema["required"] == ["chat_id"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["chat_id"] == {"type": "string", "description": "the chat."}
    assert schema["properties"]["format"]["enum"] == ["markdown", "text"]
    assert schema["properties"]["buttons"]["items"] == {"type": "array", "items": {"type": "string"}}
