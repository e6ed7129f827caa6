"""What hooks tell of turns: which messages one began with, and whether one is going on."""

import html
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.hooks import (
    AttentionWanted,
    HookCall,
    PermissionAsked,
    PromptSubmitted,
    TextShown,
    ToolCall,
    ToolDenied,
    ToolEnded,
    ToolStarting,
    TurnEnded,
)
from telegram_channel.core.ids import ChatId, MessageId, ThreadId
from telegram_channel.core.turns import (
    Asked,
    Turn,
    TurnRules,
    Where,
    after,
    after_refusal,
    channel_messages,
    is_busy,
    kind_of,
    wants_somebody,
    with_answered,
    with_asked,
)
from tests.values import NOON, later

RULES = TurnRules(quiet_s=600, quiet_in_tool_s=7200)
BASH = ToolCall("Bash", '{"command": "make"}', "use-1")
OF_SUBAGENT = ToolCall("Grep", "{}", "use-2", "agent-1")
ANN = Where(ChatId("1001"))


def tag(**attributes: str) -> str:
    """A tag as the client writes it."""
    given = {"source": "plugin:telegram:telegram", "chat_id": "1001", "message_id": "7", **attributes}
    written = " ".join(f'{key}="{value}"' for key, value in given.items())
    return f"<channel {written}>\nhello\n</channel>"


def turn_of(*calls: HookCall, every_s: float = 1) -> Turn:
    """The turn after these calls, one second apart."""
    turn = Turn()
    for number, call in enumerate(calls):
        turn = after(turn, call, later(number * every_s))
    return turn


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        (tag(), [("1001", "7")]),
        ('<channel message_id="7" ts="x" chat_id="1001" source="telegram">', [("1001", "7")]),
        ("<channel chat_id='-1001' message_id='7' source='plugin:telegram:telegram'/>", [("-1001", "7")]),
        ('<channel\n  source="telegram"\n  chat_id="1001"\n  message_id="7"\n>', [("1001", "7")]),
        (tag() + "\n" + tag(chat_id="-5", message_id="8"), [("1001", "7"), ("-5", "8")]),
        (tag() + tag(kind="edit"), [("1001", "7"), ("1001", "7")]),
        (tag(user='"the" Ann'), [("1001", "7")]),
        (tag(user=r"\"the\" Ann\\"), [("1001", "7")]),
        (tag(user="&quot;the&quot; Ann &gt; all"), [("1001", "7")]),
        (tag(chat_title="a > b, <channel> and more"), [("1001", "7")]),
        (tag(chat_id="&#49;001"), [("1001", "7")]),
        ("please look at this: " + tag() + " thanks", [("1001", "7")]),
        ("hello", []),
        ("", []),
        ("<channel>", []),
        ("<channel >", []),
        ("<channel", []),
        ("<channels source='telegram' chat_id='1' message_id='2'>", []),
        ('<channel source="telegram" chat_id="1001">', []),
        ('<channel source="telegram" chat_id="1001" message_id="">', []),
        ('<channel source="telegram" chat_id="1001" message_id="7', []),
        (tag(source="plugin:discord:discord"), []),
        (tag(source="plugin:discord:discord") + tag(message_id="9"), [("1001", "9")]),
        ('<channel source="telegram" chat_id="1001" message_id="7" message_id="8">', []),
        ('<channel source="telegram" a="<channel source="telegram" chat_id="1" message_id="2">', [("1", "2")]),
    ],
)
def test_the_messages_a_prompt_names_are_found_whatever_their_tags_look_like(
    prompt: str, named: list[tuple[str, str]]
) -> None:
    assert list(channel_messages(prompt)) == named


def test_what_somebody_is_called_cannot_name_another_message() -> None:
    """MUST T1: a person's name in a tag cannot make another message count as read."""
    assert channel_messages(tag(user='x" message_id="8')) == ()
    assert channel_messages(tag(user='x" chat_id="-5')) == ()


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(st.integers(), st.integers(0), words, words, st.booleans()), max_size=5))
def test_every_tag_is_read_back_as_it_was_written(messages: list[tuple[int, int, str, str, bool]]) -> None:
    prompt = "\n".join(
        "<channel "
        + " ".join(
            f'{key}="{html.escape(value)}"'
            for key, value in (
                [("user", user), ("chat_id", str(chat)), ("message_id", str(number)), ("source", "telegram")]
                if turned
                else [("source", "telegram"), ("chat_id", str(chat)), ("message_id", str(number)), ("user", user)]
            )
        )
        + f">\n{html.escape(content)}\n</channel>"
        for chat, number, user, content, turned in messages
    )
    assert list(channel_messages(prompt)) == [(str(chat), str(number)) for chat, number, *_ in messages]


@given(st.text(st.sampled_from("<channel source='telegram\" id=>/\n\\&;")))
def test_no_prompt_is_too_strange_to_be_looked_at(prompt: str) -> None:
    channel_messages(prompt)


def test_a_turn_is_in_flight_from_its_prompt_to_its_end() -> None:
    assert not Turn().in_flight
    turn = turn_of(PromptSubmitted("hi"))
    assert (turn.number, turn.in_flight, turn.began_at, turn.heard_at) == (1, True, NOON, NOON)
    turn = after(turn, TurnEnded("done"), later(9))
    assert (turn.number, turn.in_flight, turn.began_at, turn.heard_at) == (1, False, NOON, later(9))


def test_a_prompt_typed_into_a_turn_joins_it() -> None:
    """MUST T2: a prompt that joins the turn in flight begins no other: who asked before still waits for its end."""
    first = with_asked(turn_of(PromptSubmitted("hi", "p1"), ToolStarting(BASH)), [Asked(ANN, MessageId("7"))])
    assert after(first, PromptSubmitted("and this", "p1"), later(5)) == replace(first, heard_at=later(5))
    for other in ("p2", ""):
        assert after(first, PromptSubmitted("after an Esc", other), later(5)).number == 2
    over = after(first, TurnEnded("done"), later(6))
    assert after(over, PromptSubmitted("again", "p1"), later(7)).number == 2


def test_each_prompt_begins_a_turn_of_its_own() -> None:
    first = with_answered(with_asked(turn_of(PromptSubmitted("hi")), [Asked(ANN, MessageId("7"))]), ANN)
    first = after(first, ToolStarting(BASH), later(1))
    second = after(first, PromptSubmitted("again"), later(60))
    assert second == Turn(2, in_flight=True, began_at=later(60), heard_at=later(60), wanted_at=later(60))
    by_itself = after(second, PromptSubmitted("<task-notification>\n<status>completed</status>"), later(90))
    assert (by_itself.number, by_itself.began_at, by_itself.wanted_at) == (3, later(90), later(60))


def test_tools_run_from_their_start_to_their_end() -> None:
    turn = turn_of(PromptSubmitted("hi"), ToolStarting(BASH), ToolStarting(OF_SUBAGENT))
    assert dict(turn.running) == {"use-1": BASH, "use-2": OF_SUBAGENT}
    turn = after(turn, ToolEnded(BASH, ok=False), later(5))
    assert dict(turn.running) == {"use-2": OF_SUBAGENT}
    assert dict(after(turn, ToolDenied(OF_SUBAGENT), later(6)).running) == {}
    assert after(turn, ToolEnded(BASH, ok=True), later(6)).running == turn.running


def test_a_call_without_an_id_is_not_waited_for() -> None:
    assert dict(turn_of(PromptSubmitted("hi"), ToolStarting(ToolCall("Bash", "{}"))).running) == {}


def test_calls_whose_end_was_never_told_do_not_pile_up() -> None:
    calls = [ToolStarting(ToolCall("Bash", "{}", f"use-{number}")) for number in range(600)]
    running = turn_of(PromptSubmitted("hi"), *calls).running
    assert len(running) == 500
    assert "use-599" in running
    assert "use-99" not in running


def test_a_tool_without_a_turn_shows_that_a_begin_was_missed() -> None:
    turn = turn_of(ToolStarting(BASH))
    assert (turn.number, turn.in_flight, turn.began_at) == (1, True, NOON)
    ended = with_asked(turn_of(PromptSubmitted("hi"), TurnEnded()), [Asked(ANN, MessageId("7"))])
    turn = after(ended, ToolStarting(BASH), later(60))
    assert (turn.number, turn.in_flight, turn.asked) == (2, True, ())


def test_a_subagent_may_work_on_after_the_turn() -> None:
    turn = turn_of(PromptSubmitted("hi"), ToolStarting(BASH), ToolStarting(OF_SUBAGENT), TurnEnded())
    assert dict(turn.running) == {"use-2": OF_SUBAGENT}
    other = ToolCall("Read", "{}", "use-3", "agent-1")
    turn = after(turn, ToolStarting(other), later(9))
    assert (turn.number, turn.in_flight) == (1, False)
    assert not is_busy(turn, later(9), RULES)


@pytest.mark.parametrize(
    ("call", "kind", "waits"),
    [
        (AttentionWanted("Claude is waiting for your input", "idle_prompt"), "idle_prompt", False),
        (AttentionWanted("Claude is waiting for your input"), "idle_prompt", False),
        (AttentionWanted("Logged in", "auth_success"), "auth_success", False),
        (AttentionWanted("Claude needs your permission to use Bash", "permission_prompt"), "permission_prompt", True),
        (AttentionWanted("Claude needs your permission to use Bash"), "permission_prompt", True),
        (AttentionWanted("A server asks", "elicitation_dialog"), "elicitation_dialog", True),
        (AttentionWanted("Hm", "something_new"), "something_new", True),
        (AttentionWanted("Hm"), "", True),
    ],
)
def test_only_what_waits_for_somebody_counts_as_waiting(call: AttentionWanted, kind: str, waits: bool) -> None:
    assert kind_of(call) == kind
    assert wants_somebody(call) == waits


def test_an_idle_terminal_has_no_turn_in_flight() -> None:
    """MUST T3: an idle terminal ends a turn that was interrupted without a hook."""
    running = turn_of(PromptSubmitted("hi"), ToolStarting(BASH))
    assert not after(running, AttentionWanted("…", "idle_prompt"), later(60)).in_flight
    assert after(running, AttentionWanted("…", "permission_prompt"), later(60)).in_flight


@pytest.mark.parametrize(
    ("calls", "busy_until_s"),
    [
        ((PromptSubmitted("hi"),), 600),
        ((PromptSubmitted("hi"), TextShown("m", 0, "Let me", final=False)), 601),
        ((PromptSubmitted("hi"), ToolStarting(BASH)), 7201),
        ((PromptSubmitted("hi"), ToolStarting(BASH), PermissionAsked(BASH)), 7202),
        ((PromptSubmitted("hi"), ToolStarting(BASH), ToolEnded(BASH, ok=True)), 602),
    ],
)
def test_a_turn_of_which_nothing_is_heard_is_believed_only_so_long(
    calls: tuple[HookCall, ...], busy_until_s: float
) -> None:
    """MUST T4: a session counts as busy from prompt to stop, for as long as its hooks are heard."""
    turn = turn_of(*calls)
    just_before = later(busy_until_s) - timedelta(seconds=0.1)
    assert is_busy(turn, just_before, RULES)
    assert not is_busy(turn, later(busy_until_s), RULES)
    assert not is_busy(after(turn, TurnEnded(), just_before), just_before, RULES)


def test_nothing_is_busy_before_the_first_turn() -> None:
    assert not is_busy(Turn(), NOON, RULES)


def test_a_refused_call_never_runs_and_may_end_the_turn() -> None:
    turn = turn_of(PromptSubmitted("hi"))
    refused = after_refusal(turn, BASH, later(1), ends_turn=False)
    assert (refused.in_flight, dict(refused.running), refused.heard_at) == (True, {}, later(1))
    assert not after_refusal(turn, BASH, later(1), ends_turn=True).in_flight
    assert after_refusal(turn, OF_SUBAGENT, later(1), ends_turn=True).in_flight


def test_calls_that_are_refused_together_are_of_the_turn_that_they_end() -> None:
    """MUST T5: a turn that a stop has ended goes on as that turn where the client goes on with it."""
    turn = with_asked(turn_of(PromptSubmitted("hi")), [Asked(ANN, MessageId("7"))])
    over = after_refusal(turn, BASH, later(1), ends_turn=True)
    again = after_refusal(over, ToolCall("Read", "{}", "use-9"), later(1), ends_turn=True)
    assert again == over


def test_a_place_is_answered_by_a_message_there_or_a_change_anywhere_in_its_chat() -> None:
    general, topic = Where(ChatId("-5")), Where(ChatId("-5"), ThreadId("3"))
    turn = with_answered(Turn(), topic)
    assert [turn.has_answered(where) for where in (topic, general, ANN)] == [True, False, False]
    turn = with_answered(Turn(), general, everywhere=True)
    assert [turn.has_answered(where) for where in (topic, general, ANN)] == [True, True, False]


def test_a_message_asks_once() -> None:
    asked = Asked(ANN, MessageId("7"))
    assert with_asked(with_asked(Turn(), [asked, asked]), [asked]).asked == (asked,)


calls = st.one_of(
    st.builds(PromptSubmitted, st.just("hi")),
    st.builds(ToolStarting, st.sampled_from([BASH, OF_SUBAGENT])),
    st.builds(ToolEnded, st.sampled_from([BASH, OF_SUBAGENT]), st.booleans()),
    st.builds(ToolDenied, st.sampled_from([BASH, OF_SUBAGENT])),
    st.builds(PermissionAsked, st.just(BASH)),
    st.builds(TurnEnded, st.just("done"), st.booleans()),
    st.builds(TextShown, st.just("m"), st.integers(0, 3), st.just("x"), st.booleans()),
    st.builds(AttentionWanted, st.just("…"), st.sampled_from(["idle_prompt", "permission_prompt", "new", ""])),
)


@given(st.lists(calls, max_size=30))
def test_whatever_is_heard_in_whatever_order_makes_sense(heard: list[HookCall]) -> None:
    turn = Turn()
    for number, call in enumerate(heard):
        before, turn = turn, after(turn, call, later(number))
        assert turn.heard_at == later(number)
        assert turn.number in (before.number, before.number + 1)
        if turn.number > before.number:
            assert turn.in_flight
            assert turn.began_at == later(number)
        if isinstance(call, TurnEnded):
            assert not turn.in_flight
        if not turn.in_flight:
            assert all(one.agent for one in turn.running.values())
