"""The production client against the strict Bot API emulator: nothing is refused, nothing is complained about."""

import asyncio
from pathlib import Path

from hypothesis import given, settings

from telegram_channel.core.ids import ChatId, MessageId
from telegram_channel.core.messages import (
    Batch,
    ButtonPress,
    ChatMigration,
    Ignorable,
    InboundMessage,
    MembershipChange,
    ReactionChange,
    Unreadable,
)
from telegram_channel.core.outgoing import Button, Downloaded, OutFile, OutMessage, Sent
from telegram_channel.core.text import Markdown, Plain
from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.phone import Phone, picture
from telegram_channel.demo.transport import IN_PROCESS, InProcessTransport
from telegram_channel.tg.client import TelegramChat
from telegram_channel.tg.poller import Poller
from tests.clock import ManualClock
from tests.tg.test_markdown import DOCUMENTS

TOKEN = "4242:THE-SECRET_part"


class Strict:
    """One bot on the emulator, and Ann, who has written to it."""

    def __init__(self, *, flood_control: bool = False) -> None:
        self.clock = ManualClock()
        self.api = BotApi(flood_control=flood_control)
        self.bot = self.api.add_bot(TOKEN, username="Claude_Bot")
        self.ann = Phone(self.api, self.api.add_person("Ann"), self.bot, self.now)
        self.ann.say("/start")
        transport = InProcessTransport(self.api, now=self.now, sleep=self.clock.sleep)
        self.chat = TelegramChat(TOKEN, self.clock, api_base=IN_PROCESS, transport=transport)

    def now(self) -> float:
        return self.clock.now().timestamp()

    @property
    def room(self) -> ChatId:
        """Ann's private chat."""
        return ChatId(str(self.ann.person.id))

    async def poll(self) -> list[Batch]:
        """Everything that is waiting, as the production loop hands it over."""
        batches: list[Batch] = []

        async def take(batch: Batch) -> None:
            batches.append(batch)

        task = asyncio.create_task(Poller(self.chat, take, lambda _: None, self.clock, jitter=lambda: 1.0).run())
        await self.clock.advance(2)
        task.cancel()
        await asyncio.wait({task})
        return batches


@settings(deadline=None, max_examples=60)  # each example starts a client
@given(source=DOCUMENTS)
def test_any_markdown_is_taken_as_it_was_rendered(source: str) -> None:
    """MUST R20: Markdown becomes entities, never a parse error."""

    async def send() -> None:
        strict = Strict()
        outcome = await strict.chat.send(OutMessage(strict.room, Markdown(source * 2)))
        if source.replace("\0", "").strip():  # Telegram shows nothing for NUL, so it alone is no message
            assert isinstance(outcome, Sent)
        assert strict.api.refused == []
        assert strict.api.complaints == []

    asyncio.run(send())


async def test_everything_that_can_be_sent_is_taken(tmp_path: Path) -> None:
    strict = Strict()
    report = tmp_path / "report.bin"
    report.write_bytes(bytes(range(256)) * 400)
    files = (
        OutFile("1.png", content=picture(), as_photo=True),
        OutFile("2.png", content=picture(), as_photo=True),
        OutFile("report.bin", report),
        OutFile("notes.txt", content=b"notes"),
    )
    buttons = ((Button("Yes", "perm:yes"), Button("Copy", copy="x")),)
    sending = asyncio.create_task(
        strict.chat.send(OutMessage(strict.room, Markdown("# Hi\n```py\nx\n```"), files=files, buttons=buttons))
    )
    await strict.clock.advance(10)
    outcome = await sending
    assert isinstance(outcome, Sent)
    assert len(outcome.refs) == 5
    assert isinstance(await strict.chat.edit(strict.room, outcome.refs[0], Markdown("*done*")), Sent)
    assert isinstance(await strict.chat.edit(strict.room, outcome.refs[0], Markdown("*done*")), Sent)
    assert isinstance(await strict.chat.edit(strict.room, outcome.refs[0], None, buttons), Sent)
    asked = strict.ann.history()[0]
    assert isinstance(await strict.chat.react(strict.room, MessageId(str(asked.id)), "👀"), Sent)
    assert strict.ann.reactions(asked) == ["👀"]
    assert isinstance(await strict.chat.react(strict.room, MessageId(str(asked.id)), None), Sent)
    assert strict.ann.reactions(asked) == []
    await strict.chat.typing(strict.room)
    assert strict.ann.action() == "typing"
    await strict.chat.announce_commands({"help": "What I can do"})
    assert strict.ann.commands() == {"help": "What I can do"}
    assert [act.refusal for act in strict.api.refused if "not modified" not in act.refusal] == []
    assert strict.api.complaints == []


@settings(deadline=None, max_examples=30)  # each example starts a client
@given(source=DOCUMENTS, pieces=DOCUMENTS)
def test_a_text_can_be_shown_as_a_draft_wherever_it_is_broken_off(source: str, pieces: str) -> None:
    """MUST R20: Markdown becomes entities, never a parse error."""

    async def show() -> None:
        strict = Strict()
        for text in (source[: len(source) // 2], source, (source + pieces) * 40):
            await strict.chat.draft(strict.room, 7, Markdown(text))
        assert strict.api.refused == []
        assert strict.api.complaints == []

    asyncio.run(show())


async def test_a_draft_is_replaced_by_a_later_one_and_ends_with_the_message() -> None:
    strict = Strict()
    await strict.chat.draft(strict.room, 7, Markdown("I am **lo"))
    await strict.chat.draft(strict.room, 7, Markdown("I am **looking**"))
    assert strict.ann.drafts() == ["I am looking"]
    assert isinstance(await strict.chat.send(OutMessage(strict.room, Markdown("I found it."))), Sent)
    assert strict.ann.drafts() == []
    assert strict.api.refused == []


async def test_a_picture_that_is_none_arrives_as_a_document() -> None:
    strict = Strict()
    fake = OutFile("p.png", content=b"this is no picture", as_photo=True)
    assert isinstance(await strict.chat.send(OutMessage(strict.room, Plain(""), files=(fake,))), Sent)
    assert [act.method for act in strict.api.sent()] == ["sendDocument"]


async def test_the_pace_keeps_within_the_limits_of_the_platform() -> None:
    """MUST M2: at most 20 messages a minute in a group and 30 a second in all."""
    strict = Strict(flood_control=True)
    group = strict.ann.create_group("Team", strict.bot)
    team = ChatId(str(group.id))
    async with asyncio.TaskGroup() as sending:
        for number in range(30):
            sending.create_task(strict.chat.send(OutMessage(team, Plain(str(number)))))
            sending.create_task(strict.chat.send(OutMessage(strict.room, Plain(str(number)))))
        await strict.clock.advance(200)
    assert [act.refusal for act in strict.api.refused] == []
    for chat in (team, strict.room):
        texts = [act.params["text"] for act in strict.api.sent("sendMessage") if act.params["chat_id"] == chat]
        assert texts == [str(number) for number in range(30)]


async def test_everything_a_phone_can_do_is_read(tmp_path: Path) -> None:
    """MUST I1: every kind of message yields an event."""
    strict = Strict()
    ann = strict.ann
    await strict.poll()  # says which kinds of updates are wanted
    sent = await strict.chat.send(
        OutMessage(strict.room, Plain("Which?"), buttons=((Button("One", "a"), Button("Two", "b")),))
    )
    assert isinstance(sent, Sent)
    asked = ann.say("hello")
    ann.say("@claude_bot you there?", reply_to=asked, quote="hell")
    ann.edit(asked, "hello!")
    ann.send_photo(caption="look")
    for kind in ("voice", "audio", "video", "video_note", "animation"):
        ann.send(kind)
    ann.send_document(name="../x.txt")
    ann.send_sticker()
    ann.send_location(52.5, 13.4)
    ann.send_venue("Cafe", "Main St", 1, 2)
    ann.send_contact("+491", "Bo")
    ann.send_poll("Tea?", ["yes", "no"])
    ann.send_dice()
    ann.forward(asked)
    ann.react(asked, "🔥")
    ann.press("Two")
    ann.block()
    ann.unblock()
    group = ann.create_group("Team", strict.bot)
    ann.say("/help in the name of the group", chat=group, anonymous=True)
    ann.migrate(group)
    found = [one for batch in await strict.poll() for one in batch.updates]
    assert not [one for one in found if isinstance(one, Unreadable)]
    messages = [one for one in found if isinstance(one, InboundMessage)]
    kinds = {one.attachment.kind.value for one in messages if one.attachment}
    assert kinds == {"photo", "document", "voice", "audio", "video", "video_note", "animation", "sticker"}
    assert sum(one.text.startswith(("[location", "[venue", "[contact", "[poll", "[dice")) for one in messages) == 5
    assert [one.text for one in messages if one.mentions_bot] == ["@claude_bot you there?"]
    assert [one.quote for one in messages if one.quote] == ["hell"]
    assert [one.text for one in messages if one.edited] == ["hello!"]
    assert [one.forwarded_from for one in messages if one.forwarded_from]
    assert [one.label for one in found if isinstance(one, ButtonPress)] == ["Two"]
    assert [one.added for one in found if isinstance(one, ReactionChange)] == [("🔥",)]
    assert any(isinstance(one, ChatMigration) for one in found)
    assert [one.reachable for one in found if isinstance(one, MembershipChange)][:2] == [False, True]
    assert any(isinstance(one, Ignorable) and one.what == "written in the name of a chat" for one in found)
    assert all(one.place.sender == str(ann.person.id) for one in messages)
    picture_sent = next(one.attachment for one in messages if one.attachment and one.text == "look")
    assert isinstance(await strict.chat.download(picture_sent.file, tmp_path / "p.jpg"), Downloaded)
    assert strict.api.complaints == []


async def test_the_identity_is_what_the_platform_says() -> None:
    strict = Strict()
    me = await strict.chat.identity()
    assert (me.bot, me.username) == ("4242", "Claude_Bot")
