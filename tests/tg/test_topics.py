"""Topics: opened once, renamed, closed and reopened safely, and told apart from the chat when they are gone."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from telegram_channel.core.ids import ChatId, MessageId, ThreadId
from telegram_channel.core.messages import Ignorable, Inbound, InboundMessage
from telegram_channel.core.outgoing import (
    OutFile,
    OutMessage,
    Refused,
    SendOutcome,
    Sent,
    TopicOpened,
    TopicOutcome,
    Uncertain,
)
from telegram_channel.core.text import Plain
from telegram_channel.demo.botapi_world import Chat, Topic, member_view
from telegram_channel.ports import Chat as ChatPort
from telegram_channel.tg.topics import NAMELESS
from tests.clock import ManualClock
from tests.tg.server import Server, flood, ok, refused
from tests.tg.test_strict_server import Strict

TEAM = ChatId("-1005")
ANN = ChatId("1001")
TOPIC = ThreadId("12")
DONE = Sent(())
OPENED = ok({"message_thread_id": 12, "name": "web", "icon_color": 7322096})
NOT_MODIFIED = refused(400, "Bad Request: TOPIC_NOT_MODIFIED")
FORUM = ok(
    {
        "id": -1005,
        "type": "supergroup",
        "title": "Team",
        "is_forum": True,
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(
            ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
        ),
    }
)

Change = Callable[[ChatPort, ChatId, ThreadId], Coroutine[Any, Any, SendOutcome]]
CHANGES: dict[str, Change] = {
    "editForumTopic": lambda chat, where, topic: chat.rename_topic(where, topic, "web 2"),
    "closeForumTopic": lambda chat, where, topic: chat.close_topic(where, topic),
    "reopenForumTopic": lambda chat, where, topic: chat.reopen_topic(where, topic),
}


class Forum(Strict):
    """A group with topics in which the bot may manage them."""

    def __init__(
        self, status: str = "administrator", *, without: tuple[str, ...] = (), is_forum: bool = True
    ) -> None:
        super().__init__()
        self.forum = self.ann.create_group("Team", supergroup=True, is_forum=is_forum)
        self.ann.set_member(self.forum, self.bot, status, without=without)
        self.team = ChatId(str(self.forum.id))

    async def opened(self, name: str = "web") -> ThreadId:
        outcome = await self.chat.open_topic(self.team, name)
        assert isinstance(outcome, TopicOpened)
        return outcome.thread

    def topic(self, thread: ThreadId) -> Topic:
        return self.forum.topics[int(thread)]

    async def say(self, thread: ThreadId | None) -> SendOutcome:
        return await self.chat.send(OutMessage(self.team, Plain("hello"), thread=thread))

    async def read(self) -> list[Inbound]:
        return [one for batch in await self.poll() for one in batch.updates]


class PrivateTopics(Strict):
    """A private chat with topics."""

    def __init__(self) -> None:
        super().__init__()
        self.bot.has_topics = True


def texts_in(chat: Chat, thread: int | None) -> list[str]:
    return [one.text for one in chat.history() if one.text and one.thread == thread]


async def finished(call: Coroutine[Any, Any, Any], clock: ManualClock, seconds: float = 60) -> Any:
    """What a call returns, with time moved on while it is under way."""
    task = asyncio.create_task(call)
    await clock.advance(seconds)
    assert task.done(), "it still waits"
    return await task


# Opening


async def test_what_goes_to_an_opened_topic_arrives_in_it() -> None:
    strict = Forum()
    web, api = await strict.opened("web · main"), await strict.opened("api · main")
    assert isinstance(await strict.say(web), Sent)
    assert web != api
    assert strict.topic(web).name == "web · main"
    assert texts_in(strict.forum, int(web)) == ["hello"]
    assert texts_in(strict.forum, int(api)) == []
    assert strict.api.refused == []
    assert strict.api.complaints == []


@pytest.mark.parametrize(
    ("wished", "name"),
    [
        ("web · main", "web · main"),
        ("  two\nlines\there ", "two lines here"),
        ("x" * 200, "x" * 128),
        ("🦀" * 200, "🦀" * 128),
        ("safe\u202eevil", "safeevil"),
        ("", NAMELESS),
        (" \n\u200b", NAMELESS),
        ("\u200d \u200d", NAMELESS),
    ],
)
async def test_a_name_becomes_one_that_telegram_takes(wished: str, name: str) -> None:
    """MUST F82: The name of a topic is one line of 1 to 128 characters."""
    strict = Forum()
    assert strict.topic(await strict.opened(wished)).name == name
    web = await strict.opened("web")
    assert await strict.chat.rename_topic(strict.team, web, wished) == DONE
    assert strict.topic(web).name == name
    assert strict.api.refused == []


@pytest.mark.parametrize(
    ("forum", "words"),
    [
        (lambda: Forum(is_forum=False), "the chat is not a forum"),
        (lambda: Forum("member"), "not enough rights to create a topic"),
        (lambda: Forum(without=("can_manage_topics",)), "not enough rights to create a topic"),
    ],
)
async def test_where_no_topic_can_be_opened_the_reason_is_told(forum: Callable[[], Forum], words: str) -> None:
    strict = forum()
    outcome = await strict.chat.open_topic(strict.team, "web")
    assert isinstance(outcome, Refused)
    assert words in outcome.cause
    assert not outcome.closed
    assert not outcome.topic_gone


async def test_in_a_chat_that_is_closed_or_none_no_topic_is_opened() -> None:
    strict = Forum()
    strict.ann.set_member(strict.forum, strict.bot, "kicked")
    thrown_out = await strict.chat.open_topic(strict.team, "web")
    assert isinstance(thrown_out, Refused)
    assert thrown_out.closed
    calls = len(strict.api.acts)
    assert isinstance(await strict.chat.open_topic(ChatId("@team"), "web"), Refused)
    assert len(strict.api.acts) == calls


async def test_a_group_that_moved_says_where_to() -> None:
    server = Server()
    server.put("createForumTopic", refused(400, "Bad Request: group upgraded", migrate_to_chat_id=-1006))
    outcome = await server.chat().open_topic(TEAM, "web")
    assert isinstance(outcome, Refused)
    assert outcome.moved_to == "-1006"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(502, text="<html>"),
        refused(500, "Internal Server Error"),
        ok({"name": "web"}),
        ok(True),
    ],
)
async def test_a_topic_that_may_have_been_opened_is_not_opened_again(answer: Any) -> None:
    """MUST F83: A topic is never opened twice for one wish: what may have been carried out is not repeated."""
    server, clock = Server(), ManualClock()
    server.put("createForumTopic", answer, OPENED)
    outcome = await finished(server.chat(clock).open_topic(TEAM, "web"), clock)
    assert isinstance(outcome, Uncertain)
    assert len(server.requests) == 1


async def test_a_topic_that_was_certainly_not_opened_is_tried_again() -> None:
    server, clock = Server(), ManualClock()
    server.put("createForumTopic", httpx.ConnectError("no"), httpx.ConnectTimeout("no"), OPENED)
    assert await finished(server.chat(clock).open_topic(TEAM, "web"), clock) == TopicOpened(TOPIC)
    assert len(server.requests) == 3


async def test_a_pause_that_telegram_asks_for_is_kept_before_a_topic_is_opened() -> None:
    server, clock = Server(), ManualClock()
    server.put("createForumTopic", flood(20), OPENED)
    opening = asyncio.create_task(server.chat(clock).open_topic(TEAM, "web"))
    await clock.advance(19)
    assert len(server.requests) == 1
    await clock.advance(1)
    assert await opening == TopicOpened(TOPIC)


async def test_a_pause_that_is_too_long_refuses_the_topic() -> None:
    server, clock = Server(), ManualClock()
    server.put("createForumTopic", flood(300))
    outcome: TopicOutcome = await finished(server.chat(clock).open_topic(TEAM, "web"), clock, 0)
    assert isinstance(outcome, Refused)
    assert "wait 300 seconds" in outcome.cause
    assert len(server.requests) == 1


# Renaming, closing, reopening


async def test_a_topic_is_renamed_closed_and_reopened_as_often_as_one_likes() -> None:
    """MUST F84: What a topic is already is done, not failed."""
    strict = Forum()
    web = await strict.opened()
    for _ in range(2):
        assert await strict.chat.rename_topic(strict.team, web, "web · fix") == DONE
        assert strict.topic(web).name == "web · fix"
    for _ in range(2):
        assert await strict.chat.close_topic(strict.team, web) == DONE
        assert strict.topic(web).is_closed
    for _ in range(2):
        assert await strict.chat.reopen_topic(strict.team, web) == DONE
        assert not strict.topic(web).is_closed
    assert {act.refusal for act in strict.api.refused} == {"Bad Request: TOPIC_NOT_MODIFIED"}
    assert strict.api.complaints == []


async def test_an_own_topic_is_managed_without_the_right_to_manage_topics_and_no_other_is() -> None:
    strict = Forum()
    own = await strict.opened()
    anns = ThreadId(str(strict.ann.open_topic(strict.forum, "Lunch").thread))
    strict.ann.set_member(strict.forum, strict.bot, "administrator", without=("can_manage_topics",))
    assert await strict.chat.close_topic(strict.team, own) == DONE
    outcome = await strict.chat.close_topic(strict.team, anns)
    assert isinstance(outcome, Refused)
    assert "not enough rights" in outcome.cause
    assert not outcome.topic_gone


async def test_topics_of_private_chats_are_renamed_and_never_closed() -> None:
    strict = PrivateTopics()
    opened = await strict.chat.open_topic(strict.room, "web")
    assert isinstance(opened, TopicOpened)
    assert await strict.chat.rename_topic(strict.room, opened.thread, "api") == DONE
    topic = strict.ann.chat.topics[int(opened.thread)]
    assert topic.name == "api"
    calls = len(strict.api.acts)
    assert isinstance(await strict.chat.close_topic(strict.room, opened.thread), Refused)
    assert await strict.chat.reopen_topic(strict.room, opened.thread) == DONE
    assert len(strict.api.acts) == calls
    assert isinstance(await strict.chat.send(OutMessage(strict.room, Plain("hi"), thread=opened.thread)), Sent)
    strict.ann.delete_topic(strict.ann.chat, topic)
    outcome = await strict.chat.send(OutMessage(strict.room, Plain("hi"), thread=opened.thread))
    assert isinstance(outcome, Refused)
    assert outcome.topic_gone


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize(
    ("chat", "thread"), [(TEAM, ThreadId("1")), (TEAM, ThreadId("x")), (ChatId("-x"), TOPIC)], ids=str
)
async def test_the_general_topic_and_what_is_no_topic_are_refused_before_anything_leaves(
    method: str, chat: ChatId, thread: ThreadId
) -> None:
    server = Server()
    outcome = await CHANGES[method](server.chat(), chat, thread)
    assert isinstance(outcome, Refused)
    assert not outcome.topic_gone
    assert server.requests == []


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize("first", [httpx.ReadTimeout("late"), httpx.ConnectError("no"), flood(5)])
async def test_a_change_is_repeated_until_telegram_says_that_it_is_so(method: str, first: Any) -> None:
    """MUST F84: What a topic is already is done, not failed."""
    server, clock = Server(), ManualClock()
    server.put(method, first, NOT_MODIFIED)
    assert await finished(CHANGES[method](server.chat(clock), TEAM, TOPIC), clock) == DONE
    assert [request.method for request in server.requests] == [method] * 2


@pytest.mark.parametrize("method", CHANGES)
async def test_a_change_of_which_nobody_knows_whether_it_was_made_says_so(method: str) -> None:
    server, clock = Server(), ManualClock()
    server.put(method, *[httpx.ReadTimeout("late")] * 9)
    outcome = await finished(CHANGES[method](server.chat(clock), TEAM, TOPIC), clock)
    assert isinstance(outcome, Uncertain)


async def test_changes_of_one_chat_are_made_in_order_and_keep_no_answer_waiting() -> None:
    server, clock = Server(), ManualClock()
    chat = server.chat(clock)
    gate = asyncio.Event()

    async def when_opened() -> httpx.Response:
        await gate.wait()
        return ok(True)

    server.put("editForumTopic", when_opened)
    async with asyncio.TaskGroup() as group:
        group.create_task(chat.rename_topic(TEAM, TOPIC, "web"))
        group.create_task(chat.close_topic(TEAM, TOPIC))
        await clock.settle()
        assert isinstance(await chat.send(OutMessage(TEAM, Plain("x"), thread=TOPIC)), Sent)
        gate.set()
    assert [request.method for request in server.requests] == ["editForumTopic", "sendMessage", "closeForumTopic"]


# Gone


async def test_sending_into_a_deleted_topic_says_that_the_topic_is_gone_and_not_the_chat() -> None:
    """MUST F85: A topic that is gone is told apart from a chat that is closed."""
    strict = Forum()
    web, api = await strict.opened(), await strict.opened("api")
    strict.ann.delete_topic(strict.forum, strict.topic(web))
    outcome = await strict.say(web)
    assert isinstance(outcome, Refused)
    assert outcome.topic_gone
    assert not outcome.closed
    assert isinstance(await strict.say(api), Sent)
    assert isinstance(await strict.say(None), Sent)


async def test_sending_into_a_closed_topic_says_that_it_is_gone_until_it_is_reopened() -> None:
    """MUST F85: A topic that is gone is told apart from a chat that is closed."""
    strict = Forum("member")
    lunch = strict.ann.open_topic(strict.forum, "Lunch")
    thread = ThreadId(str(lunch.thread))
    assert isinstance(await strict.say(thread), Sent)
    strict.ann.close_topic(strict.forum, lunch)
    outcome = await strict.say(thread)
    assert isinstance(outcome, Refused)
    assert outcome.topic_gone
    strict.ann.reopen_topic(strict.forum, lunch)
    assert isinstance(await strict.say(thread), Sent)


async def test_a_bot_that_manages_topics_can_write_into_closed_ones() -> None:
    strict = Forum()
    web = await strict.opened()
    strict.ann.close_topic(strict.forum, strict.topic(web))
    assert isinstance(await strict.say(web), Sent)


@pytest.mark.parametrize("method", CHANGES)
async def test_a_change_of_a_deleted_topic_says_that_it_is_gone(method: str) -> None:
    """MUST F85: A topic that is gone is told apart from a chat that is closed."""
    strict = Forum()
    web = await strict.opened()
    strict.ann.delete_topic(strict.forum, strict.topic(web))
    outcome = await CHANGES[method](strict.chat, strict.team, web)
    assert isinstance(outcome, Refused)
    assert outcome.topic_gone
    assert not outcome.closed


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize(
    "words", ["message thread not found", "TOPIC_DELETED", "TOPIC_CLOSED", "TOPIC_ID_INVALID", "topic not found"]
)
async def test_every_way_to_say_that_a_topic_is_gone_is_understood(status: int, words: str) -> None:
    """MUST F85: A topic that is gone is told apart from a chat that is closed."""
    server = Server()
    answer = refused(status, f"{'Forbidden' if status == 403 else 'Bad Request'}: {words}")
    server.put("sendMessage", answer)
    server.put("sendDocument", answer)
    server.put("editMessageText", answer)
    chat = server.chat()
    file = OutFile("a.txt", content=b"a")
    for outcome in (
        await chat.send(OutMessage(TEAM, Plain("x"), thread=TOPIC)),
        await chat.send(OutMessage(TEAM, Plain(""), thread=TOPIC, files=(file,))),
        await chat.edit(TEAM, MessageId("7"), Plain("x")),
    ):
        assert isinstance(outcome, Refused)
        assert words in outcome.cause
        assert outcome.topic_gone
        assert not outcome.closed


async def test_only_telegram_can_say_that_a_topic_is_gone() -> None:
    server = Server()
    server.put("sendMessage", refused(500, "Internal Server Error: TOPIC_CLOSED"))
    missing = OutFile("topic_closed", Path("/does/not/exist/topic_closed"))
    outcome = await server.chat().send(OutMessage(TEAM, Plain(""), files=(missing,)))
    assert isinstance(outcome, Refused)
    assert not outcome.topic_gone
    assert isinstance(await server.chat().send(OutMessage(TEAM, Plain("x"), thread=TOPIC)), Uncertain)


# Whether a chat can have topics


@pytest.mark.parametrize(
    ("forum", "answer"),
    [
        (Forum, True),
        (lambda: Forum("creator"), True),
        (lambda: Forum(without=("can_manage_topics",)), False),
        (lambda: Forum("member"), False),
        (lambda: Forum(is_forum=False), False),
        (lambda: Forum("kicked"), None),
    ],
    ids=["may", "owner", "without the right", "member", "no forum", "thrown out"],
)
async def test_a_group_has_topics_for_us_when_it_is_a_forum_and_the_bot_may_manage_them(
    forum: Callable[[], Forum], answer: bool | None
) -> None:
    """MUST F86: Sessions get topics only where the bot is known to be able to open them."""
    strict = forum()
    assert await strict.chat.has_topics(strict.team) is answer
    assert isinstance(await strict.chat.open_topic(strict.team, "web"), TopicOpened) is (answer is True)
    assert strict.api.complaints == []


async def test_private_chats_have_topics_when_the_bot_has_them() -> None:
    """MUST F86: Sessions get topics only where the bot is known to be able to open them."""
    with_topics, without = PrivateTopics(), Strict()
    assert await with_topics.chat.has_topics(with_topics.room) is True
    assert (await with_topics.chat.identity()).private_topics
    assert await without.chat.has_topics(without.room) is False
    assert not (await without.chat.identity()).private_topics
    refusal = await without.chat.open_topic(without.room, "web")
    assert isinstance(refusal, Refused)
    assert "not a forum" in refusal.cause


def administrator(*, manages: bool = True) -> httpx.Response:
    withheld = frozenset() if manages else frozenset({"can_manage_topics"})
    return ok(member_view("administrator", {"id": 4242, "is_bot": True, "first_name": "Claude"}, withheld))


def asked(server: Server) -> int:
    return len(server.of("getChat"))


async def test_a_chat_is_asked_once_in_ten_minutes_whoever_wants_to_know() -> None:
    """MUST F87: Whether a chat can have topics is asked at most once in ten minutes."""
    server, clock = Server(), ManualClock()
    server.put("getChat", FORUM, FORUM)
    server.put("getChatMember", administrator(), administrator(manages=False))
    chat = server.chat(clock)
    assert await asyncio.gather(*(chat.has_topics(TEAM) for _ in range(5))) == [True] * 5
    await clock.advance(599)
    assert await chat.has_topics(TEAM) is True
    assert (asked(server), len(server.of("getChatMember"))) == (1, 1)
    await clock.advance(1)
    assert await chat.has_topics(TEAM) is False
    assert await chat.has_topics(TEAM) is False
    assert (asked(server), len(server.of("getChatMember"))) == (2, 2)


@pytest.mark.parametrize(
    ("answer", "pause_s"),
    [
        (httpx.ConnectError("no"), 60),
        (httpx.ReadTimeout("late"), 60),
        (refused(400, "Bad Request: strange"), 60),
        (refused(403, "Forbidden: bot was kicked"), 60),
        (ok({"id": -1005}), 60),
        (flood(5), 60),
        (flood(300), 300),
    ],
)
async def test_what_could_not_be_found_out_is_asked_again_after_a_while(answer: Any, pause_s: float) -> None:
    server, clock = Server(), ManualClock()
    server.put("getChat", answer, FORUM)
    server.put("getChatMember", administrator())
    chat = server.chat(clock)
    assert await chat.has_topics(TEAM) is None
    await clock.advance(pause_s - 1)
    assert await chat.has_topics(TEAM) is None
    assert asked(server) == 1
    await clock.advance(1)
    assert await chat.has_topics(TEAM) is True


async def test_without_an_identity_or_a_chat_nothing_is_known() -> None:
    server = Server()
    server.put("getMe", httpx.ConnectError("no"), httpx.ConnectError("no"))
    chat = server.chat()
    assert await chat.has_topics(ANN) is None
    assert await chat.has_topics(TEAM) is None
    assert await chat.has_topics(ChatId("@team")) is None
    assert [request.method for request in server.requests] == ["getMe", "getMe"]


# Coming in


async def test_messages_name_their_topic_and_the_general_topic_is_none() -> None:
    """MUST I4: thread_id only where there really is a topic."""
    strict = Forum()
    web = await strict.opened()
    await strict.read()
    general = strict.ann.say("to all", chat=strict.forum)
    strict.ann.say("an answer", chat=strict.forum, reply_to=general)
    strict.ann.say("to web", chat=strict.forum, thread=strict.topic(web))
    odd = strict.ann.say("odd", chat=strict.forum)
    odd.thread, odd.is_topic_message = 1, True
    strict.ann.edit(odd, "edited")
    found = [one for one in await strict.read() if isinstance(one, InboundMessage)]
    assert [(one.text, one.place.thread) for one in found] == [
        ("to all", None),
        ("an answer", None),
        ("to web", web),
        ("odd", None),
        ("edited", None),
    ]


async def test_what_people_do_to_topics_is_no_message() -> None:
    strict = Forum()
    await strict.read()
    lunch = strict.ann.open_topic(strict.forum, "Lunch")
    strict.ann.close_topic(strict.forum, lunch)
    strict.ann.reopen_topic(strict.forum, lunch)
    found = await strict.read()
    assert len(found) == 3
    assert all(isinstance(one, Ignorable) for one in found)
