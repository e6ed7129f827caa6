"""What is said about several sessions is short and true, and nobody else's words can pass for ours."""

import re
from dataclasses import replace

import pytest

from telegram_channel.core import session_words as words
from telegram_channel.core.access import Role
from telegram_channel.core.commands import BotCommand
from telegram_channel.core.health import BridgeState
from telegram_channel.core.ids import SessionId
from telegram_channel.core.notices import StatusFacts, help_text, status_text
from telegram_channel.core.routing import Member
from telegram_channel.core.session_names import Ambiguous, NoSuchMember
from telegram_channel.core.session_words import Listed
from telegram_channel.core.text import Span, Style, Styled, utf16_len
from tests.values import NOON, later

SHOP = Member(SessionId("1"), "shop", "/home/ann/code/shop")
WEB = Member(SessionId("2"), "web", "")
API = Member(SessionId("3"), "api", "C:\\api")
NASTY = "a\n*b*\u202e" + "n" * 5000
MANY = [Member(SessionId(str(number)), NASTY, NASTY) for number in range(150)]
LISTED = [Listed(SHOP, later(-3600), "main"), Listed(WEB, later(-5))]
STATUS = StatusFacts(Role.OWNER, "shop", BridgeState.POLLING, queued=0)

PRESS_ANSWERS = [words.session_gone(), words.settled_already(), words.old_choice(), words.use_chosen(NASTY, 12)]
EVERY_NOTICE = [
    *PRESS_ANSWERS,
    *(
        words.sessions_list([Listed(one, later(-9), NASTY) for one in MANY[:number]], None, NOON)
        for number in (0, 1, 150)
    ),
    words.sessions_list(LISTED, SHOP.session, NOON),
    words.question(),
    *(
        say(NASTY)
        for say in (words.question_answered, words.question_settled, words.use_chosen, words.stranded_taken)
    ),
    *(say(label) for say in (words.stranded_waits, words.stranded_back) for label in ("", NASTY)),
    *(words.stranded_offer(count, label) for count in (1, 2) for label in ("", NASTY)),
    words.question_void(),
    words.use_chosen("shop", 1),
    words.use_usage(),
    words.to_usage(),
    *(words.ambiguous(command, Ambiguous(NASTY, tuple(MANY))) for command in (BotCommand.USE, BotCommand.TO)),
    *(words.unknown(command, NoSuchMember(NASTY), MANY) for command in (BotCommand.USE, BotCommand.TO)),
    words.unknown(BotCommand.TO, NoSuchMember("x"), ()),
    words.barred(),
    words.nobody_running(),
    help_text(Role.SENDER),
    status_text(replace(STATUS, session="", others=(NASTY,) * 30)),
]


@pytest.mark.parametrize("notice", EVERY_NOTICE, ids=lambda notice: notice.plain()[:40])
def test_every_notice_is_one_finished_message_in_visible_letters(notice: Styled) -> None:
    text = notice.plain()
    assert 0 < utf16_len(text) <= 4096
    assert text == text.strip()
    assert not re.search(r"[{}]|%s|None\b|TODO|<[a-z]|\u202e|a\n\*b", text)
    assert all(isinstance(span, Span) and span.text for span in notice)
    assert sum(1 for span in notice if span.style is not Style.PLAIN) <= 100


@pytest.mark.parametrize("notice", PRESS_ANSWERS, ids=lambda notice: notice.plain()[:40])
def test_what_answers_a_press_fits_its_bubble(notice: Styled) -> None:
    assert len(notice.plain()) <= 200


def test_the_list_tells_each_session_and_marks_the_chosen_one() -> None:
    """MUST F10: /sessions lists every living session with project, branch and age, and marks the chat's choice."""
    assert words.sessions_list(LISTED, SHOP.session, NOON).plain() == (
        "2 sessions are running. ✓ is the one this chat talks to.\n"
        "\n✓ shop: …/code/shop, branch main, running for 60 minutes"
        "\n• web: running for 5 s"
    )


@pytest.mark.parametrize("chosen", [None, SessionId("dead")])
def test_a_choice_that_is_not_running_is_none(chosen: SessionId | None) -> None:
    said = words.sessions_list(LISTED, chosen, NOON).plain()
    assert "This chat has chosen none" in said
    assert "✓" not in said


def test_a_session_alone_needs_no_choice_and_nobody_is_said_to_be_nobody() -> None:
    alone = words.sessions_list([Listed(API, later(5))], None, NOON).plain()
    assert alone == "One session is running; what you write here goes to it.\n\n• api: C:/api, running for 0 s"
    assert words.sessions_list([], None, NOON).plain().startswith("No session is running")


def test_a_list_too_long_to_read_says_how_many_more_there_are() -> None:
    said = words.sessions_list([Listed(one, NOON) for one in MANY], None, NOON).plain()
    assert said.startswith("150 sessions are running.")
    assert said.endswith("… and 130 more")


def test_the_question_becomes_its_answer() -> None:
    assert words.question().plain().startswith("Which session is this for?")
    assert words.question_answered("shop").plain() == "For shop. /use changes it."
    assert words.question_settled("shop").plain() == "Only shop is still running, so this is for it."


@pytest.mark.parametrize(
    ("waited", "tail"),
    [(0, "on."), (1, "on. So does the message that waited."), (2, "on. So do the 2 messages that waited.")],
)
def test_a_choice_says_what_goes_along(waited: int, tail: str) -> None:
    assert words.use_chosen("shop", waited).plain() == f"What you write here goes to shop from now {tail}"


def test_a_name_that_fits_several_or_nobody_changes_nothing_and_says_so() -> None:
    several = Ambiguous("s", (SHOP, WEB, API))
    assert words.ambiguous(BotCommand.USE, several).plain() == (
        "“s” may be shop, web or api. Nothing was changed. Please write more of the name."
    )
    assert "Nothing was passed on." in words.ambiguous(BotCommand.TO, several).plain()
    unknown = NoSuchMember("x\ny")
    assert words.unknown(BotCommand.TO, unknown, (SHOP, WEB)).plain() == (
        "No running session is called “x␊y”. Nothing was passed on. Running: shop and web."
    )
    assert words.unknown(BotCommand.USE, unknown, ()).plain().endswith("There is none at all right now.")
    assert words.ambiguous(BotCommand.USE, Ambiguous("s", (SHOP,) * 11)).plain().count("shop") == 9
    assert " or 2 others." in words.ambiguous(BotCommand.USE, Ambiguous("s", (SHOP,) * 11)).plain()


@pytest.mark.parametrize(
    ("count", "label", "said"),
    [
        (
            1,
            "shop",
            "shop is not running any more, and this message is for it. "
            "Shall another one have it? Until you choose, I keep it.",
        ),
        (
            2,
            "",
            "The session that 2 messages here are for is not running any more. "
            "Shall another one have them? Until you choose, I keep them.",
        ),
    ],
)
def test_an_offer_says_what_is_kept_and_for_whom(count: int, label: str, said: str) -> None:
    assert words.stranded_offer(count, label).plain() == said


def test_status_names_the_other_sessions() -> None:
    here = status_text(replace(STATUS, others=("web", "api"))).plain().splitlines()
    assert here[:2] == ["Session: shop", "Other sessions: web, api"]
    none = status_text(replace(STATUS, session="", others=("web", "api"))).plain().splitlines()
    assert none[:2] == ["Session: none is chosen", "Running: web, api"]
    assert status_text(replace(STATUS, session="")).plain().startswith("Session: none is running\nYou are")
    assert "19 more" not in status_text(replace(STATUS, others=("a",) * 10)).plain()
    assert status_text(replace(STATUS, others=("a",) * 29)).plain().splitlines()[1].endswith(", a, 19 more")


def test_help_tells_how_to_reach_a_session() -> None:
    said = help_text(Role.SENDER).plain()
    assert all(command in said for command in ("/sessions", "/use NAME", "/to NAME text"))
