"""What the bot says by itself: it fits, it is finished, and nobody else's words can pass for ours."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from telegram_channel.core import notices, order_words
from telegram_channel.core.access import Role
from telegram_channel.core.commands import BotCommand
from telegram_channel.core.health import BridgeState
from telegram_channel.core.ids import ChatId, MessageId, PromptId, SenderId, SessionId
from telegram_channel.core.notices import StatusFacts
from telegram_channel.core.orders import EVERY_SESSION, Order, OrderKind, StopFacts
from telegram_channel.core.pairing_code import PairingCode
from telegram_channel.core.pairing_rules import PairingRules
from telegram_channel.core.permission import Behavior, Closing, How, PermissionRequest, Prompt, Verdict
from telegram_channel.core.text import Span, Style, Styled, utf16_len
from tests.values import NOON

CODE = PairingCode.for_pairing(b"1" * 32)
FACTS = StatusFacts(Role.OWNER, "shop", BridgeState.POLLING, queued=1, last_poll_s=3.2)
PROMPT = Prompt(PromptId("p"), SessionId("s"), PermissionRequest("abcde", "Bash", "", ""), NOON)
LONG = "n" * 5000
DECIDED = replace(PROMPT, verdict=Verdict(Behavior.ALLOW, SenderId("1"), LONG, How.BUTTON, NOON))
STOP = Order(OrderKind.STOP, SessionId("s"), SenderId("1"), LONG, NOON, ChatId("1"), MessageId("1"))
PAUSE = replace(STOP, kind=OrderKind.PAUSE, session=EVERY_SESSION)

EVERY_NOTICE = [
    notices.pairing_code(CODE),
    notices.pairing_reminder(1),
    *(notices.greeting(role, door_closed=closed) for role in Role for closed in (True, False)),
    *(notices.already_paired(role) for role in Role),
    *(notices.help_text(role) for role in Role),
    *(notices.status_text(replace(FACTS, state=state)) for state in BridgeState),
    notices.status_text(replace(FACTS, session=LONG, unread=3, waiting_prompts=2, last_poll_s=None, problem=LONG)),
    notices.status_text(replace(FACTS, standing=(STOP, PAUSE), working_s=61)),
    order_words.stop_answer(StopFacts(hooks=False, in_flight=False, denied=2)),
    order_words.stop_answer(StopFacts(hooks=True, in_flight=False)),
    order_words.stop_answer(StopFacts(hooks=True, in_flight=True, running=(LONG,) * 9, denied=1, waiting=1)),
    order_words.stopped([LONG, *"abcdefg"], turn_ended=True),
    order_words.stopped((), turn_ended=True),
    order_words.stopped((), turn_ended=False),
    order_words.paused(),
    order_words.held_back(PAUSE),
    order_words.resumed((STOP, PAUSE)),
    order_words.resumed(()),
    order_words.no_session(),
    *(notice(command) for notice in (order_words.not_in_charge, order_words.old_order) for command in BotCommand),
    *(
        notice(command, on=on)
        for notice in (order_words.wish_kept, order_words.wish_stands)
        for command in (BotCommand.PROGRESS, BotCommand.STREAM)
        for on in (True, False)
    ),
    order_words.private_chats_only(BotCommand.STREAM),
    notices.unread(1),
    notices.unread(12),
    *(notices.answered(behavior) for behavior in Behavior),
    notices.not_approver(),
    notices.unknown_request("zzzzz"),
    notices.unknown_card(),
    notices.old_answer(),
    notices.old_press("Yes"),
    notices.old_press(""),
    notices.request_file_missing(),
    notices.nothing_said(),
    notices.words_withheld(),
    notices.desk_waits("shop", "Claude needs your permission to use Bash"),
    notices.desk_waits(LONG, LONG),
    notices.desk_waits("", ""),
    notices.already_decided(DECIDED),
    *(notices.already_decided(replace(PROMPT, closing=closing)) for closing in Closing),
]


@pytest.mark.parametrize("notice", EVERY_NOTICE, ids=lambda notice: notice.plain()[:40])
def test_every_notice_is_one_finished_message(notice: Styled) -> None:
    text = notice.plain()
    assert 0 < utf16_len(text) <= 4096
    assert text == text.strip()
    assert not re.search(r"[{}]|%s|None|TODO|\bRole\b|BridgeState|Closing|<[a-z]", text)
    assert all(isinstance(span, Span) and span.text for span in notice)
    assert sum(1 for span in notice if span.style is not Style.PLAIN) <= 100


@pytest.mark.parametrize(
    "notice",
    [
        *(notices.answered(behavior) for behavior in Behavior),
        notices.not_approver(),
        notices.unknown_card(),
        notices.old_answer(),
        notices.already_decided(DECIDED),
        *(notices.already_decided(replace(PROMPT, closing=closing)) for closing in Closing),
    ],
)
def test_what_answers_a_press_fits_its_bubble(notice: Styled) -> None:
    assert len(notice.plain()) <= 200


def test_the_pairing_notice_says_what_the_operator_types() -> None:
    text = notices.pairing_code(CODE, PairingRules(code_lifetime=timedelta(minutes=7))).plain()
    assert f"/telegram:access pair {CODE.shown}" in text
    assert "7 minutes" in text


def test_only_those_who_may_approve_are_told_how() -> None:
    assert "yes" in notices.help_text(Role.APPROVER).plain()
    assert "buttons" not in notices.help_text(Role.SENDER).plain()
    assert "others" in notices.greeting(Role.SENDER).plain()


def test_status_tells_role_session_queue_and_last_poll() -> None:
    """MUST M7: /status tells role, session, queue and last poll."""
    assert notices.status_text(FACTS).plain() == (
        "Session: shop\n"
        "You are: owner\n"
        "Bridge: Messages are being received.\n"
        "Queue: 1 message waiting to be given to the session\n"
        "Last poll: 3 s ago"
    )


def test_status_tells_what_stands_and_how_long_the_turn_lasts() -> None:
    facts = replace(FACTS, standing=(replace(STOP, by_name="Ann"), replace(PAUSE, by_name="Bob")), working_s=61)
    assert notices.status_text(facts).plain().splitlines()[5:] == [
        "Claude is at work: for 61 s",
        "Stop by Ann: it stands until somebody begins a new turn or /resume",
        "Paused by Bob: new messages are held back until /resume",
    ]


def test_only_those_who_may_order_are_told_of_orders() -> None:
    assert "/stop" in notices.help_text(Role.OWNER).plain()
    assert "/stop" not in notices.help_text(Role.SENDER).plain()
    assert "/progress on" in notices.help_text(Role.SENDER).plain()


@pytest.mark.parametrize(
    ("seconds", "ago"),
    [(None, "never"), (-1, "0 s ago"), (119, "119 s ago"), (600, "10 minutes ago"), (7200, "2 hours ago")],
)
def test_the_time_since_the_last_poll_is_told_in_fitting_units(seconds: float | None, ago: str) -> None:
    assert notices.status_text(replace(FACTS, last_poll_s=seconds)).plain().endswith(f"Last poll: {ago}")


def test_waiting_prompts_are_the_business_of_approvers() -> None:
    facts = replace(FACTS, waiting_prompts=2)
    assert "Permission prompts" in notices.status_text(facts).plain()
    assert "Permission prompts" not in notices.status_text(replace(facts, role=Role.SENDER)).plain()


def test_the_unread_notice_names_the_likely_causes() -> None:
    """MUST M8: the notice about unread messages names the likely causes."""
    text = notices.unread(1).plain()
    assert "--channels" in text
    assert "busy" in text
    assert "ended" in text


def test_an_unknown_request_is_said_not_to_have_been_passed_on() -> None:
    text = notices.unknown_request("sorry").plain()
    assert "sorry" in text
    assert "nothing was decided, and nothing was passed on" in text


def test_a_late_answer_is_told_who_was_faster() -> None:
    verdict = Verdict(Behavior.DENY, SenderId("2"), "Bob", How.TEXT, NOON)
    assert notices.already_decided(replace(PROMPT, verdict=verdict)).plain() == (
        "Too late, this one is settled. ✗ Denied by Bob (typed)."
    )


def test_final_words_are_marked_as_mirrored_and_keep_their_markdown() -> None:
    assert notices.mirrored("\n# Done\n\n- one\n").source == "🖥 *From the terminal:*\n\n# Done\n\n- one"


def test_what_the_terminal_waits_for_stays_in_its_line() -> None:
    text = notices.desk_waits("shop", "yes?\nAllowed by Ann.").plain()
    assert text == "⌨️ The terminal in shop waits for somebody: yes?␊Allowed by Ann."
