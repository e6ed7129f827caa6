"""The whole bridge: a strict fake Telegram over HTTP, real processes, and a session as the client runs it."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from telegram_channel.core.commands import MENU
from telegram_channel.demo.phone import picture
from tests.world import TOKEN, World

REQUEST = ("abcde", "Bash", "Run the tests", {"command": "pytest -q"})


async def test_the_main_job_from_a_stranger_to_an_approved_command() -> None:
    async with World() as world:
        session = await world.session()
        ann = world.person("Ann")
        ann.say("is anybody there?")
        asked = await world.shows(ann, "Your code")
        code = re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}", asked.text)
        assert code
        await world.operator("access", "pair", code[0].lower())
        await world.shows(ann, "You are in, as owner")
        said = ann.say("run the tests")
        event = await session.event("run the tests")
        assert event.meta["chat_id"] == str(ann.person.id)
        await world.until(lambda: ann.reactions(said) == ["👀"], "the sign that it is stored")
        answer = await session.call("reply", chat_id=event.meta["chat_id"], text="**on it**")
        assert not answer.is_error
        await world.shows(ann, "on it")
        await session.ask_permission(*REQUEST)
        card = await world.shows(ann, "pytest -q")
        ann.press(card.labels[0][0], card)
        assert await session.verdict("abcde") == "allow"
        await world.until(lambda: not card.buttons and "Allowed by Ann" in card.text, "the card's end")
        assert [one.content for one in session.events()] == ["run the tests"]
        assert world.api.complaints == []
        assert session.stray == []


async def test_every_kind_of_message_becomes_an_event() -> None:
    """MUST I1: every kind of message yields an event."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        ann.send_document(b"notes", "a document", name="../../etc/notes.txt")
        ann.send_voice(b"voice")
        ann.send("audio", b"song", caption="a song")
        ann.send("video", b"film", caption="a film")
        ann.send("video_note", b"round")
        ann.send("animation", b"gif", caption="funny")
        ann.send_sticker("🎉")
        ann.send_location(52.5, 13.4)
        ann.send_contact("+4912345", "Bob")
        ann.send_poll("Lunch?", ["Pizza", "Soup"])
        ann.send_dice(6)
        ann.say("the end")
        await session.event("the end")
        events = session.events()
        kinds = [event.meta.get("attachment_kind", "") for event in events]
        assert kinds[:7] == ["document", "voice", "audio", "video", "video_note", "animation", "sticker"]
        assert len(events) == 12
        assert events[0].meta["attachment_name"] == "notes.txt"
        assert "52.5" in json.dumps([events[7].content, dict(events[7].meta)])
        assert all(event.content for event in events)


async def test_a_photo_is_downloaded_and_an_album_is_one_event() -> None:
    """MUST D17: a photo comes with a path to its file."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        ann.send_photo(picture(20, 20), "look at this")
        event = await session.event("look at this")
        assert Path(event.meta["image_path"]).read_bytes().startswith(b"\x89PNG")  # noqa: ASYNC240 - small
        ann.album([("photo", picture(30, 30)), ("photo", picture(40, 40))], "two of them")
        album = await session.event("two of them")
        assert album.meta["album_size"] == "2"
        assert album.meta["image_path"] != album.meta["image_path_2"]
        assert len(session.events()) == 2


async def test_replies_quotes_forwards_and_edits_keep_their_context() -> None:
    """MUST I3: replied-to text, partial quote and forward origin are visible."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        first = ann.say("the whole sentence")
        ann.say("this part?", reply_to=first, quote="whole")
        ann.forward("words of another", author="Bob")
        ann.edit(first, "the corrected sentence")
        quoted = await session.event("this part?")
        assert (quoted.meta["reply_to_text"], quoted.meta["quote"]) == ("the whole sentence", "whole")
        assert (await session.event("words of another")).meta["forwarded_from"] == "Bob"
        corrected = await session.event("the corrected sentence")
        assert corrected.meta["edited"] == "true"
        assert corrected.meta["message_id"] == str(first.id)


async def test_buttons_of_a_reply_come_back_as_an_event() -> None:
    """MUST D18: a press of a button comes back as an event."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        ann.say("what now?")
        event = await session.event("what now?")
        await session.call("reply", chat_id=event.meta["chat_id"], text="Deploy?", buttons=[["Yes", "No"], ["Later"]])
        question = await world.shows(ann, "Deploy?")
        press = ann.press("Later", question)
        pressed = await session.event("Later")
        assert (pressed.meta["button"], pressed.meta["message_id"]) == ("Later", str(question.id))
        await world.until(lambda: press.toast != "", "the end of the spinner")


async def test_a_text_and_a_verdict_pass_a_download_that_hangs() -> None:
    """MUST I15: a message is never delayed by another message's download."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        await session.ask_permission(*REQUEST)
        await world.shows(ann, "pytest -q")
        world.emulator.faults.add("hang", "file")
        ann.send_photo(picture(20, 20), "a slow photo")
        ann.say("a quick word")
        ann.say("YES ABCDE")
        await session.event("a quick word")
        assert await session.verdict("abcde") == "allow"
        assert [event.content for event in session.events()] == ["a quick word"]
        world.emulator.faults.clear()
        late = await session.event("a slow photo")
        assert late.meta["image_path"]


async def test_a_second_session_is_a_standby_that_takes_over() -> None:
    """MUST D20: a standby takes over when the holder of the lease dies, and nobody is killed before."""
    async with World() as world:
        ann = await world.friend("Ann")
        first = await world.session()
        second = await world.session(wait_polling=False)
        ann.say("to the first")
        event = await first.event("to the first")
        answer = await second.call("reply", chat_id=event.meta["chat_id"], text="the second can talk, too")
        assert not answer.is_error
        assert first.process.returncode is None
        await first.kill()
        ann.say("to the second")
        await second.event("to the second", timeout_s=8)
        assert [one.content for one in first.events()] == ["to the first"]


async def test_what_was_given_to_a_dead_session_is_given_again_once() -> None:
    """MUST D4: a new handshake gives unproven events again, once, and says so."""
    async with World() as world:
        ann = await world.friend("Ann")
        first = await world.session()
        ann.say("unproven")
        await first.event("unproven")
        await world.until(lambda: ann.action() == "typing", "typing")
        await first.kill()
        second = await world.session()
        again = await second.event("unproven")
        assert again.meta["redelivered"] == "true"


async def test_a_prompt_survives_a_restart_and_only_one_answer_counts() -> None:
    """MUST V18: a permission prompt survives a restart of the server."""
    async with World() as world:
        ann = await world.friend("Ann")
        first = await world.session(CLAUDE_CODE_SESSION_ID="same")
        await first.ask_permission(*REQUEST)
        card = await world.shows(ann, "pytest -q")
        await first.kill()
        second = await world.session(CLAUDE_CODE_SESSION_ID="same")
        ann.press(card.labels[0][1], card)
        assert await second.verdict("abcde") == "deny"
        ann.say("yes abcde")
        await world.shows(ann, "Too late")
        assert second.verdicts("abcde") == ["deny"]


async def test_a_prompt_survives_a_restart_under_another_session_id() -> None:
    """MUST V18: a permission prompt survives a restart of the server."""
    async with World() as world:
        ann = await world.friend("Ann")
        first = await world.session()
        await first.ask_permission(*REQUEST)
        await world.shows(ann, "pytest -q")
        await first.kill()
        second = await world.session()
        ann.say("y abcde")
        assert await second.verdict("abcde") == "allow"


async def test_two_approvers_see_one_decision() -> None:
    """MUST V11: the first answer is told to the session at once and every copy of the card says who decided."""
    async with World() as world:
        ann, bob, eve = (
            await world.friend("Ann"),
            await world.friend("Bob", "approver"),
            await world.friend("Eve", "sender"),
        )
        session = await world.session()
        for one in (ann, bob, eve):
            one.say(f"I am {one.person.first_name}")
            await session.event(f"I am {one.person.first_name}")
        await session.ask_permission(*REQUEST)
        cards = [await world.shows(one, "pytest -q") for one in (ann, bob)]
        assert not any("pytest" in one.text for one in eve.inbox())
        eve.say("yes abcde")
        bob.press(cards[1].labels[0][0], cards[1])
        assert await session.verdict("abcde") == "allow"
        await world.until(lambda: not any(card.buttons for card in cards), "the cards' end")
        assert all("Allowed by Bob" in card.text for card in cards)
        assert session.verdicts("abcde") == ["allow"]
        log = json.loads(await world.operator("access", "log", "--json"))
        verdicts = [row for row in log if row["action"] == "verdict"] if isinstance(log, list) else log["rows"]
        assert [row["actor"] for row in verdicts if row["action"] == "verdict"] == [str(bob.person.id)]


@pytest.mark.parametrize("how", ["reply", "react"])
async def test_nobody_unknown_is_written_to(how: str) -> None:
    """MUST R2: claude can write only to chats whose people were let in."""
    async with World() as world:
        await world.friend("Ann")
        session = await world.session()
        arguments: dict[str, Any] = {"reply": {"text": "hi"}, "react": {"message_id": "1", "emoji": "👍"}}[how]
        answer = await session.call(how, chat_id="666", **arguments)
        assert answer.is_error
        assert world.sent("sendMessage", "setMessageReaction") == []


async def test_without_a_token_everything_says_what_to_do_and_a_token_given_later_is_used() -> None:
    """MUST C30: without a token the server starts and its tools say what to do."""
    async with World() as world:
        session = await world.session(wait_polling=False, TELEGRAM_BOT_TOKEN="")
        answer = await session.call("reply", chat_id="1", text="hi")
        assert answer.is_error
        assert "configure" in answer.text
        assert not world.state_dir.exists()
        ann = world.person("Ann")
        await world.operator("configure", "--stdin", stdin=f"{TOKEN}\n")
        ann.say("hello")
        await world.shows(ann, "Your code")


async def test_nothing_is_polled_without_evidence_of_a_channel_session() -> None:
    """MUST P14: a session polls only with evidence that it was started with us as a channel."""
    async with World(poll="auto") as world:
        session = await world.session(wait_polling=False)
        answer = await session.call("reply", chat_id="1", text="hi")
        assert answer.is_error
        status = json.loads(await world.operator("status", "--json"))
        assert status["poller"] is None
        assert not world.bot.queue.is_waited_for


async def test_the_token_is_nowhere() -> None:
    """MUST L1: the token is never logged: not in messages, arguments, exceptions, causes or notes."""
    async with World() as world:
        await world.friend("Ann")
        world.emulator.faults.add("unreachable", "getUpdates", times=2)
        session = await world.session()
        world.api.revoked.add(TOKEN)
        world.bot.queue.interrupt("gone", 0)
        answer = await session.call("reply", chat_id=str(world.api.world.count("nobody")), text="x")
        await session.end_input()
        written = b"".join(path.read_bytes() for path in world.state_dir.rglob("*") if path.is_file())
        assert TOKEN.encode() not in written + session.errors + answer.text.encode()
        assert TOKEN.partition(":")[2].encode() not in written + session.errors


async def test_the_phone_offers_the_commands_and_status_answers() -> None:
    async with World() as world:
        ann = await world.friend("Ann")
        await world.session()
        await world.until(lambda: set(ann.commands()) == set(MENU), "the menu")
        ann.say("/status")
        shown = await world.shows(ann, "You are: owner")
        assert "Messages are being received" in shown.text


async def test_probes_leave_no_trace() -> None:
    """MUST C11: nothing happens before notifications/initialized."""
    async with World() as world:
        probe = await world.starting()
        await probe.request(
            "initialize",
            {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
        )
        assert await probe.end_input() == 0
        assert not world.state_dir.exists()
        assert world.api.acts == []


async def test_in_the_end_everybody_is_gone() -> None:
    async with World() as world:
        session = await world.session()
        assert await session.end_input() == 0
        status = json.loads(await world.operator("status", "--json"))
        assert status["poller"] is None
        await asyncio.wait_for(session.process.wait(), 1)
