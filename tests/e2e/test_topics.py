"""Each session in a topic of its own: real processes, a forum group, and private chats with topics."""

import asyncio
from pathlib import Path

from telegram_channel.demo.botapi_world import Chat, StoredMessage, Topic
from telegram_channel.demo.phone import Phone
from telegram_channel.demo.session import ScriptedSession
from tests.world import PATIENCE_S, World

REQUEST = ("abcde", "Bash", "Run the tests", {"command": "pytest -q"})


def topic_of(chat: Chat, name: str) -> Topic:
    """The topic that is called so; there must be exactly one."""
    [found] = [one for one in chat.topics.values() if one.name == name]
    return found


def said_in(phone: Phone, chat: Chat, topic: Topic | None) -> list[str]:
    """What the bot wrote in one topic, or in the general one."""
    thread = topic.thread if topic else None
    return [one.text for one in phone.inbox(chat) if one.text and one.thread == thread]


async def forum(world: World, ann: Phone) -> Chat:
    """A group with topics that was let in, where the bot may manage them and need not be named."""
    team = ann.create_group("Team", supergroup=True, is_forum=True)
    ann.set_member(team, world.bot, "administrator")
    await world.operator("access", "group", "add", str(team.id), "--title", "Team", "--all-messages")
    return team


async def session_in(world: World, project: str, session: str) -> ScriptedSession:
    """A session in a project directory of this name."""
    directory = world.directory / "src" / project
    directory.mkdir(parents=True, exist_ok=True)
    return await world.session(CLAUDE_PROJECT_DIR=str(directory), CLAUDE_CODE_SESSION_ID=session)


async def topic_appears(world: World, chat: Chat, name: str) -> Topic:
    """Wait until a topic is there, and known to be a session's."""

    def names() -> list[str]:
        return [one.name for one in chat.topics.values() if not one.is_closed]

    await world.until(lambda: name in names(), f"an open topic {name!r}; there are {names()}")
    topic, seen = topic_of(chat, name), -1
    async with world.store() as store, asyncio.timeout(PATIENCE_S):
        while not any(one.thread == str(topic.thread) and one.session for one in await store.routes.bindings()):
            seen = await store.wait_for_change(seen, 1)
    return topic


async def answered(session: ScriptedSession, text: str, answer: str) -> None:
    """The session gets a message and answers it."""
    event = await session.event(text)
    outcome = await session.call("reply", chat_id=event.meta["chat_id"], text=answer)
    assert not outcome.is_error, outcome.text


async def test_two_sessions_have_a_topic_each_and_everything_stays_in_it(tmp_path: Path) -> None:
    """MUST F59: what is said in a session's topic goes to that session, and its answers, files and typing stay
    there.
    """
    async with World() as world:
        ann = await world.friend("Ann")
        team = await forum(world, ann)
        shop, blog = await session_in(world, "shop", "s-shop"), await session_in(world, "blog", "s-blog")
        in_shop, in_blog = await topic_appears(world, team, "shop"), await topic_appears(world, team, "blog")
        ann.say("for the shop", chat=team, thread=in_shop)
        ann.say("for the blog", chat=team, thread=in_blog)
        await answered(shop, "for the shop", "shop here")
        await answered(blog, "for the blog", "blog here")
        await world.until(lambda: said_in(ann, team, in_shop) == ["shop here"], "the answer of the shop")
        await world.until(lambda: said_in(ann, team, in_blog) == ["blog here"], "the answer of the blog")
        report = tmp_path / "report.txt"
        report.write_text("all well")
        await shop.call("reply", chat_id=str(team.id), text="", files=[str(report)])
        await world.until(lambda: any(_is_file_in(one, in_shop) for one in ann.inbox(team)), "the file in its topic")
        assert said_in(ann, team, None) == []
        assert [one.content for one in (*shop.events(), *blog.events())] == ["for the shop", "for the blog"]
        assert world.api.complaints == []


def _is_file_in(message: StoredMessage, topic: Topic) -> bool:
    return "document" in message.content and message.thread == topic.thread


async def test_the_next_session_of_a_project_has_the_topic_of_the_last() -> None:
    """MUST F60: a session's topic is closed when it ends, and the next one of its project has it."""
    async with World(orphaned_after_s="1") as world:
        ann = await world.friend("Ann")
        team = await forum(world, ann)
        await session_in(world, "blog", "s-blog")  # somebody polls all the time
        first = await session_in(world, "shop", "s-1")
        topic = await topic_appears(world, team, "shop")
        await first.kill()
        await world.until(lambda: topic.is_closed, "the end of the topic", 30)
        second = await session_in(world, "shop", "s-2")
        await topic_appears(world, team, "shop")
        ann.say("and now you", chat=team, thread=topic)
        await answered(second, "and now you", "me it is")
        await world.until(lambda: said_in(ann, team, topic) == ["me it is"], "the answer in the old topic")
        assert sorted(one.name for one in team.topics.values()) == ["blog", "shop"]


async def test_two_sessions_of_one_project_are_told_apart_by_name() -> None:
    async with World() as world:
        ann = await world.friend("Ann")
        team = await forum(world, ann)
        await session_in(world, "shop", "s-1")
        await topic_appears(world, team, "shop")
        await session_in(world, "shop", "s-2")
        await topic_appears(world, team, "shop 2")
        assert len(team.topics) == 2


async def test_an_answer_to_a_deleted_topic_is_not_lost() -> None:
    """MUST F61: what cannot be sent to a topic that is gone is sent to the general topic."""
    async with World() as world:
        ann = await world.friend("Ann")
        team = await forum(world, ann)
        shop = await session_in(world, "shop", "s-1")
        topic = await topic_appears(world, team, "shop")
        ann.say("a question", chat=team, thread=topic)
        await shop.event("a question")
        ann.delete_topic(team, topic)
        await answered(shop, "a question", "an answer")
        await world.until(lambda: said_in(ann, team, None) == ["an answer"], "the answer in the general topic")


async def test_cards_come_in_the_session_s_topic_of_a_private_chat() -> None:
    """MUST F62: a permission card comes in the topic of the session that asks."""
    async with World() as world:
        world.bot.has_topics = True
        ann = await world.friend("Ann")
        ann.start()  # so that the topic does not begin with the very first message, whose number means "general"
        shop = await session_in(world, "shop", "s-1")
        topic = await topic_appears(world, ann.chat, "shop")
        await shop.ask_permission(*REQUEST)
        card = await world.shows(ann, "pytest -q")
        assert card.thread == topic.thread
        ann.press(card.labels[0][0], card)
        assert await shop.verdict("abcde") == "allow"


async def test_with_topics_off_there_are_none() -> None:
    async with World(topics="off") as world:
        ann = await world.friend("Ann")
        team = await forum(world, ann)
        shop = await session_in(world, "shop", "s-1")
        ann.say("hello", chat=team)
        await answered(shop, "hello", "hello Ann")
        await world.until(lambda: said_in(ann, team, None) == ["hello Ann"], "the answer in the general topic")
        assert team.topics == {}
        assert world.sent("createForumTopic", "getChatMember") == []
