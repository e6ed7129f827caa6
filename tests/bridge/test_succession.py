"""The next session of a project takes over, in every way there is, and nobody else does: a house of sessions."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from telegram_channel.core.access import Role, Sender, with_sender
from telegram_channel.core.ids import ChatId, SenderId, SessionId, ThreadId, UpdateId
from telegram_channel.core.inbox import DeliveryState, Intake, Move
from telegram_channel.core.messages import Batch
from telegram_channel.core.outgoing import Uncertain
from telegram_channel.core.routing import TopicBinding
from telegram_channel.storage.memory import MemoryStore
from telegram_channel.storage.memory_inbox import MemoryInbox
from tests.bridge.house import ANN, BOB, TEAM, House
from tests.values import NOON

SHOP, WEB, AGAIN = SessionId("shop"), SessionId("website"), SessionId("shop again")


async def limit(house: House, who: str, *only: str) -> None:
    """From now on somebody may write to these projects alone."""
    person = Sender(SenderId(who), Role.SENDER, who, NOON, "pair", welcomed=True, only=frozenset(only))
    await house.store.access.transact(lambda state: (with_sender(state, person), None, ()))


async def given_to(house: House, session: SessionId) -> list[str]:
    """What is due for a session, in order."""
    return [getattr(one.inbound, "text", "") for one in await house.store.inbox.due(session=session)]


async def everything_meant_for_shop() -> House:
    """Ann chose one of three sessions; something was said to it in every way there is, and stored for it."""
    house = await House().open("shop", "website", "blog")
    await house.store.routes.choose(ChatId(ANN), SHOP)
    await house.store.routes.bind(TopicBinding(ChatId(TEAM), ThreadId("7"), "/srv/shop", SHOP, "shop"))
    await house.wrote("shop", "600")
    await house.say("chosen")
    await house.answer("replied", "600")
    await house.say("/to shop named")
    await house.say("in its topic", chat=TEAM, thread=ThreadId("7"))
    return house


ALL_OF_IT = ("chosen", "replied", "named", "in its topic")


async def test_the_next_session_of_the_project_gets_everything_that_was_for_the_one_that_ended() -> None:
    """MUST F101: what was for a session that has ended goes to its successor, unasked, and so does the chat's
    choice."""
    house = await everything_meant_for_shop()
    house.chat.sent.clear()
    await house.emitted("named")
    await house.leaves("shop")
    await house.begins("shop again", "shop")
    await house.settled()
    assert house.destinations() == dict.fromkeys(ALL_OF_IT, "shop again")
    assert house.reasons() == {"chosen": "chosen", "replied": "reply", "named": "named", "in its topic": "topic"}
    assert {getattr(one.inbound, "text", "") for one in house.entries() if one.redelivered} == {"named"}
    assert {one.state for one in house.entries()} == {DeliveryState.STORED}
    await house.say("chosen later")
    await house.answer("replied later", "600")
    await house.say("later in its topic", chat=TEAM, thread=ThreadId("7"))
    assert set(house.destinations().values()) == {"shop again"}
    assert house.chat.sent == []
    await house.say("/sessions")
    assert "✓ shop" in house.asked(ANN), "it is what the chat has chosen"


async def test_what_a_killed_session_left_waits_for_it_until_its_successor_is_there() -> None:
    """MUST F102: a successor gets what a killed session left as soon as it is there."""
    house = await everything_meant_for_shop()
    await house.dies("shop")
    await house.settled()
    await house.passes(5)
    assert house.destinations() == dict.fromkeys(ALL_OF_IT, "shop")
    await house.begins("shop again", "shop")
    await house.settled()
    assert house.destinations() == dict.fromkeys(ALL_OF_IT, "shop again")
    assert [(one.record.session, one.heir) for one in await house.store.sessions.ended()] == [("shop", "shop again")]


async def test_a_button_of_a_session_that_has_ended_means_its_successor() -> None:
    """MUST F103: a button of a session that has ended means its successor, where there is one."""
    house = await House().open("shop", "website")
    await house.say("one")
    await house.leaves("shop")
    asked = "501"
    await house.begins("shop again", "shop")
    assert await house.press("shop", on=asked) == (
        "What you write here goes to shop from now on. So does the message that waited."
    )
    assert house.destinations() == {"one": "shop again"}


async def test_a_session_that_ran_beside_the_one_that_ended_inherits_nothing() -> None:
    """MUST F104: a session that was there before another ended inherits nothing of it."""
    house = await everything_meant_for_shop()
    await house.begins("shop too", "shop")
    await house.passes(60)
    await house.leaves("shop")
    await house.passes(11)
    assert house.destinations() == {"chosen": None, "replied": "shop", "named": "shop", "in its topic": "shop"}


async def test_what_was_kept_for_a_session_goes_to_its_successor_before_what_comes_later() -> None:
    """MUST F105: a successor hears what was left for it before what comes later from the same chat."""
    house = await everything_meant_for_shop()
    await house.leaves("shop")
    await house.passes(11)
    await house.begins("shop again", "shop")
    # A batch that comes before anybody has looked who is there now.
    await house.reception.take(Batch((house.said("later"),), None, drained=True))
    assert await given_to(house, AGAIN) == [*ALL_OF_IT, "later"]


async def test_a_topic_that_was_given_back_is_the_next_sessions_at_once() -> None:
    """MUST F106: what is said in a topic that its session gave back goes to the next session of the project."""
    house = await House().open("website", "blog")
    await house.store.routes.choose(ChatId(TEAM), WEB)
    await house.store.routes.bind(TopicBinding(ChatId(TEAM), ThreadId("7"), "/srv/shop", None, "shop"))
    await house.say("nobody is there", chat=TEAM, thread=ThreadId("7"))
    await house.begins("shop", "shop")
    await house.say("one is", chat=TEAM, thread=ThreadId("7"))
    assert house.destinations() == {"nobody is there": "website", "one is": "shop"}


async def test_what_its_sender_may_not_say_to_the_successor_is_not_given_to_it() -> None:
    """MUST F107: a successor that is not open to the sender gets nothing of theirs."""
    house = await House().open("shop", "website")
    await house.store.routes.bind(TopicBinding(ChatId(TEAM), ThreadId("7"), "/srv/shop", SHOP, "shop"))
    await house.say("from Bob", BOB, TEAM, thread=ThreadId("7"))
    await house.leaves("shop")
    await limit(house, BOB, "website")
    await house.begins("shop again", "shop")
    await house.passes(11)
    assert house.destinations()["from Bob"] != "shop again"


class TestWhatItsSenderMayNotSay:
    """A successor may be closed to whoever meant the session before it: then it inherits nothing of theirs."""

    @staticmethod
    async def for_the_main_branch() -> House:
        house = await House().open("website")
        await house.begins("main", "shop", branch="main")
        await house.take()
        await limit(house, BOB, "shop/main", "website")
        await house.wrote("main", "600", BOB)
        await house.answer("for main", "600", BOB)
        await house.emitted("for main")
        await house.leaves("main")
        return house

    async def test_it_is_offered_to_those_that_are_open_and_to_no_others(self) -> None:
        """MUST F111: an offer names only sessions that are open to whoever wrote what it is about."""
        house = await self.for_the_main_branch()
        await house.begins("login", "shop", branch="login")
        await house.begins("secret")
        for _ in range(3):
            await house.passes(10)
        assert house.asked(BOB) == ["Give to website", "Keep waiting"]
        assert house.destinations() == {"for main": "main"}

    async def test_a_standing_offer_does_not_say_that_the_successor_gets_it(self) -> None:
        house = await self.for_the_main_branch()
        await house.passes(11)
        assert house.asked(BOB) == ["Give to website", "Keep waiting"]
        await house.begins("login", "shop", branch="login")
        await house.passes(11)
        assert not any("running again" in one.text for one in house.chat.edits)
        await house.press("Give to website", BOB)
        assert house.destinations() == {"for main": "website"}


async def test_an_offer_that_comes_late_says_nothing_about_what_the_successor_has() -> None:
    """MUST F112: what a session was given because it took over counts as news for it, whatever chats were told
    before."""
    house = await House().open("shop", "website")
    await house.say("/to shop one")
    await house.leaves("shop")
    gate = house.chat.hold(ANN)  # the offer is on its way
    await house.passes(11)
    await house.begins("shop again", "shop")
    await house.settled()
    await house.emitted("one")
    gate.set()
    await house.settled()
    [entry] = house.entries()
    assert (entry.session, entry.noticed) == ("shop again", False)
    assert house.chat.edits[-1].buttons == (), "nobody has to decide it any more"


class SlowInbox(MemoryInbox):
    """A disk that takes its time: meanwhile this happens."""

    def __init__(self, store: MemoryStore, *meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(store)
        self._meanwhile = meanwhile

    async def ingest(self, intake: Intake, cursor: UpdateId | None) -> None:
        """Store, late."""
        for happens in self._meanwhile:
            await happens()
        await super().ingest(intake, cursor)


async def test_a_session_that_leaves_while_a_message_for_it_is_stored_strands_it() -> None:
    """MUST F113: a message that is stored for a session which has left meanwhile is looked after."""
    house = await House().open("shop", "website")
    await house.store.routes.choose(ChatId(ANN), SHOP)
    house.store.inbox = SlowInbox(house.store, lambda: house.leaves("shop"), house.dispatch.step)
    said = house.said("one")
    await house.reception.take(Batch((said,), said.update, drained=True))
    await house.passes(11)
    assert house.destinations() == {"one": "website"}


async def test_of_an_offer_in_a_group_what_may_not_be_given_stays_offered() -> None:
    """MUST F114: a press of an offer gives what its senders may say there, and the rest stays offered."""
    house = await House().open("shop", "website", "blog")
    await house.store.routes.bind(TopicBinding(ChatId(TEAM), ThreadId("7"), "/srv/shop", SHOP, "shop"))
    await limit(house, BOB, "shop", "blog")
    await house.leaves("shop")
    await house.say("Bob's", BOB, TEAM, thread=ThreadId("7"))
    await house.say("Ann's", ANN, TEAM, thread=ThreadId("7"))
    await house.passes(11)
    answer = await house.press("Give to website", ANN, TEAM, thread=ThreadId("7"))
    assert answer == "What may go there goes to website. 1 message stays: its sender may not write to it."
    await house.passes(3)
    assert house.destinations() == {"Bob's": "shop", "Ann's": "website"}
    shown = [button.label for row in house.chat.edits[-1].buttons for button in row]
    assert shown == ["Give to blog", "Keep waiting"]
    assert await house.press("Give to blog", ANN, TEAM, thread=ThreadId("7")) == "What was kept goes to blog."


async def test_an_offer_that_may_not_have_arrived_is_made_once_more() -> None:
    """MUST F115: an offer that may not have arrived is made once more after a minute, and no third time."""
    house = await House().open("shop", "website")
    house.chat.will("send", Uncertain("broke"))
    house.chat.will("send", Uncertain("broke"))
    await house.say("/to shop one")
    await house.leaves("shop")
    await house.passes(11)
    assert len(house.chat.sent) == 1
    for expected in (1, 2, 2, 2, 2):
        await house.clock.advance(45)
        await house.dispatch.step(changed=False)  # nothing else happens
        await house.clock.settle()
        assert len(house.chat.sent) == expected
    assert house.entries()[0].noticed


async def test_a_reply_never_goes_to_the_choice_while_it_is_found_out_who_is_gone() -> None:
    house = await House().open("shop", "website", "blog")
    await house.store.routes.choose(ChatId(ANN), WEB)
    await house.wrote("shop", "600")
    await house.dies("shop")
    await house.settled()
    await house.passes(9.5)
    await house.clock.advance(1)  # ten seconds are over, and nobody has looked yet
    await house.answer("replied", "600")
    assert house.destinations() == {"replied": "shop"}


async def test_what_waited_for_nobody_does_not_overtake_what_was_kept() -> None:
    """MUST F105: a successor hears what was left for it before what comes later from the same chat."""
    house = await House().open("shop", "website", "blog")
    await house.wrote("shop", "600")
    await house.leaves("shop")
    await house.answer("kept", "600")
    await house.say("asked about")
    await house.passes(11)
    await house.leaves("website")
    await house.leaves("blog")
    await house.begins("shop again", "shop")
    other = house.said("hi", BOB)
    await house.reception.take(Batch((other,), other.update, drained=True))
    assert await given_to(house, AGAIN) == ["kept", "asked about", "hi"]


async def test_a_correction_of_what_the_old_session_heard_is_for_its_successor_in_order() -> None:
    """MUST F116: a correction of what a session heard that has ended is for its successor."""
    house = await House().open("shop", "website")
    await house.store.routes.choose(ChatId(ANN), SHOP)
    first = await house.say("first")
    await house.emitted("first")
    ids = tuple(one.entry for one in house.entries())
    await house.store.inbox.advance([Move(ids, (DeliveryState.EMITTED,), DeliveryState.ANSWERED)])
    await house.leaves("shop")
    await house.begins("shop again", "shop")
    await house.passes(30)
    edit = replace(house.said("corrected", number=int(first.message), edited=True), update=UpdateId(90_001))
    later = replace(house.said("later"), update=UpdateId(90_002))
    await house.reception.take(Batch((edit, later), later.update, drained=True))
    assert await given_to(house, AGAIN) == ["corrected", "later"]


@pytest.mark.parametrize("wait_s", [0, 5, 11])
async def test_a_name_that_the_successor_has_now_is_not_ambiguous(wait_s: float) -> None:
    """MUST F117: the name of a session that has ended is its successor's as soon as that has it."""
    house = await House().open("shop", "website")
    await house.say("/to shop before")
    await house.dies("shop")
    await house.settled()
    await house.passes(wait_s)
    await house.begins("shop again", "shop")
    named = house.said("/to shop after")
    await house.reception.take(Batch((named,), named.update, drained=True))
    assert await given_to(house, AGAIN) == ["before", "after"]
    assert not any("may be" in one for one in house.chat.texts(ANN))


async def test_a_clock_that_jumps_forward_ends_no_session() -> None:
    """MUST F25: a clock that is set makes no living session a dead one for good."""
    house = await House().open("shop", "website")
    await house.store.routes.choose(ChatId(ANN), SHOP)
    await house.passes(5)
    pid = next(one.pid for one in await house.store.sessions.list() if one.session == SHOP)
    house.clock.set_forward(timedelta(hours=1))
    house.alive[pid] = False  # it seems to have been started after it was heard of last
    await house.passes(3)
    await house.say("one")
    house.alive[pid] = True
    await house.store.sessions.heartbeat(SHOP, pid, house.clock.now())
    await house.passes(60)
    assert house.destinations() == {"one": "shop"}
