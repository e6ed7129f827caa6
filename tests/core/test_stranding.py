"""What a session leaves behind when it dies is neither lost nor given to anybody who was not meant."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.ids import ChatId, EntryId, SessionId, ThreadId
from telegram_channel.core.inbox import DeliveryState, InboxEntry
from telegram_channel.core.routing import NOBODY, Why
from telegram_channel.core.stranding import RoutingRules, StrandedPlan, by_place, gone_since, restrand
from tests.values import NOON, entry, later, message, place

DEAD, ALIVE = SessionId("dead"), SessionId("alive")
LONG_GONE = {DEAD: NOON}
NOW = later(10)
STORED, EMITTED = DeliveryState.STORED, DeliveryState.EMITTED
OFFER, WAIT = RoutingRules(), RoutingRules(stranded="wait")
LOTS = ("anew", "offer", "wait", "notify", "give_up")


def left(number: int = 1, why: Why | None = Why.ALONE, state: DeliveryState = STORED, **more: Any) -> InboxEntry:
    """An entry that a dead session left behind."""
    return entry(number=number, session=more.pop("session", DEAD), why=why, state=state, **more)


def lots_of(plan: StrandedPlan, one: InboxEntry) -> list[str]:
    return [lot for lot in LOTS if one in getattr(plan, lot)]


@pytest.mark.parametrize(("why", "state", "rules"), [*product([None, *Why], (STORED, EMITTED), (OFFER, WAIT))])
def test_who_was_meant_is_asked_about_and_everything_else_is_routed_anew(
    why: Why | None, state: DeliveryState, rules: RoutingRules
) -> None:
    """MUST F11: what was meant for a session that died is offered or waits, as configured; the rest is routed
    anew.
    """
    one = left(why=why, state=state)
    plan = restrand([one], {ALIVE}, NOW, LONG_GONE, rules)
    expected = rules.stranded if why and why.is_meant else "anew"
    assert lots_of(plan, one) == [expected]
    assert plan.back == ((one,) if state is EMITTED else ())
    assert plan.look_again_at is None


def test_a_session_that_comes_back_at_once_keeps_its_own() -> None:
    """MUST F12: nothing of a session is touched before it has been gone for a while: a restart keeps its own."""
    one = left(state=EMITTED)
    assert restrand([one], {ALIVE}, later(9.9), LONG_GONE) == StrandedPlan(look_again_at=later(10))
    assert restrand([one], {ALIVE}, NOW, {}) == StrandedPlan(look_again_at=later(20))
    assert restrand([one], {ALIVE, DEAD}, NOW, LONG_GONE) == StrandedPlan()
    assert restrand([one], {ALIVE}, NOW, LONG_GONE).anew == (one,)


def test_a_clock_that_was_set_back_keeps_nothing_waiting() -> None:
    one = left()
    assert restrand([one], {ALIVE}, later(-3600), LONG_GONE).anew == (one,)


@pytest.mark.parametrize("why", [None, *Why])
def test_what_was_given_twice_is_never_given_a_third_time(why: Why | None) -> None:
    """MUST F13: what two sessions were given without a sign of reading is told to the chat, not given once more."""
    twice = left(why=why, state=EMITTED, redelivered=True)
    told = replace(twice, noticed=True)
    for living in ({ALIVE}, set[SessionId]()):
        assert lots_of(restrand([twice], living, NOW, LONG_GONE), twice) == ["notify"]
        assert lots_of(restrand([told], living, NOW, LONG_GONE), told) == ["give_up"]
        assert not restrand([twice, told], living, NOW, LONG_GONE).back


def test_what_waits_to_be_given_again_is_still_given_once() -> None:
    again = left(state=STORED, redelivered=True)
    assert lots_of(restrand([again], {ALIVE}, NOW, LONG_GONE), again) == ["anew"]


@pytest.mark.parametrize("why", [None, *Why])
def test_while_nobody_else_is_alive_everything_waits_for_its_session(why: Why | None) -> None:
    one = left(why=why, state=EMITTED)
    plan = restrand([one], (), NOW, LONG_GONE)
    assert (plan.wait, plan.back, plan.anew, plan.offer) == ((one,), (one,), (), ())


def test_who_chose_to_keep_waiting_is_not_asked_again() -> None:
    first, second = left(1, Why.TOPIC), left(2, Why.TOPIC)
    plan = restrand([first, second], {ALIVE}, NOW, LONG_GONE, kept={EntryId(1)})
    assert (plan.wait, plan.offer) == ((first,), (second,))


ENTRIES = st.lists(
    st.builds(
        left,
        st.integers(1, 10**6),
        st.sampled_from([None, *Why]),
        st.sampled_from(DeliveryState),
        session=st.sampled_from([None, NOBODY, ALIVE, DEAD, SessionId("long dead"), SessionId("just dead")]),
        redelivered=st.booleans(),
        noticed=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda one: one.entry,
)


@given(ENTRIES, st.sampled_from([OFFER, WAIT]), st.booleans())
def test_each_is_dealt_with_in_one_way_and_in_order(
    entries: list[InboxEntry], rules: RoutingRules, somebody: bool
) -> None:
    gone = {DEAD: NOON, SessionId("long dead"): later(-999), SessionId("just dead"): later(3)}
    living = {ALIVE} if somebody else set[SessionId]()
    plan = restrand(entries, living, NOW, gone, rules)
    waits = False
    for one in entries:
        concerned = one.state in (STORED, EMITTED) and one.session and one.session not in living
        is_due = concerned and gone.get(one.session or NOBODY, NOW) <= NOON
        waits = waits or bool(concerned and not is_due)
        assert len(lots_of(plan, one)) == (1 if is_due else 0)
        assert (one in plan.back) <= (one.state is EMITTED and not one.redelivered)
    assert (plan.look_again_at is not None) is waits
    assert plan.look_again_at is None or plan.look_again_at > NOW
    for lot in ("back", *LOTS):
        positions = [entries.index(one) for one in getattr(plan, lot)]
        assert positions == sorted(positions)


def test_since_when_a_session_is_gone_is_remembered_until_it_is_back() -> None:
    one = left()
    first = gone_since({}, [one, entry(number=2)], {ALIVE}, NOON)
    assert first == {DEAD: NOON}
    assert gone_since(first, [one], {ALIVE}, NOW) == {DEAD: NOON}
    assert gone_since(first, [one], {ALIVE, DEAD}, NOW) == {}


def test_a_question_is_asked_once_in_each_chat_and_topic() -> None:
    general, other = entry(message(number=1), 1), entry(message(number=2), 2)
    topic = entry(message(number=3, place=place(thread=ThreadId("7"))), 3)
    assert by_place([general, topic, other]) == {
        (ChatId("1001"), None): (general, other),
        (ChatId("1001"), ThreadId("7")): (topic,),
    }
