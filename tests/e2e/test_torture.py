"""Answers, files and permission answers that are meant to break something."""

import os
from pathlib import Path

from telegram_channel.core.text import utf16_len
from telegram_channel.demo.botapi_world import StoredMessage
from telegram_channel.demo.phone import Phone, picture
from telegram_channel.demo.session import ScriptedSession
from tests.world import World

MARKDOWN = (
    "**bold _nested `code** x_ ` [link](http://x) [bad](javascript:1) ||sp _it|| ~~~\n```\nunclosed <T extends Foo> "
    "& <b>html</b> \\* \\_\n> quote\n>> nested\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [ ] todo\n1. x\n   - y\n\n***"
    "\n<script>alert(1)</script> \u202e rtl \x00\x07 👨‍👩‍👧‍👦"
)


async def _talking(world: World, name: str = "Ann") -> tuple[Phone, ScriptedSession]:
    """Somebody who talks to the bot, and a session that has heard from them."""
    phone = await world.friend(name)
    phone.say("hi")
    session = await world.session()
    await session.event("hi")
    return phone, session


async def _replied(session: ScriptedSession, phone: Phone, text: str) -> list[StoredMessage]:
    """What the phone shows of a reply; nothing in it was refused by a strict Telegram."""
    before = len(phone.inbox())
    answer = await session.call("reply", chat_id=str(phone.person.id), text=text)
    assert not answer.is_error, answer.text
    return phone.inbox()[before:]


async def test_answers_of_every_length_and_shape() -> None:
    """MUST R21: more than four parts become the first part and the whole answer as a file.

    MUST R20: Markdown becomes entities, never a parse error.
    """
    async with World() as world:
        ann, session = await _talking(world)
        paragraphs = "\n\n".join(f"Paragraph {number} with **bold** words. " + "word " * 20 for number in range(230))
        assert len(paragraphs) > 30_000
        first, document = await _replied(session, ann, paragraphs)
        assert document.file
        assert document.file.name == "answer.md"
        assert document.file.content.decode() == paragraphs
        assert "Paragraph 0 with bold words." in first.text
        code = "\n".join(f"print({number!r})" for number in range(450))
        parts = await _replied(session, ann, f"Look:\n\n```python\n{code}\n```\n\nThat was it.")
        assert len(parts) == 2
        for part in parts:
            [block] = [entity for entity in part.entities if entity["type"] == "pre"]
            assert block["language"] == "python"
            assert utf16_len(part.text) <= 4096
        bob = await world.friend("Bob")  # another chat, because one takes five messages at once
        first, document = await _replied(session, bob, "😀" * 10_000)
        assert document.file
        assert set(first.text.strip()) <= {"😀", "…"} or first.text.startswith("😀" * 1000)
        assert document.file.content.decode() == "😀" * 10_000
        [shown] = await _replied(session, bob, MARKDOWN)
        assert "<T extends Foo>" in shown.text
        assert "<script>" in shown.text
        assert world.api.complaints == []
        assert all(not act.refusal for act in world.api.acts)


async def test_files_that_must_not_leave_and_files_that_may() -> None:
    """MUST R14: the bridge's own state is never sent as a file.

    MUST R18: directories, devices, empty files and files over 50 MB are refused with what to do.
    """
    async with World() as world:
        ann, session = await _talking(world)
        chat, room = str(ann.person.id), world.directory
        (room / "notes.txt").write_text("hello", "utf-8")
        (room / "picture.png").write_bytes(picture(50, 50))
        (room / "liar.png").write_bytes(b"no picture at all")
        (room / "empty").touch()
        (room / "huge.bin").touch()
        os.truncate(room / "huge.bin", 50_000_001)
        (room / "link.txt").symlink_to(world.state_dir / "state.db")
        os.link(world.state_dir / "state.db", room / "hard.txt")
        (room / "to-state").symlink_to(world.state_dir)
        os.mkfifo(room / "pipe")
        refused: list[Path] = [
            *(world.state_dir / name for name in ("state.db", "state.db-wal", "telegram-channel.log")),
            *(room / name for name in ("link.txt", "hard.txt", "to-state/state.db", "state/../state/state.db")),
            *(room / name for name in ("huge.bin", "empty", "pipe", "missing", ".")),
            Path("/dev/zero"),
            Path("/proc/self/environ"),
        ]
        before = len(world.api.acts)
        for path in refused:
            answer = await session.call("reply", chat_id=chat, text="see", files=[str(room / "notes.txt"), str(path)])
            assert answer.is_error, path
            assert answer.text.startswith("Nothing was sent, because of"), path
        assert world.api.acts[before:] == []
        files = [str(room / name) for name in ("picture.png", "notes.txt", "liar.png")]
        answer = await session.call("reply", chat_id=chat, text="", files=files)
        assert not answer.is_error, answer.text
        sent = [next(iter({"photo", "document"} & set(one.content))) for one in ann.inbox() if one.file]
        assert sent == ["photo", "document", "document"]


async def test_answers_and_changes_that_cannot_be_made() -> None:
    """MUST R19: a wrong argument is answered with one sentence that says what to do."""
    async with World() as world:
        ann, session = await _talking(world)
        chat = str(ann.person.id)
        for text in ("", "  \n", "\u200b"):
            answer = await session.call("reply", chat_id=chat, text=text)
            assert answer.is_error
            assert "text" in answer.text
        [message] = await _replied(session, ann, "first")
        for text in ("**second**", "**second**"):  # the second time nothing changes, which is no failure
            answer = await session.call("edit_message", chat_id=chat, message_id=str(message.id), text=text)
            assert not answer.is_error
        assert message.text == "second"
        for number, text in (
            ("99999", "x"),
            ("1", "not mine"),
            (str(message.id), "y" * 9000),
            (str(message.id), " "),
        ):
            answer = await session.call("edit_message", chat_id=chat, message_id=number, text=text)
            assert answer.is_error
            assert message.text == "second"
        assert not (await session.call("react", chat_id=chat, message_id="1", emoji="❤️")).is_error
        for number, emoji in (("1", "✅"), ("1", "word"), ("99999", "🔥"), ("0", "👍"), ("9" * 20, "👍")):
            answer = await session.call("react", chat_id=chat, message_id=number, emoji=emoji)
            assert answer.is_error
            assert len(answer.text.splitlines()) == 1


async def test_a_long_request_and_answers_of_every_kind() -> None:
    """MUST V7: what does not fit a card goes whole into an attached file.

    MUST V14: unknown, late and already decided answers get a true sentence and are not passed on.
    """
    async with World() as world:
        ann, session = await _talking(world)
        bob, eve = await world.friend("Bob", "approver"), await world.friend("Eve", "sender")
        command = f"echo start; {'x' * 9000}; rm -rf /important"
        await session.ask_permission("abcde", "Bash", "Run it", {"command": command})
        card = await world.shows(ann, "rm -rf /important")
        await world.until(lambda: any(one.file for one in ann.inbox()), "the file")
        [document] = [one.file for one in ann.inbox() if one.file]
        assert command.encode() in document.content
        eve.say("yes abcde")
        await world.shows(eve, "not answer its permission prompts")
        bob.say("yes zzzzz")
        await world.shows(bob, "no permission request zzzzz")
        ann.say("yes abcde please")  # not an answer, but something to say
        await session.event("yes abcde please")
        ann.say("  NO\n ABCDE ", reply_to=card)
        assert await session.verdict("abcde") == "deny"
        ann.say("yes abcde")
        await world.shows(ann, "Too late")
        await world.until(lambda: not card.buttons, "the end of the card")
        assert session.verdicts("abcde") == ["deny"]
        assert [event.content for event in session.events()] == ["hi", "yes abcde please"]
        assert world.api.complaints == []


async def test_a_request_that_replaces_another_of_the_same_name() -> None:
    """MUST V13: exactly one answer decides; later ones are told who did."""
    async with World() as world:
        ann, session = await _talking(world)
        await session.ask_permission("fghij", "Write", "", {"file_path": "/tmp/one", "content": "1"})  # noqa: S108 - only a text
        stale = await world.shows(ann, "/tmp/one")  # noqa: S108 - only a text
        await session.ask_permission("fghij", "Write", "", {"file_path": "/tmp/two", "content": "2"})  # noqa: S108 - only a text
        await world.until(lambda: not stale.buttons, "the end of the card that was replaced")
        ann.say("y fghij")
        assert await session.verdict("fghij") == "allow"
        ann.say("n FGHIJ")
        await world.shows(ann, "Too late")
        assert session.verdicts("fghij") == ["allow"]
        assert "/tmp/two" not in stale.text  # noqa: S108 - only a text
        assert world.api.complaints == []
