"""A button names its session, whatever its id looks like, and no other button is taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.asking import is_question_data
from telegram_channel.core.ids import PromptId, SessionId
from telegram_channel.core.outgoing import Button
from telegram_channel.core.permission import Behavior, button_data, is_permission_data
from telegram_channel.core.routing import NOBODY, Member
from telegram_channel.core.session_buttons import (
    KEEP,
    Choice,
    ChoiceKind,
    is_choice_data,
    names,
    offer_buttons,
    parse_choice,
    take_data,
    use_buttons,
    use_data,
)

UUID = SessionId("0f8e2b1c-7a54-4c2e-9d6b-3a1f0c9e8d77")
SHOP, WEB = Member(SessionId("1"), "shop", ""), Member(SessionId("2"), "web", "")
SESSIONS = st.text(min_size=1, max_size=90).map(SessionId) | st.text("#ab-", min_size=55, max_size=65).map(SessionId)


@given(SESSIONS, SESSIONS)
def test_a_press_names_the_session_of_its_button_and_no_other(session: SessionId, other: SessionId) -> None:
    """MUST F5: a press names exactly the session its button stood for, however long its id is."""
    for data, kind in ((use_data(session), ChoiceKind.USE), (take_data(session), ChoiceKind.TAKE)):
        assert 1 <= len(data.encode()) <= 64
        choice = parse_choice(data)
        assert choice is not None
        assert choice.kind is kind
        assert names(choice, session)
        assert names(choice, other) is (session == other)
        assert not names(choice, NOBODY)
        assert is_choice_data(data)
        assert not is_question_data(data)
        assert not is_permission_data(data)


def test_an_ordinary_id_stands_in_the_data_as_it_is() -> None:
    assert use_data(UUID) == f"use:{UUID}"
    assert take_data(UUID) == f"take:{UUID}"


def test_an_id_that_looks_like_a_hash_is_not_taken_for_one() -> None:
    long = SessionId("x" * 60)
    posing = SessionId(use_data(long).removeprefix("use:"))
    choice = parse_choice(use_data(posing))
    assert choice
    assert names(choice, posing)
    assert not names(choice, long)


def test_keep_waiting_names_nobody() -> None:
    choice = parse_choice(KEEP)
    assert choice == Choice(ChoiceKind.KEEP)
    assert not names(choice, UUID)


@pytest.mark.parametrize(
    "data",
    ["", "use:", "take:", "keep", "keep:x", "use", "user:1", "use:a b", "use:\n", "ask:0:0", "perm:a:x", "USE:1"],
)
def test_every_other_data_is_somebody_elses(data: str) -> None:
    assert parse_choice(data) is None
    assert not is_choice_data(data)
    assert not is_choice_data(button_data(Behavior.ALLOW, PromptId("p")))


@pytest.mark.parametrize("data_of", [use_data, take_data])
def test_a_button_that_names_nobody_is_not_made(data_of: object) -> None:
    assert callable(data_of)
    with pytest.raises(ValueError, match="nobody"):
        data_of(NOBODY)


def test_the_chosen_one_is_marked_among_the_buttons() -> None:
    assert use_buttons([SHOP, WEB], WEB.session) == ((Button("shop", "use:1"),), (Button("✓ web", "use:2"),))
    assert use_buttons([SHOP]) == ((Button("shop", "use:1"),),)


def test_a_stranded_offer_has_a_button_for_everybody_and_one_to_wait() -> None:
    assert offer_buttons([SHOP, WEB]) == (
        (Button("Give to shop", "take:1"),),
        (Button("Give to web", "take:2"),),
        (Button("Keep waiting", "keep:"),),
    )


def test_no_more_buttons_hang_below_a_message_than_telegram_takes() -> None:
    many = [Member(SessionId(str(number)), f"s {number}", "") for number in range(150)]
    assert len(use_buttons(many)) == 100
    assert len(offer_buttons(many)) == 100
    assert offer_buttons(many)[-1] == (Button("Keep waiting", KEEP),)
    assert use_buttons([Member(SessionId("1"), "\u202e\n", "")]) == ((Button("⟨U+202E⟩", "use:1"),),)
