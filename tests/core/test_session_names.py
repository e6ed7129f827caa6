"""People can call each living session by a name of its own."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.ids import SessionId
from telegram_channel.core.routing import Member
from telegram_channel.core.session_names import (
    MOST_LABEL_UNITS,
    Addressed,
    AddressOutcome,
    Ambiguous,
    Named,
    NoSuchMember,
    addressed,
    find_member,
    labels,
    members,
)
from telegram_channel.core.text import utf16_len
from telegram_channel.core.visible import visible
from tests.values import later


def named(*sessions: tuple[str, str]) -> list[Named]:
    """Sessions `s0`, `s1`, … by start, of these names and branches."""
    return [
        Named(SessionId(f"s{number}"), name, later(number), f"/srv/{name}", branch)
        for number, (name, branch) in enumerate(sessions)
    ]


def called(*names: str) -> tuple[Member, ...]:
    return tuple(Member(SessionId(f"s{number}"), name, "") for number, name in enumerate(names))


@pytest.mark.parametrize(
    ("sessions", "expected"),
    [
        ([("shop", "main")], ["shop"]),
        ([("shop", "main"), ("web", "main")], ["shop", "web"]),
        ([("shop", "main"), ("shop", "fix")], ["shop/main", "shop/fix"]),
        ([("shop", "main"), ("shop", "main"), ("shop", "main")], ["shop", "shop 2", "shop 3"]),
        ([("shop", ""), ("shop", "")], ["shop", "shop 2"]),
        ([("shop", ""), ("shop", "fix")], ["shop", "shop/fix"]),
        ([("shop", "main"), ("shop", "main"), ("shop", "fix")], ["shop/main", "shop/main 2", "shop/fix"]),
        ([("Shop", "main"), ("shop", "main")], ["Shop", "shop 2"]),
        ([("shop", ""), ("shop", ""), ("SHOP 2", "")], ["shop", "shop 3", "SHOP 2"]),
        ([("", ""), ("  ", "")], ["session", "session 2"]),
        ([("a\nb\u202e", "")], ["a␊b⟨U+202E⟩"]),
        ([("n" * 50, "x"), ("n" * 50, "y")], ["n" * 37 + "…/x", "n" * 37 + "…/y"]),
        ([("n" * 50, "x" * 50), ("n" * 50, "y")], ["n" * 18 + "…/" + "x" * 19 + "…", "n" * 37 + "…/y"]),
        ([("n" * 50, ""), ("n" * 60, "")], ["n" * 39 + "…", "n" * 37 + "… 2"]),
    ],
)
def test_a_session_is_called_as_its_project_with_what_tells_it_from_others(
    sessions: list[tuple[str, str]], expected: list[str]
) -> None:
    """MUST F6: a session is called by its project, with its branch or a number where others have the same name."""
    assert list(labels(named(*sessions)).values()) == expected


def test_of_a_session_that_is_there_twice_the_last_process_counts() -> None:
    before, after = Named(SessionId("s"), "old", later(0), "/old"), Named(SessionId("s"), "new", later(1), "/new")
    assert members([after, before]) == (Member(SessionId("s"), "new", "/new"),)


NO_LABEL = "x" * (MOST_LABEL_UNITS + 1)
NASTY = st.text(alphabet="aA/ 2…ßẞ\n\u200b🙂\u0301¨\u017f", max_size=45) | st.text(max_size=60)


@st.composite
def crowds(draw: st.DrawFn) -> list[Named]:
    names = draw(st.lists(st.tuples(NASTY, NASTY), max_size=8))
    seconds = draw(st.lists(st.integers(0, 3), min_size=len(names), max_size=len(names)))
    return [
        Named(SessionId(f"s{number}"), name, later(seconds[number]), name, branch)
        for number, (name, branch) in enumerate(names)
    ]


@given(st.data(), crowds())
def test_labels_are_unique_visible_short_and_always_the_same(data: st.DataObject, crowd: list[Named]) -> None:
    """MUST F7: no two living sessions have the same label, in whatever letter case."""
    given_out = labels(crowd)
    assert set(given_out) == {one.session for one in crowd}
    folded = [unicodedata.normalize("NFKC", label).casefold() for label in given_out.values()]
    assert len(set(folded)) == len(crowd)
    for label in given_out.values():
        assert 0 < utf16_len(label) <= MOST_LABEL_UNITS
        assert label == visible(label, lines=False)
    mixed = data.draw(st.permutations(crowd))
    assert list(labels(mixed).items()) == list(given_out.items())


@given(crowds())
def test_everybody_is_found_by_their_own_label_in_any_letter_case(crowd: list[Named]) -> None:
    living = members(crowd)
    for one in living:
        for typed in (one.label, f"  {one.label} ", one.label.casefold()):
            assert find_member(living, typed) == one
        assert addressed(living, f"{one.label}\n{NO_LABEL}") == Addressed(one, NO_LABEL)


SHOP, SHOP_2, SHIPPING, FIX = PEOPLE = called("Shop", "Shop 2", "shipping", "web app/fix")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("shop", SHOP),
        ("SHOP", SHOP),
        ("\uff53\uff48\uff4f\uff50", SHOP),
        ("shop  2", SHOP_2),
        ("shi", SHIPPING),
        ("web", FIX),
        ("web app/f", FIX),
        ("sh", Ambiguous("sh", (SHOP, SHOP_2, SHIPPING))),
        ("shops", NoSuchMember("shops")),
        ("fix", NoSuchMember("fix")),
        ("", NoSuchMember("")),
        (" ", NoSuchMember("")),
    ],
)
def test_a_name_or_its_unique_beginning_finds_a_session(
    typed: str, expected: Member | Ambiguous | NoSuchMember
) -> None:
    """MUST F8: /use and /to take a label in any letter case, or the beginning of exactly one."""
    assert find_member(PEOPLE, typed) == expected


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("shop run it", Addressed(SHOP, "run it")),
        ("shop 2 run it", Addressed(SHOP_2, "run it")),
        ("shop 20 times", Addressed(SHOP, "20 times")),
        ("shi  run it", Addressed(SHIPPING, "run it")),
        ("web a new button", Addressed(FIX, "a new button")),
        ("web app/fix a new button", Addressed(FIX, "a new button")),
        ("shop\n    indented\n\nlines", Addressed(SHOP, "    indented\n\nlines")),
        ("shop", Addressed(SHOP, "")),
        ("sh run it", Ambiguous("sh", (SHOP, SHOP_2, SHIPPING))),
        ("nobody run it", NoSuchMember("nobody")),
        ("", NoSuchMember("")),
    ],
)
def test_to_takes_a_name_of_several_words_and_leaves_the_text_alone(rest: str, expected: AddressOutcome) -> None:
    """MUST F9: /to passes the text on without the command and the name, and nothing else is taken away from it."""
    assert addressed(PEOPLE, rest) == expected


def test_more_words_tell_apart_what_one_word_does_not() -> None:
    one, other = people = called("my project", "my other")
    assert addressed(people, "my pro text") == Addressed(one, "text")
    assert addressed(people, "my o text") == Addressed(other, "text")
    assert addressed((), "shop text") == NoSuchMember("shop")


def test_the_same_label_twice_is_never_a_guess() -> None:
    twins = called("shop", "SHOP")
    assert find_member(twins, "shop") == Ambiguous("shop", twins)
    assert addressed(twins, "shop text") == Ambiguous("shop", twins)
