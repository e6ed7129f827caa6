"""The next session of a project takes over from the one that has ended, and nobody else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.ids import SessionId
from telegram_channel.core.succession import Begun, Ended, heir_of, heirs
from tests.values import later

SHOP, WEB = "/srv/shop", "/srv/web"


def begun(name: str, project: str = SHOP, began_s: float = 0) -> Begun:
    return Begun(SessionId(name), project, later(began_s))


GONE = Ended(SessionId("gone"), SHOP, later(60))


@pytest.mark.parametrize(
    ("living", "expected"),
    [
        ([begun("next", began_s=60)], "next"),
        ([begun("later", began_s=90), begun("next", began_s=70)], "next"),
        ([begun("beside", began_s=30)], None),
        ([begun("next", began_s=58)], "next"),
        ([begun("beside", began_s=57.9)], None),
        ([begun("beside", began_s=30), begun("next", began_s=61)], "next"),
        ([begun("elsewhere", WEB, began_s=61)], None),
        ([begun("below", f"{SHOP}/api", began_s=61)], None),
        ([begun("unknown", "", began_s=61)], None),
        ([], None),
        ([begun("gone", began_s=61)], None),
    ],
)
def test_the_first_of_the_same_project_that_began_after_the_end_takes_over(
    living: list[Begun], expected: str | None
) -> None:
    """MUST F109: the first session of the same project that was started after the end of another takes over from
    it."""
    assert heir_of(GONE, living) == expected


def test_nobody_takes_over_from_a_session_whose_project_is_not_known() -> None:
    assert heir_of(Ended(SessionId("gone"), "", later(60)), [begun("next", "", began_s=61)]) is None


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        ({}, {}),
        ({"a": None}, {}),
        ({"a": "b"}, {"a": "b"}),
        ({"a": "b", "b": None}, {"a": "b"}),
        ({"a": "b", "b": "c"}, {"a": "c", "b": "c"}),
        ({"a": "c", "b": "c", "c": "d"}, {"a": "d", "b": "d", "c": "d"}),
    ],
)
def test_who_stands_for_a_session_is_the_last_of_its_line(
    ended: dict[SessionId, SessionId | None], expected: dict[SessionId, SessionId]
) -> None:
    """MUST F110: whoever is meant by the name of a session that has ended is the last of its line of heirs."""
    assert heirs(ended) == expected


NAMES = st.sampled_from([SessionId(one) for one in "abcdef"])


@given(st.dictionaries(NAMES, st.none() | NAMES))
def test_a_line_has_an_end_whatever_is_stored(ended: dict[SessionId, SessionId | None]) -> None:
    for gone, last in heirs(ended).items():
        assert ended[gone] is not None
        assert last in {*ended.values()}
