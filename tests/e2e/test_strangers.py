"""People who were not let in leave no trace, and chats that close or move do not confuse anybody."""

import re
import time
from typing import Any

from telegram_channel.demo.phone import Phone
from tests.world import World

SECRET = "XYZZY"


def _says_everything(world: World, eve: Phone) -> None:
    """Somebody unknown says `SECRET` in every way there is."""
    eve.say(f"{SECRET}01 words")
    said = eve.say(f"{SECRET}02 to be corrected")
    eve.edit(said, f"{SECRET}03 corrected")
    eve.start(f"{SECRET}04")
    eve.say(f"yes {SECRET.lower()}")
    eve.send_photo(None, f"{SECRET}05 a caption")
    eve.send_document(b"XYZZY06 a file", f"{SECRET}07", name=f"{SECRET}08.txt")
    eve.send_contact("+49XYZZY", f"{SECRET}09")
    eve.forward(f"{SECRET}10", author=f"{SECRET}11")
    head: dict[str, Any] = {
        "message_id": 1000,
        "chat": {"id": eve.person.id, "type": "private", "first_name": "Eve"},
        "from": eve.person.view(),
        "date": int(time.time()),
    }
    updates: list[Any] = [
        {"message": head | {"date": f"{SECRET}12", "text": f"{SECRET}13", f"{SECRET}14": f"{SECRET}15"}},
        {"message": head | {"photo": f"{SECRET}16", "caption": f"{SECRET}17"}},
        {"message": head | {f"{SECRET}18": f"{SECRET}19"}},
        {f"{SECRET}20": {"from": eve.person.view(), "text": f"{SECRET}21"}},
        {"callback_query": {"id": "1", "from": eve.person.view(), "chat_instance": "1", "data": f"{SECRET}22"}},
        {"callback_query": {"id": "2", "from": eve.person.view(), "data": f"ask:{SECRET}23", "message": head}},
        {"channel_post": head | {"chat": {"id": -1009, "type": "channel", "title": "C"}, "text": f"{SECRET}24"}},
    ]
    for update in updates:
        world.bot.queue.inject(update, time.time())


async def test_what_strangers_say_is_nowhere() -> None:
    """MUST I8: a stranger's text is neither stored nor logged.

    MUST I6: anonymous administrators, channel posts and bots are never taken for a person.
    """
    async with World() as world:
        ann = await world.friend("Ann", "sender")  # nobody is owner: strangers get codes
        bob, eve, mallory = (world.person(name) for name in ("Bob", "Eve", "Mallory"))
        team = ann.create_group("The Team", bob.person, world.bot)
        lair = ann.create_group("The Lair", mallory.person, world.bot, supergroup=True)
        await world.operator("access", "group", "add", str(team.id), "--title", "The Team")
        session = await world.session()
        _says_everything(world, eve)
        bob.say(f"@claude_bot {SECRET}30 a member who is not let in", chat=team)
        bob.say(f"@claude_bot yes {SECRET.lower()}", chat=team)
        mallory.say(f"@claude_bot {SECRET}31 in a group that is not", chat=lair)
        for group in (team, lair):
            ann.say(f"@claude_bot {SECRET}32 without a name", chat=group, anonymous=True)
        ann.say("@claude_bot hello from the team", chat=team)
        event = await session.event("hello from the team")
        assert event.meta["chat_title"] == "The Team"
        await world.shows(eve, "Your code")
        await world.until(lambda: world.bot.queue.pending == (), "the confirmation")
        assert await session.end_input() == 0
        assert [event.content for event in session.events()] == ["@claude_bot hello from the team"]
        assert {chat for phone in (bob, mallory) for chat in (team, lair) if phone.inbox(chat)} == set()
        assert {act.params.get("chat_id") for act in world.sent("sendMessage")} == {str(eve.person.id)}
        written = {path: path.read_bytes() for path in world.state_dir.rglob("*") if path.is_file()}
        found = {path.name for path, data in written.items() if re.search(rb"xyzzy", data, re.IGNORECASE)}
        assert (found, SECRET.encode() in session.errors) == (set(), False)
        assert any(path.name == "state.db" for path in written)


async def test_who_was_let_in_before_they_ever_wrote() -> None:
    """MUST D14: whoever is let in is greeted, once."""
    async with World() as world:
        session = await world.session()
        bob = world.person("Bob")
        await world.operator("access", "allow", str(bob.person.id), "--role", "owner")
        await world.until(lambda: any(act.refusal for act in world.api.acts), "a greeting that cannot arrive")
        bob.say("hi")
        await session.event("hi")
        await world.shows(bob, "You are in, as owner")
        bob.say("and again")
        await session.event("and again")
        assert sum("You are in" in one.text for one in bob.inbox()) == 1


async def test_a_chat_that_closed_and_opened_again() -> None:
    """MUST R19: a wrong argument is answered with one sentence that says what to do."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        ann.say("bye")
        await session.event("bye")
        ann.block()
        chat = str(ann.person.id)
        for _ in range(2):
            answer = await session.call("reply", chat_id=chat, text="are you still there?")
            assert answer.is_error
            assert "writes to the bot again" in answer.text
        answer = await session.call("react", chat_id=chat, message_id="1", emoji="👍")
        assert answer.is_error
        assert sum("still there" in act.params.get("text", "") for act in world.api.acts) <= 1
        ann.unblock()
        ann.say("back again")
        await session.event("back again")
        assert not (await session.call("reply", chat_id=chat, text="welcome back")).is_error


async def test_a_group_that_becomes_a_supergroup() -> None:
    """MUST A11: a group that migrates stays opted in under its new id, and only there."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        old = ann.create_group("The Team", world.bot)
        await world.operator("access", "group", "add", str(old.id), "--title", "The Team")
        ann.say("@claude_bot before", chat=old)
        await session.event("before")
        new = ann.migrate(old)
        ann.say("@claude_bot after", chat=new)
        event = await session.event("after")
        assert event.meta["chat_id"] == str(new.id)
        assert not (await session.call("reply", chat_id=str(new.id), text="to the new one")).is_error
        answer = await session.call("reply", chat_id=str(old.id), text="to the old one")
        assert answer.is_error
        assert [one.text for one in ann.inbox(new)] == ["to the new one"]
        log = await world.operator("access", "log")
        assert "group_moved" in log
