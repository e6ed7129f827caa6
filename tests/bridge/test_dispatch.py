"""What is for nobody yet is asked about once, and what was for a session that has ended finds its way."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from telegram_channel.core.ids import ChatId, MessageId, SessionId, ThreadId
from telegram_channel.core.inbox import DeliveryState, Move
from telegram_channel.core.messages import Batch
from telegram_channel.core.outgoing import Refused, Uncertain
from telegram_channel.core.routing import Question, TopicBinding
from telegram_channel.core.stranding import RoutingRules
from telegram_channel.errors import StateUnwritable
from tests.bridge.house import ANN, BOB, TEAM, House
from tests.values import NOON
from tests.waiting import eventually, running

SHOP, WEB = SessionId("shop"), SessionId("website")


async def test_with_several_sessions_and_none_chosen_the_bot_asks_once_and_what_waits_follows_the_answer() -> None:
    """MUST F27: with several sessions and none chosen, the chat is asked once, and what waits follows the answer."""
    house = await House().open("shop", "website")
    first = await house.say("one")
    await house.say("two")
    await house.passes(60)
    assert house.destinations() == {"one": None, "two": None}
    [question] = house.chat.sent
    assert question.reply_to == first.message
    assert house.asked(ANN) == ["shop", "website"]
    assert await house.press("website") == (
        "What you write here goes to website from now on. So do the 2 messages that waited."
    )
    await house.say("three")
    assert house.destinations() == {"one": "website", "two": "website", "three": "website"}
    assert house.reasons() == {"one": "answered", "two": "answered", "three": "chosen"}
    assert [(one.text, one.buttons) for one in house.chat.edits] == [("For website. /use changes it.", ())]
    assert await house.store.routes.questions() == ()
    assert len(house.chat.sent) == 1


async def test_each_topic_is_asked_by_itself_and_the_answer_holds_for_the_chat() -> None:
    house = await House().open("shop", "website")
    await house.say("in general", chat=TEAM)
    await house.say("in a topic", BOB, TEAM, thread=ThreadId("7"))
    await house.say("alone")
    assert [(one.chat, one.thread) for one in house.chat.sent] == [(TEAM, None), (TEAM, "7"), (ANN, None)]
    await house.press("shop", BOB, TEAM)
    assert house.destinations() == {"in general": "shop", "in a topic": "shop", "alone": None}
    assert {one.message for one in house.chat.edits} == {"501", "502"}


async def test_a_question_is_not_asked_again_by_whoever_polls_next() -> None:
    house = await House().open("shop", "website")
    await house.say("one")
    next_one = House(database=house.store.database)
    next_one.alive = house.alive
    await next_one.settled()
    assert next_one.chat.sent == []
    [shown] = next_one.chat.edits
    assert [button.label for row in shown.buttons for button in row] == ["shop", "website"]


async def test_the_buttons_follow_the_sessions_and_the_only_one_left_needs_no_answer() -> None:
    """MUST F28: when one session alone is left, what waits goes to it."""
    house = await House().open("shop", "website")
    await house.say("one")
    await house.begins("blog")
    await house.settled()
    assert [button.label for row in house.chat.edits[-1].buttons for button in row] == ["shop", "website", "blog"]
    await house.dies("website")
    await house.dies("shop")
    await house.settled()
    assert house.destinations() == {"one": "blog"}
    assert house.chat.edits[-1].text == "Only blog is still running, so this is for it."
    assert house.chat.edits[-1].buttons == ()


async def test_a_button_of_a_session_that_has_ended_says_so_and_shows_the_living() -> None:
    """MUST F29: a stale button is answered with the truth, and changes nothing."""
    house = await House().open("shop", "website", "blog")
    await house.say("one")
    await house.dies("website")
    assert await house.press("website") == ("!That session is not running any more. /sessions lists those that are.")
    assert house.destinations() == {"one": None}
    assert [button.label for row in house.chat.edits[-1].buttons for button in row] == ["shop", "blog"]


async def test_a_message_while_no_session_lives_waits_for_the_next_one() -> None:
    """MUST F30: what comes while no session is alive waits, and goes to the next one."""
    house = await House().open()
    await house.say("one")
    assert house.destinations() == {"one": None}
    await house.begins("shop")
    await house.settled()
    assert house.destinations() == {"one": "shop"}
    assert house.chat.sent == []


async def test_nothing_overtakes_what_waited() -> None:
    """MUST F31: messages of a chat reach a session in order, also when they had to wait for a choice."""
    house = await House().open("shop", "website")
    await house.say("one")
    await house.store.routes.choose(ChatId(ANN), SHOP)
    # A batch that comes before anybody has looked at what waits.
    batch = [house.said("two"), house.said("three")]
    await house.take(*batch)
    assert list(house.destinations()) == ["one", "two", "three"]
    assert set(house.destinations().values()) == {"shop"}


async def test_a_choice_counts_for_what_came_before_it_in_the_same_batch_too() -> None:
    house = await House().open("shop", "website")
    await house.take(house.said("one"), house.said("/use website"), house.said("two"))
    assert house.destinations() == {"one": "website", "two": "website"}
    assert house.chat.texts(ANN) == ["What you write here goes to website from now on."]


async def test_a_chat_that_cannot_be_asked_is_tried_again_but_never_blindly() -> None:
    house = await House().open("shop", "website")
    house.chat.will("send", Refused("flood"), Uncertain("the connection broke"))
    await house.say("one")
    await house.passes(30)
    assert len(house.chat.sent) == 1
    await house.passes(31)
    assert len(house.chat.sent) == 2
    await house.passes(500)
    assert len(house.chat.sent) == 2
    await house.passes(101)
    assert len(house.chat.sent) == 3
    assert len(await house.store.routes.questions()) == 1


async def test_of_questions_that_are_settled_nothing_is_remembered() -> None:
    """MUST F99: what is remembered of a chat goes with its reason, so that a long life needs no more memory."""
    house = await House().open("shop", "website")
    house.chat.will("send", Refused("flood"))
    await house.say("refused", chat=TEAM)
    await house.say("asked")
    await house.store.routes.settle_question(ChatId(ANN), None)  # another process has put it away
    await house.store.inbox.advance(
        [Move(tuple(one.entry for one in house.entries()), (DeliveryState.STORED,), DeliveryState.EXPIRED)]
    )
    await house.passes(61)
    questions = house.dispatch.questions
    await questions.step({}, await house.roster.members())
    assert not [kept for kept in vars(questions).values() if isinstance(kept, dict | set) and kept]


async def test_where_the_topic_is_gone_the_question_goes_to_the_chat() -> None:
    house = await House().open("shop", "website")
    house.chat.will("send", Refused("no such topic", topic_gone=True))
    await house.say("one", chat=TEAM, thread=ThreadId("7"))
    assert [one.thread for one in house.chat.sent] == ["7", None]
    await house.press("shop", ANN, TEAM)
    assert house.destinations() == {"one": "shop"}


async def test_of_two_processes_that_ask_the_second_takes_its_question_back() -> None:
    house = await House().open("shop", "website")
    gate = house.chat.hold(ANN)
    await house.say("one")
    await house.store.routes.ask(Question(ChatId(ANN), None, MessageId("77"), NOON))
    gate.set()
    await house.settled()
    assert (house.chat.edits[0].message, house.chat.edits[0].buttons) == ("501", ())
    [standing] = await house.store.routes.questions()
    assert standing.message == "77"


async def test_whoever_was_put_out_meanwhile_is_not_heard() -> None:
    house = await House().open("shop", "website")
    await house.say("one", BOB)

    def put_out(state: Any) -> Any:
        groups = {chat: replace(group, senders=frozenset()) for chat, group in state.groups.items()}
        senders = {who: one for who, one in state.senders.items() if who != BOB}
        return replace(state, senders=senders, groups=groups), None, ()

    await house.store.access.transact(put_out)
    await house.settled()
    assert [one.state for one in house.entries()] == [DeliveryState.EXPIRED]


async def test_a_full_disk_delays_and_loses_nothing() -> None:
    house = await House().open("shop")
    async with running(house.dispatch.run()):
        await house.clock.settle()
        house.store.fault = StateUnwritable("The disk is full.")
        house.store.changed()
        await house.clock.advance(3)
        house.store.fault = None
        await house.clock.advance(3)
        await house.begins("website")
        await house.clock.settle()
        said = house.said("one")
        await house.reception.take(Batch((said,), said.update, drained=True))
        await eventually(lambda: len(house.chat.sent) == 1)


async def test_two_processes_that_poll_for_a_moment_never_direct_one_message_to_two_sessions() -> None:
    """MUST F100: two processes never direct one message to two sessions."""
    house = await House().open("shop", "website")
    await house.say("one")
    await house.say("two", BOB)
    late = House(database=house.store.database)
    late.alive = house.alive
    await house.store.routes.choose(ChatId(ANN), WEB)
    advance = late.store.inbox.advance

    async def a_moment_later(moves: Sequence[Move], *, durable: bool = True) -> int:
        await house.store.routes.choose(ChatId(ANN), SHOP)
        await house.dispatch.direct()
        return await advance(moves, durable=durable)

    late.store.inbox.advance = a_moment_later  # type: ignore[method-assign]  # the other one is quicker
    await late.dispatch.direct()
    assert house.destinations() == {"one": "shop", "two": None}


async def test_as_long_as_nothing_changes_no_message_waits_for_a_look_at_the_list() -> None:
    house = await House().open("shop")
    looks: list[str] = []
    listed, bindings = house.store.sessions.list, house.store.routes.bindings

    async def noted_list() -> Any:
        looks.append("sessions")
        return await listed()

    async def noted_bindings() -> Any:
        looks.append("topics")
        return await bindings()

    async with running(house.dispatch.run()):
        await house.clock.settle()
        house.store.sessions.list = noted_list  # type: ignore[method-assign]  # counts the looks of the real one
        house.store.routes.bindings = noted_bindings  # type: ignore[method-assign]  # the same
        look = await house.router.look([house.said("one")])
        assert look.members
        assert looks == []
        await house.begins("website")  # and at once a message: nobody has followed the change yet
        assert len((await house.router.look([house.said("two")])).members) == 2
        assert set(looks) == {"sessions", "topics"}


# What was for a session that has ended.


async def test_what_was_meant_for_nobody_in_particular_goes_to_the_only_one_left() -> None:
    """MUST F32: what was not meant for a session in particular is routed anew when it has ended."""
    house = await House().open("shop", "website")
    await house.store.routes.choose(ChatId(ANN), SHOP)
    await house.say("stored")
    await house.say("given")
    await house.emitted("given")
    await house.dies("shop")
    await house.settled()
    await house.passes(5)
    assert house.destinations() == {"stored": "shop", "given": "shop"}
    await house.passes(6)
    assert house.destinations() == {"stored": "website", "given": "website"}
    stored, given = house.entries()
    assert (stored.state, stored.redelivered, given.state, given.redelivered) == (
        DeliveryState.STORED,
        False,
        DeliveryState.STORED,
        True,
    )


async def test_a_restart_under_the_same_id_keeps_its_own() -> None:
    """MUST F33: a session that comes back within ten seconds keeps its messages."""
    house = await House().open("shop", "website")
    await house.store.routes.choose(ChatId(ANN), SHOP)
    await house.say("stored")
    await house.dies("shop")
    await house.passes(8)
    await house.begins("shop")
    await house.passes(60)
    assert house.destinations() == {"stored": "shop"}


async def test_with_several_left_the_chat_is_asked() -> None:
    house = await House().open("shop", "website", "blog")
    await house.store.routes.choose(ChatId(ANN), SHOP)
    await house.say("one")
    await house.dies("shop")
    await house.settled()
    await house.passes(11)
    assert house.destinations() == {"one": None}
    assert house.asked(ANN) == ["website", "blog"]
    await house.press("blog")
    assert house.destinations() == {"one": "blog"}


async def meant_for_shop(rules: RoutingRules | None = None) -> House:
    """Ann replies twice to a session that has just ended; another lives."""
    house = await House(rules).open("shop", "website")
    await house.wrote("shop", "600")
    await house.dies("shop")
    await house.answer("one", "600")
    await house.answer("two", "600")
    await house.passes(11)
    return house


async def test_what_was_meant_for_a_session_that_ended_is_offered_once_and_given_by_button() -> None:
    """MUST F34: what was meant for a session that has ended goes to another only if a person says so."""
    house = await meant_for_shop()
    await house.passes(60)
    [offer] = house.chat.sent
    assert house.chat.texts(ANN) == [
        "shop is not running any more, and 2 messages here are for it. "
        "Shall another one have them? Until you choose, I keep them."
    ]
    assert offer.reply_to == house.entries()[0].message
    assert house.asked(ANN) == ["Give to website", "Keep waiting"]
    assert house.destinations() == {"one": "shop", "two": "shop"}
    assert await house.press("Give to website") == "What was kept goes to website."
    assert house.destinations() == {"one": "website", "two": "website"}
    assert not any(one.noticed for one in house.entries())
    assert await house.store.routes.chosen(ChatId(ANN)) is None
    assert house.chat.edits[-1].text == "What was kept goes to website."
    assert await house.press("Give to website") == "!That is settled already, so nothing was changed."


async def test_keep_waiting_means_that_nobody_is_asked_again() -> None:
    house = await meant_for_shop()
    assert (
        await house.press("Keep waiting") == "shop is not running. What was meant for it is kept until it comes back."
    )
    await house.passes(600)
    assert len(house.chat.sent) == 1
    await house.begins("shop")
    await house.passes(5)
    assert [one.session for one in await house.store.inbox.due(session=SHOP)] == ["shop", "shop"]


async def test_an_offer_grows_with_what_is_added_and_ends_when_the_session_is_back() -> None:
    house = await House().open("shop", "website")
    await house.store.routes.bind(TopicBinding(ChatId(TEAM), ThreadId("7"), "/srv/shop", SHOP, "shop"))
    await house.dies("shop")
    for text in ("one", "two"):
        await house.say(text, chat=TEAM, thread=ThreadId("7"))
    await house.passes(11)
    await house.say("three", chat=TEAM, thread=ThreadId("7"))
    await house.passes(11)
    assert len(house.chat.sent) == 1
    assert "3 messages here are for it" in house.chat.edits[-1].text
    await house.begins("shop")
    await house.passes(5)
    assert house.chat.edits[-1].text == "shop is running again and gets what was kept."
    assert house.chat.edits[-1].buttons == ()


async def test_after_a_change_of_the_poller_an_offer_is_not_repeated_and_its_buttons_work() -> None:
    house = await meant_for_shop()
    next_one = House(database=house.store.database)
    next_one.alive = house.alive
    await next_one.take()
    await next_one.passes(11)
    assert next_one.chat.sent == []
    next_one.chat.sent.extend(house.chat.sent)
    assert await next_one.press("Give to website") == "What was kept goes to website."
    assert next_one.destinations() == {"one": "website", "two": "website"}


async def test_where_it_is_configured_nothing_is_offered_and_it_waits() -> None:
    """MUST F35: with `stranded = wait`, what was meant for a session waits for it."""
    house = await meant_for_shop(RoutingRules(stranded="wait"))
    await house.passes(600)
    assert house.chat.texts(ANN) == ["shop is not running. What was meant for it is kept until it comes back."]
    assert house.chat.sent[0].buttons == ()
    assert house.destinations() == {"one": "shop", "two": "shop"}


async def test_what_was_given_twice_without_a_sign_is_told_and_given_up() -> None:
    house = await House().open("shop", "website")
    await house.say("/to shop one")
    await house.emitted("one")
    [entry] = house.entries()
    await house.store.inbox.advance([Move((entry.entry,), (DeliveryState.EMITTED,), redelivered=True)])
    await house.dies("shop")
    await house.settled()
    await house.passes(11)
    assert "no sign of having read it" in house.chat.texts(ANN)[0]
    await house.passes(11)
    assert [one.state for one in house.entries()] == [DeliveryState.EXPIRED]
    assert len(house.chat.sent) == 1


async def test_what_may_go_anywhere_is_not_overtaken_by_what_comes_later() -> None:
    """MUST F36: order within a chat holds also when a session has ended."""
    house = await House().open("shop", "website")
    await house.store.routes.choose(ChatId(ANN), SHOP)
    await house.say("one")
    await house.dies("shop")
    await house.settled()
    await house.say("two")
    assert house.destinations() == {"one": "shop", "two": "shop"}, "it may be back in a moment"
    await house.passes(11)
    await house.say("three")
    assert house.destinations() == {"one": "website", "two": "website", "three": "website"}


async def test_a_restart_keeps_the_name_and_the_chats_of_a_session() -> None:
    """MUST F37: for ten seconds after its end a session is still meant by its name, and by the chats that chose
    it."""
    house = await House().open("shop", "website")
    await house.store.routes.choose(ChatId(ANN), SHOP)
    await house.wrote("shop", "600")
    await house.dies("shop")
    await house.say("chosen")
    await house.say("/to shop named")
    await house.answer("replied", "600")
    assert house.destinations() == {"chosen": "shop", "named": "shop", "replied": "shop"}
    await house.begins("shop")
    await house.passes(11)
    assert house.destinations() == {"chosen": "shop", "named": "shop", "replied": "shop"}
    assert house.chat.sent == []


async def test_a_reply_to_a_session_that_ended_long_ago_is_offered_whatever_the_chat_has_chosen() -> None:
    """MUST F38: a reply to the words of a session that has ended goes to its successor, and without one is
    offered."""
    house = await House().open("shop", "website", "blog")
    await house.store.routes.choose(ChatId(ANN), WEB)
    await house.wrote("shop", "600")
    await house.dies("shop")
    await house.settled()
    await house.passes(11)
    await house.say("chosen")
    await house.answer("replied", "600")
    await house.settled()
    assert house.destinations() == {"chosen": "website", "replied": "shop"}
    assert house.asked(ANN) == ["Give to website", "Give to blog", "Keep waiting"]
    await house.begins("shop again", "shop")
    await house.passes(3)
    assert house.destinations() == {"chosen": "website", "replied": "shop again"}
    assert house.chat.edits[-1].text == "shop is running again and gets what was kept."


async def test_a_topic_whose_session_has_ended_is_offered_there() -> None:
    house = await House().open("shop", "website")
    await house.store.routes.bind(TopicBinding(ChatId(TEAM), ThreadId("7"), "/srv/shop", SHOP, "shop"))
    await house.dies("shop")
    await house.say("one", chat=TEAM, thread=ThreadId("7"))
    await house.passes(11)
    [offer] = house.chat.sent
    assert (offer.chat, offer.thread) == (TEAM, "7")
    await house.press("Give to website", ANN, TEAM, thread=ThreadId("7"))
    assert house.destinations() == {"one": "website"}


@pytest.mark.parametrize("outcome", [Refused("gone", closed=True), Refused("flood")])
async def test_an_offer_that_was_refused_is_made_again_where_the_chat_is_open(outcome: Refused) -> None:
    house = await House().open("shop", "website")
    house.chat.will("send", outcome)
    await house.say("/to shop one")
    await house.dies("shop")
    await house.settled()
    await house.passes(11)
    assert len(house.chat.sent) == 1
    for _ in range(3):
        await house.passes(3)
    assert len(house.chat.sent) == (1 if outcome.closed else 2)
