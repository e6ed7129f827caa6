"""Many sessions of one bot, whose pollers are killed: nothing is lost, and nobody hears what another is told."""

from collections.abc import Sequence

import pytest

from bench.fleet_answers import Answer, Outcome, outcome_of, wrong_answers
from bench.fleet_course import complaints, trial
from bench.fleet_judge import Asked, Heard, Said, judged
from telegram_channel.bridge.replies import told as tool_words
from telegram_channel.core.ids import MessageId
from telegram_channel.core.outgoing import PartlySent, Refused, SendOutcome, Sent, Uncertain

CHAT, TOPIC = (1, None), (-5, 7)


async def test_many_sessions_lose_nothing_when_pollers_are_killed() -> None:
    """MUST F63: whatever a person said reaches the session it was meant for and no other, whichever process polls.

    MUST F64: after the death of the process that polls, another one polls by itself.
    """
    course, findings = await trial(5, 40, 2, seed=7, tell=lambda _words: None)
    assert complaints(course, findings) == []
    assert findings.is_good
    assert len(course.people.said) >= 40
    assert len(course.takeovers_s) == 2


def said(*texts: str) -> list[Said]:
    """Messages `NUMBER SESSION`, in one chat; a `!` in front names the session, and is not part of the text."""
    return [
        Said(text.removeprefix("!"), text.split()[-1], CHAT, text.startswith("!"), float(number))
        for number, text in enumerate(texts)
    ]


def heard(session: str, *texts: str, life: int = 1) -> list[Heard]:
    """What one process was given, from the tenth second on; a `*` in front marks what may be known."""
    return [
        Heard(text.removeprefix("*"), session, life, CHAT, text.startswith("*"), 10.0 + number)
        for number, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    ("given", "lost", "misrouted", "reordered", "doubled"),
    [
        ([heard("elm", "1 elm", "3 elm"), heard("fir", "2 fir")], 0, 0, 0, 0),
        ([heard("elm", "1 elm"), heard("fir", "2 fir")], 1, 0, 0, 0),
        ([heard("elm", "1 elm", "3 elm", "2 fir"), heard("fir", "2 fir")], 0, 1, 0, 0),
        ([heard("elm", "1 elm", "3 elm", "2 fir")], 1, 1, 0, 0),
        ([heard("elm", "1 elm", "3 elm", "4 elm"), heard("fir", "2 fir")], 0, 1, 0, 0),
        ([heard("elm", "3 elm", "1 elm"), heard("fir", "2 fir")], 0, 0, 1, 0),
        ([heard("elm", "1 elm", "1 elm", "3 elm"), heard("fir", "2 fir")], 0, 0, 0, 1),
        ([heard("elm", "1 elm"), heard("elm", "*1 elm", "3 elm", life=2), heard("fir", "2 fir")], 0, 0, 0, 0),
        ([heard("elm", "1 elm"), heard("elm", "1 elm", "3 elm", life=2), heard("fir", "2 fir")], 0, 0, 0, 1),
        ([heard("elm", "3 elm"), heard("elm", "1 elm", life=2), heard("fir", "2 fir")], 0, 0, 1, 0),
    ],
)
def test_what_goes_astray_is_seen(
    given: Sequence[Sequence[Heard]], lost: int, misrouted: int, reordered: int, doubled: int
) -> None:
    found = judged(said("1 elm", "2 fir", "3 elm"), [one for process in given for one in process])
    counts = (len(found.lost), len(found.misrouted), len(found.reordered), len(found.doubled))
    assert counts == (lost, misrouted, reordered, doubled)
    assert found.is_good is (counts == (0, 0, 0, 0))


def test_an_event_that_names_another_place_than_its_message_is_astray() -> None:
    elsewhere = Said("1 elm", "elm", TOPIC, names_session=True, at=0.0)
    assert judged([elsewhere], heard("elm", "1 elm")).misrouted
    assert judged([elsewhere], [Heard("1 elm", "elm", 1, TOPIC, redelivered=False, at=1.0)]).is_good


def test_only_a_question_that_stood_excuses_what_came_before_what_waited() -> None:
    words, given = said("1 elm", "!2 elm"), heard("elm", "2 elm", "1 elm")
    assert len(judged(words, given).reordered) == 1
    assert len(judged(words, given, [Asked(TOPIC, 0.0, 20.0)]).reordered) == 1
    excused = judged(words, given, [Asked(CHAT, 0.5, 9.0)])
    assert (excused.reordered, excused.overtook) == ((), 1)
    assert len(judged(said("1 elm", "2 elm"), given, [Asked(CHAT, 0.5, 9.0)]).reordered) == 1


@pytest.mark.parametrize(
    ("outcome", "right_times"),
    [
        (Outcome.SENT, (1,)),
        (Outcome.UNCERTAIN, (0, 1)),
        (Outcome.REFUSED, (0,)),
        (Outcome.CUT_OFF, (0, 1)),
        (Outcome.FAILED, ()),
    ],
)
def test_a_reply_is_seen_as_often_as_its_session_was_told(outcome: Outcome, right_times: Sequence[int]) -> None:
    reply = Answer("answer", "elm", CHAT, outcome)
    for times in range(3):
        wrong = wrong_answers([reply], {"answer": [CHAT] * times}, {"elm": {"answer"}}, had_faults=True)
        assert (not wrong) is (times in right_times), wrong


@pytest.mark.parametrize("outcome", [Outcome.SENT, Outcome.UNCERTAIN])
def test_a_reply_in_another_place_is_wrong_whatever_its_session_was_told(outcome: Outcome) -> None:
    reply = Answer("answer", "elm", CHAT, outcome)
    assert wrong_answers([reply], {"answer": [TOPIC]}, {"elm": {"answer"}}, had_faults=True)


def test_a_reply_that_went_out_through_another_session_is_wrong() -> None:
    reply = Answer("answer", "elm", CHAT, Outcome.SENT)
    assert wrong_answers([reply], {"answer": [CHAT]}, {"elm": {"answer"}, "fir": {"answer"}}, had_faults=False)


@pytest.mark.parametrize("outcome", [Outcome.UNCERTAIN, Outcome.REFUSED])
def test_nothing_is_uncertain_or_refused_where_telegram_never_fails(outcome: Outcome) -> None:
    reply = Answer("answer", "elm", CHAT, outcome)
    assert wrong_answers([reply], {}, {}, had_faults=False)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (Sent(refs=(MessageId("7"),)), Outcome.SENT),
        (Uncertain("The connection was lost."), Outcome.UNCERTAIN),
        (Refused("The chat is gone."), Outcome.REFUSED),
        (PartlySent(refs=(MessageId("7"),), of=2, cause="The connection was lost."), Outcome.FAILED),
    ],
)
def test_the_words_of_the_reply_tool_are_understood(told: SendOutcome, outcome: Outcome) -> None:
    result = tool_words(told)
    assert outcome_of(result.text, is_error=result.is_error) is outcome
