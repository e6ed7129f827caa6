"""Every message is for exactly one session, or it is said why nobody can tell."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.ids import SessionId
from telegram_channel.core.routing import (
    NOBODY,
    Barred,
    Directed,
    Member,
    NobodyThere,
    Route,
    RoutingFacts,
    Stranded,
    Undecided,
    Why,
    route,
)

SHOP, WEB, DEAD = SessionId("shop"), SessionId("web"), SessionId("dead")
SHOP_MEMBER, WEB_MEMBER = Member(SHOP, "shop", "/srv/shop"), Member(WEB, "web", "/srv/web")
BOTH = (SHOP_MEMBER, WEB_MEMBER)


def facts(members: tuple[Member, ...] = BOTH, **named: Any) -> RoutingFacts:
    return replace(RoutingFacts(members), **named)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (facts(bound=SHOP, author=WEB, chosen=WEB), Directed(SHOP, Why.TOPIC)),
        (facts(author=SHOP, chosen=WEB), Directed(SHOP, Why.REPLY)),
        (facts(chosen=WEB), Directed(WEB, Why.CHOSEN)),
        (facts((SHOP_MEMBER,)), Directed(SHOP, Why.ALONE)),
        (facts((SHOP_MEMBER,), chosen=SHOP), Directed(SHOP, Why.CHOSEN)),
        (facts(), Undecided(BOTH)),
        (facts(addressed=WEB, bound=SHOP, author=SHOP, chosen=SHOP), Directed(WEB, Why.NAMED)),
        (facts(addressed=DEAD, bound=SHOP), Stranded(DEAD, Why.NAMED)),
        (facts(bound=DEAD, author=SHOP, chosen=WEB), Stranded(DEAD, Why.TOPIC)),
        (facts(author=DEAD, chosen=WEB), Stranded(DEAD, Why.REPLY)),
        (facts((WEB_MEMBER,), author=DEAD), Stranded(DEAD, Why.REPLY)),
        (facts((), author=DEAD), Stranded(DEAD, Why.REPLY)),
        (facts(author=DEAD, barred=frozenset({DEAD})), Barred(DEAD, Why.REPLY)),
        (facts(author=DEAD, chosen=WEB, recent=frozenset({DEAD})), Stranded(DEAD, Why.REPLY)),
        (facts(chosen=DEAD, recent=frozenset({DEAD})), Stranded(DEAD, Why.CHOSEN)),
        (facts((WEB_MEMBER,), chosen=DEAD, recent=frozenset({DEAD})), Stranded(DEAD, Why.CHOSEN)),
        (facts(chosen=DEAD), Undecided(BOTH)),
        (facts((WEB_MEMBER,), chosen=DEAD), Directed(WEB, Why.ALONE)),
        (facts((), chosen=DEAD), NobodyThere()),
        (facts(()), NobodyThere()),
        (facts(bound=NOBODY, author=NOBODY, chosen=NOBODY), Undecided(BOTH)),
        (facts((SHOP_MEMBER, SHOP_MEMBER)), Directed(SHOP, Why.ALONE)),
    ],
)
def test_the_first_rule_that_applies_decides(known: RoutingFacts, expected: Route) -> None:
    """MUST F1: a message goes to the session of its topic, else to the one it answers, else to the chat's choice,
    else to the only one; with several and none chosen nobody gets it until somebody says."""
    assert route(known) == expected


NAMED = (None, SHOP, WEB, DEAD)
RULES = (("addressed", Why.NAMED), ("bound", Why.TOPIC), ("author", Why.REPLY), ("chosen", Why.CHOSEN))


@pytest.mark.parametrize("members", [(), (SHOP_MEMBER,), (WEB_MEMBER,), BOTH], ids=len)
def test_the_order_of_the_rules_holds_for_every_combination(members: tuple[Member, ...]) -> None:
    """MUST F2: whoever names a session, writes in its topic or replies to it is never sent to one that has no part
    in it; a dead choice is none."""
    alive = {one.session for one in members}
    for back, *values in product((False, True), *[NAMED] * 4):
        recent = frozenset({DEAD} if back else ())
        known = dict(zip((name for name, _ in RULES), values, strict=True))
        result = route(facts(members, **known, recent=recent))
        there = alive | recent
        named = [(known[name], why) for name, why in RULES if known[name] and (why.is_meant or known[name] in there)]
        match result:
            case Directed(session, Why.ALONE):
                assert not named
                assert alive == {session}
            case Directed(session, why):
                assert (session, why) == named[0]
                assert session in alive
            case Stranded(session, why):
                assert (session, why) == named[0]
                assert session not in alive
            case Undecided(asked):
                assert not named
                assert asked == members
                assert len(asked) > 1
            case NobodyThere():
                assert not named
                assert not members
            case Barred():
                pytest.fail("nothing is barred here")


def test_what_is_not_open_to_the_sender_gets_nothing_now_or_later() -> None:
    """MUST F3: a session that is not open to a sender gets nothing of theirs, whether it is alive or not."""
    barred = frozenset({DEAD})
    for rule, why in RULES[:3]:
        meant: dict[str, Any] = {rule: DEAD}
        assert route(facts(**meant, barred=barred)) == Barred(DEAD, why)
    assert route(RoutingFacts(BOTH, chosen=DEAD, barred=barred)) == Undecided(BOTH)


IDS = st.sampled_from([SessionId(one) for one in "abcdef"])
MAYBE = st.none() | IDS


@given(
    st.lists(IDS, max_size=5).map(lambda ids: tuple(Member(one, one, "") for one in ids)),
    st.fixed_dictionaries({name: MAYBE for name, _ in RULES}),
    st.frozensets(IDS, max_size=3),
)
def test_a_result_names_one_living_session_or_says_why_not(
    members: tuple[Member, ...], named: dict[str, SessionId | None], barred: frozenset[SessionId]
) -> None:
    """MUST F4: exactly one session gets a message, and only a living one."""
    alive = {one.session for one in members} - barred
    match route(facts(members, **named, barred=barred)):
        case Directed(session, _):
            assert session in alive
        case Undecided(asked):
            assert len(asked) > 1
            assert {one.session for one in asked} == alive
        case Stranded(session, why):
            assert session not in alive | barred
            assert why.is_meant
        case Barred(session, why):
            assert session in barred
            assert why.is_meant
        case NobodyThere():
            assert not alive
