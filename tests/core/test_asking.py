"""Buttons below an answer of Claude's."""

import pytest

from telegram_channel.core.asking import is_question_data, question_buttons
from telegram_channel.core.ids import PromptId
from telegram_channel.core.outgoing import Button
from telegram_channel.core.permission import Behavior, button_data, is_permission_data
from telegram_channel.errors import ToolError


def test_rows_of_labels_become_buttons_that_tell_their_place() -> None:
    assert question_buttons([["Yes", "No"], [" Later "]]) == (
        (Button("Yes", "ask:0:0"), Button("No", "ask:0:1")),
        (Button("Later", "ask:1:0"),),
    )


def test_a_plain_list_is_one_button_below_the_other() -> None:
    assert question_buttons(["Yes", "No"]) == ((Button("Yes", "ask:0:0"),), (Button("No", "ask:1:0"),))


def test_every_button_is_recognised_as_a_question_and_never_as_a_permission() -> None:
    for row in question_buttons([[str(number)] * 1 for number in range(100)]):
        for button in row:
            assert is_question_data(button.data)
            assert not is_permission_data(button.data)
            assert len(button.data.encode()) <= 64
    assert not is_question_data(button_data(Behavior.ALLOW, PromptId("p")))
    assert not is_question_data("ask:")


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("Yes", "rows of labels"),
        ({}, "rows of labels"),
        ([], "rows of labels"),
        ([[]], "list of labels"),
        ([{"text": "Yes"}], "list of labels"),
        ([["Yes", 1]], "needs a label"),
        ([["  "]], "needs a label"),
        ([["a\nb"]], "one line"),
        ([["x" * 65]], "shorten"),
        ([["x"] * 9], "more rows"),
        ([["x"]] * 101, "fewer answers"),
    ],
)
def test_other_shapes_are_refused_with_what_to_do(labels: object, says: str) -> None:
    with pytest.raises(ToolError, match=says):
        question_buttons(labels)
