"""The next session of a project takes over from the one that has ended, and nobody else does."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.ids import SessionId
from telegram_channel.core.succession import CLOCKS_DIFFER, Tenure, heirs
from tests.values import later

SHOP, WEB = "/srv/shop", "/srv/web"


def tenure(name: str, project: str = SHOP, start_s: float = 0, end_s: float | None = None) -> Tenure:
    return Tenure(SessionId(name), project, later(start_s), None if end_s is None else later(end_s))


GONE = tenure("gone", end_s=60)


@pytest.mark.parametrize(
    ("living", "expected"),
    [
        ([tenure("next", start_s=60)], "next"),
        ([tenure("later", start_s=90), tenure("next", start_s=70)], "next"),
        ([tenure("beside", start_s=30)], None),
        ([tenure("next", start_s=58)], "next"),
        ([tenure("beside", start_s=57.9)], None),
        ([tenure("beside", start_s=30), tenure("next", start_s=61)], "next"),
        ([tenure("elsewhere", WEB, start_s=61)], None),
        ([tenure("below", f"{SHOP}/api", start_s=61)], None),
        ([tenure("unknown", "", start_s=61)], None),
        ([], None),
        ([tenure("gone", start_s=61)], None),
    ],
)
def test_the_first_of_the_same_project_that_was_started_after_the_end_takes_over(
    living: list[Tenure], expected: str | None
) -> None:
    """MUST F109: the first session of the same project that was started after the end of another takes over from
    it."""
    assert heirs([GONE], living).get(GONE.session) == expected


def test_nobody_takes_over_from_a_session_whose_project_is_not_known() -> None:
    assert heirs([tenure("gone", "", end_s=60)], [tenure("next", "", start_s=61)]) == {}


def test_several_that_have_ended_have_the_same_successor() -> None:
    ended = [GONE, tenure("before", start_s=-60, end_s=-1)]
    assert heirs(ended, [tenure("next", start_s=61)]) == dict.fromkeys((GONE.session, SessionId("before")), "next")


def test_a_successor_that_has_ended_is_followed_by_its_own() -> None:
    ended = [GONE, tenure("next", start_s=61, end_s=90)]
    assert heirs(ended, [tenure("last", start_s=95)]) == dict.fromkeys((GONE.session, SessionId("next")), "last")


MOMENTS = st.integers(0, 5).map(later)


def tenures(ends: st.SearchStrategy[datetime | None]) -> st.SearchStrategy[list[Tenure]]:
    names = st.sampled_from([SessionId(one) for one in "abcdef"])
    return st.lists(st.builds(Tenure, names, st.sampled_from([SHOP, WEB, ""]), MOMENTS, ends), max_size=6)


@given(tenures(MOMENTS), tenures(st.none()))
def test_a_successor_lives_works_on_the_same_and_was_not_there_before(
    ended: list[Tenure], living: list[Tenure]
) -> None:
    found = heirs(ended, living)
    alive = {one.session for one in living}
    for gone, heir in found.items():
        assert gone not in alive
        assert any(
            one.project == was.project != "" and was.ended_at and one.started_at >= was.ended_at - CLOCKS_DIFFER
            for was in ended
            for one in living
            if (was.session, one.session) == (gone, heir)
        )


def test_nobody_takes_over_from_a_session_that_may_not_have_ended() -> None:
    assert heirs([tenure("gone")], [tenure("next", start_s=1)]) == {}
