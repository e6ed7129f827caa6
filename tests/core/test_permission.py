"""Which words and buttons are answers, and what an answer is worth."""

import string
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.ids import PromptId, SenderId, SessionId
from telegram_channel.core.permission import (
    Behavior,
    Closing,
    Details,
    How,
    PermissionRequest,
    PressedAnswer,
    Prompt,
    Standing,
    Suggestion,
    TypedAnswer,
    Verdict,
    button_data,
    is_permission_data,
    is_request_id,
    judge,
    offers,
    parse_answer,
    parse_bare_answer,
    parse_button,
    suggestion,
    suggestion_data,
)
from tests.values import NOON

IDS = st.text(alphabet=string.ascii_lowercase.replace("l", ""), min_size=5, max_size=5)
OPEN = Prompt(PromptId("p1"), SessionId("s1"), PermissionRequest("abcde", "Bash", "", "{}"), NOON)


@pytest.mark.parametrize(
    ("text", "behavior"),
    [
        ("yes abcde", Behavior.ALLOW),
        ("y abcde", Behavior.ALLOW),
        ("YES ABCDE", Behavior.ALLOW),
        ("  Yes   aBcDe \n", Behavior.ALLOW),
        ("no abcde", Behavior.DENY),
        ("N\nabcde", Behavior.DENY),
    ],
)
def test_yes_and_no_with_an_id_are_answers_in_any_letter_case(text: str, behavior: Behavior) -> None:
    """MUST V1: yes <id>, no <id>, y and n are answers in any letter case."""
    assert parse_answer(text) == TypedAnswer(behavior, "abcde")


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "yes please",
        "yes abcd",
        "yes abcdef",
        "yes abcle",  # ids have no l
        "yes ab1de",
        "yesabcde",
        "/yes abcde",
        "yes abcde please",
        "I say yes abcde",
        "yes abcde.",
        "yes abcde yes abcde",
        "yep abcde",
        "ye\u017f abcde",  # a long s is not an s
        "yes ab\u212ade",  # the Kelvin sign is not a k
        "",
    ],
)
def test_every_other_sentence_is_a_message(text: str) -> None:
    assert parse_answer(text) is None


@given(st.sampled_from(["yes", "y", "no", "n", "YeS", "N"]), IDS, st.booleans())
def test_every_id_the_client_makes_can_be_typed(word: str, request_id: str, upper: bool) -> None:
    assert is_request_id(request_id)
    answer = parse_answer(f"{word} {request_id.upper() if upper else request_id}")
    assert answer is not None
    assert answer.request_id == request_id
    assert (answer.behavior is Behavior.ALLOW) == word.lower().startswith("y")


@given(st.text(max_size=30))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    answer = parse_answer(text)
    assert answer is None or is_request_id(answer.request_id)


@given(st.sampled_from(Behavior), st.text(alphabet=string.ascii_letters + string.digits, min_size=1, max_size=57))
def test_a_button_comes_back_as_what_it_stood_for(behavior: Behavior, prompt: str) -> None:
    data = button_data(behavior, PromptId(prompt))
    assert len(data.encode()) <= 64
    assert data.startswith("perm:")
    assert parse_button(data) == PressedAnswer(behavior, PromptId(prompt))


@given(st.integers(0, 3), st.text(alphabet=string.ascii_letters + string.digits, min_size=1, max_size=56))
def test_a_button_of_a_further_choice_allows_and_names_it(index: int, prompt: str) -> None:
    data = suggestion_data(index, PromptId(prompt))
    assert len(data.encode()) <= 64
    assert is_permission_data(data)
    assert parse_button(data) == PressedAnswer(Behavior.ALLOW, PromptId(prompt), always=index)


@pytest.mark.parametrize(("index", "prompt"), [(4, "p"), (-1, "p"), (10, "p"), (0, "x" * 57), (0, "")])
def test_a_choice_that_does_not_fit_a_button_is_refused_when_it_is_made(index: int, prompt: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        suggestion_data(index, PromptId(prompt))


def test_a_choice_that_the_card_does_not_offer_is_not_there() -> None:
    """MUST V24: a press that names a choice which the card does not offer decides nothing."""
    one, two = Suggestion("Always allow a", "{}"), Suggestion("Always allow b", "[]")
    enriched = replace(OPEN, details=Details("{}", (one, two)))
    assert [suggestion(enriched, at) for at in (None, -1, 0, 1, 2)] == [None, None, one, two, None]
    assert [offers(enriched, at) for at in (None, -1, 0, 1, 2)] == [True, False, True, True, False]
    assert [offers(OPEN, at) for at in (None, 0)] == [True, False]
    assert not offers(replace(OPEN, details=Details("{}", (one,) * 6)), 4)


@pytest.mark.parametrize(
    ("text", "behavior"),
    [
        ("yes", Behavior.ALLOW),
        ("Y", Behavior.ALLOW),
        (" YES\n", Behavior.ALLOW),
        ("no", Behavior.DENY),
        ("N", Behavior.DENY),
        ("yes please", None),
        ("no!", None),
        ("yes abcde", None),
        ("not now", None),
        ("ye\u017f", None),  # a long s is not an s
        ("yesno", None),
        ("", None),
    ],
)
def test_a_reply_to_a_card_needs_no_id(text: str, behavior: Behavior | None) -> None:
    assert parse_bare_answer(text) is behavior


@pytest.mark.parametrize("prompt", ["", "x" * 58, "ä", "a b"])
def test_an_id_that_does_not_fit_a_button_is_refused_when_it_is_made(prompt: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        button_data(Behavior.ALLOW, PromptId(prompt))


@pytest.mark.parametrize(
    "data",
    [
        "perm:",
        "perm:s4:1",
        "perm:s:1",
        "perm:s00:1",
        "perm:s-1:1",
        "perm:x:1",
        "perm:a:",
        "perm:a:b c",
        "perm:allow:1",
        "ask:0:0",
        "",
        "aperm:a:1",
    ],
)
def test_other_data_stands_for_nothing(data: str) -> None:
    assert parse_button(data) is None


def test_a_broken_card_is_still_recognised_as_a_card() -> None:
    assert is_permission_data("perm:nonsense")
    assert not is_permission_data("ask:0:0")


DECIDED = Prompt(
    OPEN.prompt,
    OPEN.session,
    OPEN.request,
    NOON,
    verdict=Verdict(Behavior.DENY, SenderId("1"), "Ann", How.BUTTON, NOON + timedelta(seconds=5)),
)
CLOSED = Prompt(OPEN.prompt, OPEN.session, OPEN.request, NOON, closing=Closing.EXPIRED)


@pytest.mark.parametrize(
    ("prompt", "may_approve", "fresh", "standing"),
    [
        (OPEN, True, True, Standing.COUNTS),
        (OPEN, True, False, Standing.OLD),
        (OPEN, False, True, Standing.NOT_APPROVER),
        (OPEN, False, False, Standing.NOT_APPROVER),
        (None, True, True, Standing.UNKNOWN),
        (None, True, False, Standing.UNKNOWN),
        (None, False, True, Standing.NOT_APPROVER),
        # Settled already: whether it is old does not matter, and the outcome is what people want to know.
        (DECIDED, True, False, Standing.COUNTS),
        (CLOSED, True, False, Standing.COUNTS),
        (DECIDED, False, True, Standing.NOT_APPROVER),
    ],
)
def test_only_a_fresh_answer_of_an_approver_counts(
    prompt: Prompt | None, may_approve: bool, fresh: bool, standing: Standing
) -> None:
    """MUST V2: an old answer from a backlog never approves."""
    assert judge(prompt, may_approve=may_approve, fresh=fresh) is standing
