"""Albums and split pastes become one event; nothing else waits."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.inbox import Fetch, FetchState, InboxEntry
from telegram_channel.core.joining import SPLIT_PART_UNITS, JoiningRules, assemble
from tests.values import NOON, entry, later, message, photo, place

RULES = JoiningRules()
LONG = "x" * SPLIT_PART_UNITS


def numbers(entries: list[InboxEntry], at: float = 0) -> list[list[int]]:
    """The entry numbers of each parcel that may go `at` seconds after noon."""
    return [[one.entry for one in parcel.entries] for parcel in assemble(entries, later(at), RULES).ready]


def album_part(number: int, **more: object) -> InboxEntry:
    part = entry(message("", number, album="A", attachment=photo(number)), number, **more)
    return replace(part, fetch=Fetch(FetchState.DONE, part.fetch.file, f"/tmp/{number}.jpg"))  # noqa: S108 - a value


def test_ordinary_messages_go_at_once_and_alone() -> None:
    assert numbers([entry(number=1), entry(number=2)]) == [[1], [2]]


def test_the_parts_of_an_album_go_together_once_nothing_more_came_for_a_moment() -> None:
    """MUST I13: an album is one event."""
    parts = [album_part(1), album_part(2, stored_at=later(0.3))]
    assert numbers(parts, at=0.5) == []
    assert assemble(parts, later(0.5), RULES).look_again_at == later(0.3 + RULES.quiet_s)
    assert numbers(parts, at=0.3 + RULES.quiet_s) == [[1, 2]]


def test_an_album_of_ten_is_complete() -> None:
    assert numbers([album_part(number) for number in range(1, 11)]) == [list(range(1, 11))]


def test_a_later_message_of_the_same_sender_completes_an_album_and_follows_it() -> None:
    assert numbers([album_part(1), album_part(2), entry(number=3)]) == [[1, 2], [3]]


def test_messages_of_others_pass_an_album_that_may_not_be_complete() -> None:
    group = place("-5", "7")
    stranger = entry(message("hi", 3, place=place("-5", "8")), 3)
    part = album_part(1)
    part = replace(part, chat=group.chat, inbound=replace(part.inbound, place=group))
    assert numbers([part, stranger]) == [[3]]


def test_a_clock_that_was_set_back_holds_up_nobody() -> None:
    early = [entry(number=1, stored_at=later(3600)), album_part(2, stored_at=later(3600))]
    assert numbers(early) == [[1], [2]]
    assert assemble(early, later(0), RULES).look_again_at is None


def test_a_paste_that_the_phone_cut_is_one_event() -> None:
    """MUST I14: a paste that the phone cut in parts is one event."""
    parts = [entry(message(LONG, 1), 1), entry(message("the end", 2, sent_at=later(1)), 2, stored_at=later(1))]
    assert numbers(parts, at=1) == [[1, 2]]


def test_a_long_text_alone_waits_only_a_moment() -> None:
    parts = [entry(message(LONG, 1), 1)]
    assert numbers(parts, at=0.1) == []
    assert numbers(parts, at=RULES.quiet_s) == [[1]]


@pytest.mark.parametrize(
    "second",
    [
        message("later", 2, sent_at=later(60)),
        message("a reply", 2, forwarded_from="Bob"),
        message("", 2, attachment=photo(2)),
        message("fixed", 2, edited=True),
        message("elsewhere", 2, chat="1002", sender="1002"),
    ],
    ids=["much later", "forwarded", "photo", "edit", "other chat"],
)
def test_what_does_not_continue_a_paste_stays_an_event_of_its_own(second: object) -> None:
    parcels = numbers([entry(message(LONG, 1), 1), entry(second, 2)], at=30)
    assert parcels == [[1], [2]]


def test_a_text_passes_a_photo_that_is_still_being_fetched() -> None:
    """MUST I15: a message is never delayed by another message's download."""
    parts = [entry(message("look", 1, attachment=photo()), 1), entry(number=2)]
    assert numbers(parts) == [[2]]


def test_a_photo_goes_without_its_file_when_the_download_takes_too_long() -> None:
    """MUST I16: a photo waits for its own download, but not for ever."""
    parts = [entry(message("look", 1, attachment=photo()), 1)]
    assert numbers(parts, at=RULES.fetch_wait_s - 1) == []
    assert numbers(parts, at=RULES.fetch_wait_s) == [[1]]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["plain", "long", "album", "photo"]),
            st.sampled_from(["1001", "1002"]),
            st.floats(0, 3),
        ),
        max_size=30,
    )
)
def test_in_the_end_everything_goes_exactly_once_and_each_persons_words_stay_in_order(
    script: list[tuple[str, str, float]],
) -> None:
    at = 0.0
    entries = []
    for number, (kind, sender, gap) in enumerate(script, 1):
        at += gap
        extras: dict[str, dict[str, Any]] = {
            "plain": {},
            "long": {},
            "album": {"album": "A", "attachment": photo(number)},
            "photo": {"attachment": photo(number)},
        }
        text = LONG if kind == "long" else "x"
        inbound = message(text, number, chat=sender, sender=sender, sent_at=later(at), **extras[kind])
        entries.append(entry(inbound, number, stored_at=later(at)))
    parcels = assemble(entries, later(at + 100), RULES)
    assert parcels.look_again_at is None
    gone = [one for parcel in parcels.ready for one in parcel.entries]
    assert sorted(one.entry for one in gone) == list(range(1, len(entries) + 1))
    for sender in ("1001", "1002"):
        order = [one.entry for one in gone if one.chat == sender]
        assert order == sorted(order)


def test_looking_again_at_the_named_time_makes_progress() -> None:
    parts = [album_part(1), entry(message("look", 2, chat="1002", sender="1002", attachment=photo(2)), 2)]
    first = assemble(parts, NOON, RULES)
    assert first.look_again_at is not None
    assert assemble(parts, first.look_again_at, RULES).ready
