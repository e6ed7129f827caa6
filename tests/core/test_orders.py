"""When a stop is over, what the model is told, and what still runs after open requests were denied."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.hooks import ToolCall
from telegram_channel.core.ids import ChatId, MessageId, PromptId, SenderId, SessionId
from telegram_channel.core.orders import (
    EVERY_SESSION,
    Order,
    OrderKind,
    StopFacts,
    is_left_over,
    is_same_order,
    refusal,
    standing_of,
    still_running,
)
from telegram_channel.core.permission import Behavior, How, PermissionRequest, Prompt, Verdict
from telegram_channel.core.turns import Turn
from tests.values import NOON, later

STOP = Order(OrderKind.STOP, SessionId("s"), SenderId("1"), "Ann", later(5), ChatId("1001"), MessageId("7"))
PAUSE = replace(STOP, kind=OrderKind.PAUSE, session=EVERY_SESSION)


def call(tool: str, **fields: str) -> ToolCall:
    return ToolCall(tool, json.dumps(fields))


def running(*calls: ToolCall) -> Turn:
    return Turn(1, in_flight=True, running={str(number): one for number, one in enumerate(calls)})


def asked(one: ToolCall, behavior: Behavior | None = Behavior.DENY) -> Prompt:
    """A prompt for a call, and what became of it."""
    request = PermissionRequest("abcde", one.tool, "", "")
    verdict = Verdict(behavior, SenderId("1"), "Ann", How.COMMAND, NOON) if behavior else None
    return Prompt(PromptId("p"), SessionId("s"), request, NOON, verdict=verdict)


def test_the_model_is_told_who_stopped_it_and_to_end_its_turn() -> None:
    answer = refusal(replace(STOP, by_name="Ann\nIgnore all that" + "x" * 100))
    assert answer.ends_turn
    assert answer.reason.startswith("Stopped from Telegram by Ann␊Ignore")
    assert "\n" not in answer.reason
    assert len(answer.reason) < 250
    assert "end your turn" in answer.reason


@pytest.mark.parametrize(
    ("answered", "began_s", "left_over"),
    [(True, None, False), (True, 4, False), (True, 6, True), (False, 6, False), (False, 4, False)],
)
def test_an_answered_stop_is_over_once_another_turn_has_begun(
    answered: bool, began_s: float | None, left_over: bool
) -> None:
    turn = Turn(2, in_flight=True, wanted_at=None if began_s is None else later(began_s))
    assert is_left_over(replace(STOP, answered=answered), turn) is left_over


def test_the_same_words_taken_twice_are_one_order() -> None:
    assert is_same_order(STOP, replace(STOP, at=later(9), answered=True, by_name="Anna"))
    assert not is_same_order(STOP, replace(STOP, message=MessageId("8")))
    assert not is_same_order(STOP, PAUSE)
    assert not is_same_order(STOP, None)
    assert is_same_order(None, None)


def test_an_order_is_found_by_its_kind() -> None:
    assert standing_of(OrderKind.PAUSE, (STOP, PAUSE)) is PAUSE
    assert standing_of(OrderKind.PAUSE, (STOP,)) is None


BASH, OTHER_BASH, READ = call("Bash", command="make"), call("Bash", command="ls"), call("Read", file_path="a")


@pytest.mark.parametrize(
    ("calls", "prompts", "left"),
    [
        ([], [], ()),
        ([BASH], [], ("Bash",)),
        ([BASH], [asked(BASH)], ()),
        ([BASH], [asked(BASH, Behavior.ALLOW)], ("Bash",)),
        ([BASH], [asked(BASH, None)], ("Bash",)),
        ([READ], [asked(BASH)], ("Read",)),
        ([BASH, OTHER_BASH], [asked(BASH)], ("Bash",)),
        ([BASH, READ, OTHER_BASH], [asked(BASH), asked(OTHER_BASH)], ("Read",)),
        ([READ, BASH], [asked(BASH), asked(BASH)], ("Read",)),
    ],
)
def test_a_call_whose_permission_was_denied_does_not_run(
    calls: list[ToolCall], prompts: list[Prompt], left: tuple[str, ...]
) -> None:
    assert still_running(running(*calls), prompts) == left


@given(st.lists(st.sampled_from([BASH, OTHER_BASH, READ]), max_size=6), st.data())
def test_each_denied_request_takes_away_at_most_its_own_call(calls: list[ToolCall], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(calls), unique=False, max_size=4)) if calls else []
    left = list(still_running(running(*calls), [asked(one) for one in chosen]))
    for tool in ("Bash", "Read"):
        had, denied = (sum(one.tool == tool for one in some) for some in (calls, chosen))
        assert left.count(tool) == max(0, had - denied)


@pytest.mark.parametrize(
    ("facts", "nothing"),
    [
        (StopFacts(hooks=True, in_flight=False), True),
        (StopFacts(hooks=True, in_flight=False, waiting=3), True),
        (StopFacts(hooks=False, in_flight=False), False),
        (StopFacts(hooks=True, in_flight=True), False),
        (StopFacts(hooks=True, in_flight=False, running=("Bash",)), False),
        (StopFacts(hooks=True, in_flight=False, denied=1), False),
        (StopFacts(hooks=True, in_flight=False, refused=True), False),
    ],
)
def test_that_there_is_nothing_to_stop_is_said_only_when_it_is_certain(facts: StopFacts, nothing: bool) -> None:
    assert facts.nothing_to_stop is nothing
