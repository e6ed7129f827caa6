"""Replies of sessions, held against what people see: what a session is told of a reply has to be what happened."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.fleet_judge import Place

UNCERTAIN_WORDS, REFUSAL_WORDS = "It may have been sent, nobody knows:", "Nothing was sent:"
"""How the reply tool begins when it does not know, and when it knows that nothing arrived."""


class Outcome(StrEnum):
    """What a session knows of its reply."""

    SENT = "sent"
    UNCERTAIN = "uncertain"
    """Telegram failed on the way: it may have arrived."""
    REFUSED = "refused"
    CUT_OFF = "cut off"
    """Its process was killed meanwhile."""
    FAILED = "failed"
    """Anything else, which is never right."""


_SEEN_TIMES: Mapping[Outcome, Collection[int]] = {
    Outcome.SENT: (1,),
    Outcome.UNCERTAIN: (0, 1),
    Outcome.REFUSED: (0,),
    Outcome.CUT_OFF: (0, 1),
    Outcome.FAILED: (0, 1),
}
_ONLY_WITH_FAULTS = (Outcome.UNCERTAIN, Outcome.REFUSED)
"""Nothing that is said here is too long, too much or unwelcome."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply of a session, and where it has to be seen."""

    text: str
    session: str
    place: Place
    outcome: Outcome
    told: str = ""
    """In the tool's words."""


def outcome_of(told: str, *, is_error: bool) -> Outcome:
    """What the tool's words mean."""
    if not is_error:
        return Outcome.SENT
    if told.startswith(UNCERTAIN_WORDS):
        return Outcome.UNCERTAIN
    return Outcome.REFUSED if told.startswith(REFUSAL_WORDS) else Outcome.FAILED


def wrong_answers(
    answers: Sequence[Answer],
    shown: Mapping[str, Sequence[Place]],
    sent_by: Mapping[str, Collection[str]],
    *,
    had_faults: bool,
) -> list[str]:
    """What is wrong with the replies, in words that name each.

    `shown` are the places in which each text is seen, `sent_by` the texts that went out through the processes of
    each session. `had_faults`: whether Telegram failed at times, which is the one excuse for not having sent.
    """
    wrong: list[str] = []
    for one in answers:
        places = shown.get(one.text, ())
        if any(place != one.place for place in places):
            wrong.append(f"{one.text!r} is seen in {places}, not in {one.place}")
        if len(places) not in _SEEN_TIMES[one.outcome]:
            wrong.append(f"{one.text!r} is seen {len(places)} times ({one.outcome}: {one.told})")
        if one.outcome is Outcome.FAILED or (one.outcome in _ONLY_WITH_FAULTS and not had_faults):
            wrong.append(f"{one.text!r} was {one.outcome}: {one.told}")
    for session, texts in sent_by.items():
        own = {one.text for one in answers if one.session == session}
        wrong += [f"{text!r} was sent by {session}" for text in texts if text not in own]
    return wrong


def tally(answers: Sequence[Answer]) -> str:
    """How many replies came to what, in one line."""
    counts = Counter(one.outcome for one in answers)
    return ", ".join(f"{counts[one]} {one}" for one in Outcome)
