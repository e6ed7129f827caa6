"""At most one topic per session and chat, never two sessions in one, and nothing touched without need."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.ids import ChatId, SessionId, ThreadId
from telegram_channel.core.routing import Member, TopicBinding
from telegram_channel.core.topics import (
    AwaitRelease,
    GiveBack,
    Open,
    Rename,
    Reopen,
    Step,
    Take,
    TidyingPlan,
    TopicKey,
    key_of,
    left_since,
    next_step,
    own_topic,
    tidying,
)

TEAM, OTHERS = ChatId("-1"), ChatId("-2")
ME, YOU, DEAD = SessionId("me"), SessionId("you"), SessionId("dead")
SHOP, BLOG = "/src/shop", "/src/blog"
I_AM = Member(ME, "shop", SHOP)
LIVING = frozenset({ME, YOU})
AFTER_S = 10.0


def topic(
    session: SessionId | None = ME,
    thread: str = "71",
    project: str = SHOP,
    name: str = "shop",
    chat: ChatId = TEAM,
    *,
    is_open: bool = True,
) -> TopicBinding:
    return TopicBinding(chat, ThreadId(thread), project, session, name, is_open)


@pytest.mark.parametrize(
    ("bindings", "step"),
    [
        ([], Open(TEAM, "shop")),
        ([topic()], None),
        ([topic(chat=OTHERS)], Open(TEAM, "shop")),
        ([topic(name="shop 2")], Rename(topic(name="shop 2"), "shop")),
        ([topic(is_open=False)], Reopen(topic(is_open=False))),
        ([topic(name="old", is_open=False)], Reopen(topic(name="old", is_open=False))),
        # A topic of another session is nobody else's, and so is one of another project.
        ([topic(YOU)], Open(TEAM, "shop")),
        ([topic(None, project=BLOG)], Open(TEAM, "shop")),
        ([topic(DEAD, project=BLOG)], Open(TEAM, "shop")),
        ([topic(None)], Take(TEAM, SHOP)),
        ([topic(None, is_open=False)], Take(TEAM, SHOP)),
        ([topic(DEAD)], AwaitRelease(TEAM)),
        ([topic(DEAD), topic(None, "72")], Take(TEAM, SHOP)),
        ([topic(None), topic(ME, "72")], None),
        ([topic(DEAD), topic(ME, "72")], None),
        # Two of its own, from wherever: the open one, else the oldest, is kept.
        ([topic(), topic(ME, "72")], GiveBack(topic(ME, "72"))),
        ([topic(is_open=False), topic(ME, "72")], GiveBack(topic(is_open=False))),
    ],
)
def test_one_step_at_a_time_towards_one_open_topic_of_its_own(
    bindings: list[TopicBinding], step: Step | None
) -> None:
    """MUST F14: a session has one topic in a chat, its own or one its project left, and changes what is not right."""
    assert next_step(I_AM, TEAM, bindings, LIVING) == step


def test_without_a_known_project_nothing_is_inherited() -> None:
    """MUST F15: sessions whose project is not known never inherit a topic from each other."""
    nameless = Member(ME, "session", "")
    for left in (topic(None, project=""), topic(DEAD, project="")):
        assert next_step(nameless, TEAM, [left], LIVING) == Open(TEAM, "session")


MEMBERS = (Member(YOU, "blog", BLOG),)


@pytest.mark.parametrize(
    ("bindings", "members", "since_s", "plan"),
    [
        ([topic(YOU, project=BLOG)], MEMBERS, 0, TidyingPlan()),
        ([topic(DEAD)], MEMBERS, 0, TidyingPlan(close=(topic(DEAD),))),
        ([topic(DEAD)], MEMBERS, 0.5, TidyingPlan(look_again_in_s=0.5)),
        ([topic(DEAD)], (), 0, TidyingPlan(close=(topic(DEAD),))),
        ([topic(None)], MEMBERS, 0, TidyingPlan(close=(topic(None),))),
        ([topic(None, is_open=False)], MEMBERS, 0, TidyingPlan()),
        # Somebody waits for it.
        ([topic(DEAD)], (I_AM,), 0, TidyingPlan(hand_over=(topic(DEAD),))),
        ([topic(DEAD)], (I_AM,), 3, TidyingPlan(look_again_in_s=3)),
        ([topic(DEAD), topic(DEAD, "72")], (I_AM,), 0, TidyingPlan((topic(DEAD),), (topic(DEAD, "72"),))),
        # It has one, here or free already; or waits in another chat only; or nobody can inherit.
        ([topic(DEAD), topic(ME, "72")], (I_AM,), 0, TidyingPlan(close=(topic(DEAD),))),
        ([topic(DEAD), topic(None, "72", is_open=False)], (I_AM,), 0, TidyingPlan(close=(topic(DEAD),))),
        ([topic(DEAD), topic(ME, chat=OTHERS)], (I_AM,), 0, TidyingPlan(hand_over=(topic(DEAD),))),
        ([topic(DEAD, project="")], (Member(ME, "x", ""),), 0, TidyingPlan(close=(topic(DEAD, project=""),))),
    ],
)
def test_what_a_session_leaves_is_handed_over_or_closed(
    bindings: list[TopicBinding], members: tuple[Member, ...], since_s: float, plan: TidyingPlan
) -> None:
    """MUST F16: the topic of a session that has ended is closed, or kept open for one of its project that waits."""
    since = {key_of(one): since_s for one in bindings}
    assert tidying(bindings, members, AFTER_S, since, AFTER_S) == plan


def test_a_session_that_comes_back_starts_the_wait_anew() -> None:
    gone = left_since({}, [topic(DEAD)], {ME}, 3.0)
    assert gone == {key_of(topic(DEAD)): 3.0}
    assert left_since(gone, [topic(DEAD)], {ME}, 9.0) == gone
    assert left_since(gone, [topic(DEAD)], {ME, DEAD}, 9.0) == {}
    handed_over = topic(None)
    assert left_since(gone, [handed_over], {ME}, 9.0) == {key_of(handed_over): 9.0}


class Town:
    """Sessions that come and go, and the topics of two chats; every step is one that a process would take."""

    def __init__(self) -> None:
        self.members: dict[SessionId, Member] = {}
        self.book: dict[tuple[ChatId, ThreadId], TopicBinding] = {}
        self.since: Mapping[TopicKey, float] = {}
        self.now_s = 0.0
        self.opened = 0

    @property
    def bindings(self) -> list[TopicBinding]:
        return list(self.book.values())

    def put(self, binding: TopicBinding) -> None:
        before = self.book.get((binding.chat, binding.thread))
        if before and before.session in self.members:
            assert binding.session == before.session, "a living session lost its topic"
        self.book[binding.chat, binding.thread] = binding

    def step(self, session: SessionId, chat: ChatId) -> Step | None:
        me = self.members[session]
        step = next_step(me, chat, self.bindings, self.members)
        match step:
            case Open():
                self.opened += 1
                self.put(TopicBinding(chat, ThreadId(str(self.opened)), me.project, session, step.name))
            case Take():
                free = next(
                    one for one in self.bindings if (one.chat, one.project, one.session) == (chat, me.project, None)
                )
                self.put(replace(free, session=session))
            case Reopen(topic=found):
                assert not found.is_open
                self.put(replace(found, is_open=True))
            case Rename(topic=found, name=name):
                assert found.name != name
                self.put(replace(found, name=name))
            case GiveBack():
                raise AssertionError("nobody ever has two")
            case AwaitRelease() | None:
                pass
        return step

    def tidy(self, seconds: float) -> None:
        self.now_s += seconds
        self.since = left_since(self.since, self.bindings, self.members, self.now_s)
        plan = tidying(self.bindings, tuple(self.members.values()), self.now_s, self.since, AFTER_S)
        for one in plan.hand_over:
            self.put(replace(one, session=None))
        for one in plan.close:
            if one.project:
                self.put(replace(one, session=None, is_open=False))
            else:
                del self.book[one.chat, one.thread]

    def check(self) -> None:
        had = [(one.chat, one.session) for one in self.bindings if one.session]
        assert len(had) == len(set(had)), "two topics of one session in a chat"

    def settle(self) -> None:
        for _ in range(6):
            self.tidy(AFTER_S)
            for session in self.members:
                for chat in (TEAM, OTHERS):
                    while self.step(session, chat) not in (None, AwaitRelease(chat)):
                        self.check()


COMING = st.tuples(
    st.just("start"), st.sampled_from("abcdef"), st.sampled_from([SHOP, BLOG, ""]), st.sampled_from("xyz")
)
GOING = st.tuples(st.just("end"), st.sampled_from("abcdef"), st.none(), st.none())
STEPPING = st.tuples(st.just("step"), st.sampled_from("abcdef"), st.sampled_from([TEAM, OTHERS]), st.none())
TIDYING = st.tuples(st.just("tidy"), st.none(), st.sampled_from([1.0, 5.0, 11.0]), st.none())


@given(st.lists(st.one_of(COMING, GOING, STEPPING, TIDYING), max_size=40))
def test_however_sessions_come_and_go_each_has_one_topic_and_each_topic_one_session(
    events: list[tuple[str, ...]],
) -> None:
    """MUST F17: a session has at most one topic in a chat, and no two living sessions ever have the same."""
    town = Town()
    for kind, who, what, name in events:
        session = SessionId(who)
        if kind == "start" and session not in town.members:
            town.members[session] = Member(session, name, what)
        elif kind == "start":
            town.members[session] = replace(town.members[session], label=name)
        elif kind == "end":
            town.members.pop(session, None)
        elif kind == "step" and session in town.members:
            town.step(session, ChatId(what))
        elif kind == "tidy":
            town.tidy(float(what))
        town.check()
    town.settle()
    for member in town.members.values():
        for chat in (TEAM, OTHERS):
            own = own_topic(town.bindings, chat, member.session)
            assert own is not None
            assert (own.is_open, own.name) == (True, member.label)
    for one in town.bindings:
        assert one.session in town.members or (one.session is None and not one.is_open and one.project)
    before = town.bindings
    town.settle()
    assert town.bindings == before, "nothing is left to be done"


def test_ten_sessions_after_each_other_share_one_topic() -> None:
    """MUST F18: the next session of the same project takes its topic over."""
    town = Town()
    for number in range(10):
        session = SessionId(f"s{number}")
        town.members = {session: Member(session, "shop", SHOP)}
        town.settle()
    assert town.opened == 2  # one in each chat
