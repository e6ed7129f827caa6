"""One turn as it is shown: when a place has what it waited for, and Claude's text as it grows."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.hooks import (
    AttentionWanted,
    HookCall,
    TextShown,
    ToolCall,
    ToolDenied,
    ToolEnded,
    ToolStarting,
    TurnEnded,
)
from telegram_channel.core.ids import ChatId
from telegram_channel.core.turns import Turn, Where
from telegram_channel.core.work import Words, Work
from tests.values import NOON, later

ANN, BOB = Where(ChatId("1001")), Where(ChatId("1002"))
READ = ToolCall("Read", json.dumps({"file_path": "app.py"}), "u1")
REPLY = ToolCall("mcp__plugin_telegram_telegram__reply", json.dumps({"chat_id": "1001", "text": "x"}), "u2")
TURN = Turn(3, in_flight=True, began_at=NOON)


def after(*calls: HookCall, turn: Turn = TURN, work: Work | None = None) -> Work:
    """What is known after these hooks, one second apart."""
    work = work or Work.begun(TURN, NOON)
    for second, call in enumerate(calls, 1):
        work = work.learned(call, turn, later(second))
    return work


def answered(*places: Where) -> Turn:
    return replace(TURN, answered=frozenset(places))


def test_steps_begin_and_end() -> None:
    work = after(ToolStarting(READ), ToolEnded(READ, ok=False))
    assert (work.board.count, work.board.failed, work.board.heard_at) == (1, 1, later(2))
    assert after(ToolStarting(READ), ToolDenied(READ)).board.failed == 1
    assert after(AttentionWanted("x")).board.heard_at == later(1)


def test_an_answer_folds_where_it_went_and_further_work_unfolds() -> None:
    work = after(ToolStarting(READ))
    assert work.folded_at(ANN) is None
    work = work.learned(ToolEnded(REPLY, ok=True), answered(ANN), later(5))
    assert (work.folded_at(ANN), work.folded_at(BOB)) == (later(5), None)
    work = work.learned(ToolEnded(READ, ok=True), answered(ANN), later(6))
    assert work.folded_at(ANN) == later(5)
    work = work.learned(ToolStarting(READ), answered(ANN), later(7))
    assert work.folded_at(ANN) is None
    work = work.learned(ToolEnded(REPLY, ok=False), answered(ANN), later(8))
    assert work.folded_at(ANN) is None
    work = work.learned(ToolEnded(REPLY, ok=True), answered(ANN), later(9))
    assert work.folded_at(ANN) == later(9)


def test_the_end_of_the_turn_folds_everywhere_and_nothing_after_it_counts() -> None:
    work = after(ToolStarting(READ), TurnEnded("done"))
    assert (work.folded_at(ANN), work.folded_at(BOB)) == (later(2), later(2))
    late = work.learned(ToolStarting(READ), replace(TURN, in_flight=False), later(9))
    assert (late.board.count, late.ended_at) == (1, later(2))


def test_a_turn_that_goes_on_after_its_end_is_worked_on_again() -> None:
    work = after(ToolStarting(READ), TurnEnded("done")).learned(ToolStarting(READ), TURN, later(9))
    assert (work.folded_at(ANN), work.board.count) == (None, 2)


def test_a_turn_whose_end_nobody_heard_ended_with_its_last_word() -> None:
    work = after(ToolStarting(READ)).over()
    assert work.replaced
    assert work.folded_at(ANN) == later(1)
    assert after(ToolStarting(READ), TurnEnded()).over().ended_at == later(2)


def test_text_is_awaited_until_the_first_answer_or_the_end() -> None:
    work = after(ToolStarting(READ))
    assert work.is_awaited(ANN)
    work = work.learned(ToolEnded(REPLY, ok=True), answered(ANN), later(5))
    work = work.learned(ToolStarting(READ), answered(ANN), later(6))
    assert (work.is_awaited(ANN), work.is_awaited(BOB)) == (False, True)
    assert not after(TurnEnded()).is_awaited(BOB)


def shown(index: int, delta: str, message: str = "m1") -> TextShown:
    return TextShown(message, index, delta, final=False)


@given(st.lists(st.text(max_size=20), max_size=8), st.data())
def test_pieces_in_order_make_the_text_and_repeated_ones_change_nothing(
    pieces: list[str], data: st.DataObject
) -> None:
    words = Words("m1")
    for index, piece in enumerate(pieces):
        words = words.with_piece(shown(index, piece))
        words = words.with_piece(shown(data.draw(st.integers(0, index)), "again"))
    assert words.text == "".join(pieces)


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([shown(0, "a"), shown(2, "c")], "a"),
        ([shown(0, "a"), shown(2, "c"), shown(1, "b"), shown(3, "d")], "abcd"),
        ([shown(1, "b"), shown(0, "a")], "ab"),
        ([shown(0, "a"), *(shown(index, "c") for index in range(2, 11))], "a…" + "c" * 9),
        ([shown(index, "d") for index in range(3, 12)], "…" + "d" * 9),
        ([shown(0, "a"), shown(0, "new", "m2"), shown(1, "er", "m2")], "newer"),
        ([shown(0, "x" * 20_000), shown(1, "y")], "x" * 16_000),
    ],
)
def test_the_newest_text_is_kept_in_order_and_with_its_gaps(pieces: list[TextShown], text: str) -> None:
    """MUST T31: pieces of Claude's text that overtake each other are shown in their order."""
    words = after(*pieces).words
    assert words is not None
    assert words.text == text
