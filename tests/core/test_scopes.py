"""Which sessions a limit leaves open."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.ids import SessionId
from telegram_channel.core.scopes import in_order, in_words, leaves_open, tidy
from telegram_channel.core.session_names import Named, members
from tests.values import NOON

HOME = "/home/ann"
SHOP = f"{HOME}/shop"


@pytest.mark.parametrize(
    ("name", "label", "project", "branch", "expected"),
    [
        # A project's name covers every session of it, whatever people call it.
        ("shop", "shop", SHOP, "", True),
        ("shop", "shop 2", SHOP, "", True),
        ("shop", "shop/login", SHOP, "login", True),
        ("shop", "shop/login 3", SHOP, "login", True),
        ("shop", "shop", "", "", True),
        ("shop", "shop/login", "", "", True),
        (" SHOP ", "shop", SHOP, "", True),
        ("\uff53\uff48\uff4f\uff50", "shop", SHOP, "", True),
        ("straße", "STRASSE", "/x/STRASSE", "", True),
        ("my  shop", "my shop", f"{HOME}/my shop", "", True),
        ("shop", "shop", r"C:\Users\Ann\shop", "", True),
        ("shop", "shop", "C:/Users/Ann/shop/", "", True),
        # A name with a branch covers that branch, also where its label does not say it.
        ("shop/login", "shop", SHOP, "login", True),
        ("shop/login", "shop/login", SHOP, "", True),
        ("shop/login", "shop/login 2", SHOP, "", True),
        ("shop/login", "shop 2", SHOP, "login", True),
        ("shop/fix/one", "shop", SHOP, "fix/one", True),
        ("shop/login", "shop", SHOP, "main", False),
        ("shop/login", "shop", SHOP, "", False),
        ("shop/login", "blog", f"{HOME}/blog", "login", False),
        ("login", "shop/login", SHOP, "login", False),
        # A directory is that directory.
        (SHOP, "anything", SHOP, "", True),
        (f"{SHOP}/", "shop", SHOP, "", True),
        (SHOP, "shop", "/home/bob/shop", "", False),
        (SHOP, "shop", "/home/Ann/shop", "", False),
        (SHOP, "login", f"{SHOP}/login", "", False),
        (HOME, "shop", SHOP, "", False),
        ("/", "shop", SHOP, "", False),
        ("/", "shop", "", "", False),
        ("/", "/", "/", "", True),
        (r"C:\work\shop", "shop", r"C:\work\shop", "", True),
        # A number names nothing: tomorrow it is another session's.
        ("shop 2", "shop 2", SHOP, "", False),
        ("shop/login 2", "shop/login 2", SHOP, "login", False),
        ("shop 2", "shop 2", "", "", False),
        ("shop", "shop 2", "", "", False),
        # A project that is really called so is that project.
        ("shop 2", "shop 2", f"{HOME}/shop 2", "", True),
        ("shop", "shop 2", f"{HOME}/shop 2", "", False),
        # What only looks like it is something else.
        ("shop", "shopping", f"{HOME}/shopping", "", False),
        ("sho", "shop", SHOP, "", False),
        ("shop", "blog", f"{HOME}/blog", "", False),
        ("shop", "shop", f"{HOME}/blog", "", False),
        ("shop/login", "shop\uff0flogin", f"{HOME}/shop\uff0flogin", "", False),
        ("shop", r"evil\shop", rf"{HOME}/evil\shop", "", False),
        # Of what nothing is known, nobody can say that it is meant.
        ("shop", "", "", "", False),
        ("session", "session", "/", "", False),
    ],
)
def test_a_name_covers_what_it_names(name: str, label: str, project: str, branch: str, expected: bool) -> None:
    """MUST O23: a limit covers a project, a branch of it or a directory; what is in doubt is closed."""
    assert leaves_open({name}, label, project, branch) is expected
    assert leaves_open({"other", name}, label, project, branch) is expected


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_no_names_are_no_limit(label: str, project: str, branch: str) -> None:
    assert leaves_open(frozenset(), label, project, branch)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["shop", "shop 2", "Shop", "shop 2 2", "blog", "long" * 12]),
            st.sampled_from(["", "main", "login", "2", "a/b"]),
            st.sampled_from(["/a", "/b"]),
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(["shop", "shop 2", "shop/main", "shop/2", "blog/a/b", "/a/shop", "long" * 12]),
)
def test_whoever_else_is_running_changes_nothing_about_who_is_covered(
    running: list[tuple[str, str, str]], name: str
) -> None:
    """MUST O24: what a limit covers does not change because another session starts or ends."""
    named = [
        Named(SessionId(f"s{number}"), last, NOON + timedelta(seconds=number), f"{above}/{last}", branch)
        for number, (last, branch, above) in enumerate(running)
    ]
    for one, member in zip(named, members(named), strict=True):
        [alone] = members([one])
        expected = leaves_open({name}, alone.label, one.project, one.branch)
        assert leaves_open({name}, member.label, member.project, one.branch) is expected
        project, _, branch = name.partition("/")
        if not name.startswith("/"):
            assert expected is (one.name.casefold() == project.casefold() and (not branch or one.branch == branch))


def test_a_typed_limit_has_each_name_once_and_no_blank_ones() -> None:
    assert tidy(["shop", " Shop", "\uff53\uff48\uff4f\uff50", "", "  ", "blog "]) == {"shop", "blog"}
    assert tidy(["/a/Shop", "/a/shop"]) == {"/a/Shop", "/a/shop"}
    assert tidy([]) == tidy([" "]) == frozenset()


def test_a_limit_is_listed_in_one_order() -> None:
    assert in_order({"b", "A", "a", "c"}) == ["A", "a", "b", "c"]
    assert in_words({"shop/login", "blog"}) == '"blog", "shop/login"'
    assert in_words(()) == ""


@given(st.sets(st.text(max_size=8), max_size=4), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_no_name_and_no_session_breaks_the_comparison(only: set[str], label: str, project: str, branch: str) -> None:
    assert leaves_open(tidy(only), label, project, branch) in (True, False)
