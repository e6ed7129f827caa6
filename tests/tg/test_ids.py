"""Telegram's numbers and our ids are two spellings of the same thing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.core.ids import ChatId, SenderId, ThreadId, private_chat
from telegram_channel.errors import BadRequest
from telegram_channel.tg import ids

NUMBERS = st.integers(-(2**52), 2**52).filter(bool)


@settings(deadline=None)  # the machine may be busy
@given(number=NUMBERS)
def test_every_number_survives_the_round_trip(number: int) -> None:
    for encode in (ids.chat_id, ids.sender_id, ids.message_id, ids.thread_id):
        assert ids.number(encode(number)) == number


@pytest.mark.parametrize("text", ["", "0", "-0", "007", "+1", "1.0", " 1", "1 ", "\u0661", "@name", "9" * 30, "1\n"])
def test_what_was_not_made_here_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadRequest, match="is not an id"):
        ids.number(ChatId(text))


def test_the_general_topic_is_sent_without_a_thread() -> None:
    """MUST R1: an answer goes to the topic it came from."""
    assert ids.thread_number(None) is None
    assert ids.thread_number(ids.thread_id(1)) is None
    assert ids.thread_number(ThreadId("12")) == 12


def test_a_private_chat_is_no_group() -> None:
    assert not ids.is_group(private_chat(SenderId("1001")))
    assert ids.is_group(ids.chat_id(-1002000))
