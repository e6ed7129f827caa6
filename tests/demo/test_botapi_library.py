"""The Telegram library of the bridge talks to the emulator as it would to the platform, over both shells."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from telegram import (
    Bot,
    CopyTextButton,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    MessageEntity,
    ReactionTypeEmoji,
    ReplyParameters,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from telegram_channel.demo.botapi_faults import Faults, Trouble
from telegram_channel.demo.http import Emulator
from telegram_channel.demo.phone import picture
from telegram_channel.demo.transport import IN_PROCESS, InProcessTransport
from tests.clock import ManualClock
from tests.demo.desk import TOKEN, Desk
from tests.waiting import until


class Line:
    """A desk and the library's bot that is connected to it."""

    def __init__(self, desk: Desk, bot: Bot, faults: Faults) -> None:
        self.desk = desk
        self.bot = bot
        self.faults = faults
        self.ada = desk.ada.id


def library_bot(base: str, transport: InProcessTransport | None, read_timeout_s: float = 5) -> Bot:
    def request() -> HTTPXRequest:
        options = {"transport": transport} if transport else {}
        return HTTPXRequest(read_timeout=read_timeout_s, httpx_kwargs=options)

    return Bot(
        TOKEN,
        base_url=f"{base}/bot",
        base_file_url=f"{base}/file/bot",
        request=request(),
        get_updates_request=request(),
    )


@asynccontextmanager
async def line_over(shell: str) -> AsyncIterator[Line]:
    desk = Desk()
    desk.now = time.time()
    faults = Faults()
    if shell == "http":
        async with Emulator(desk.api, faults=faults) as emulator, library_bot(emulator.base_url, None) as bot:
            yield Line(desk, bot, faults)
    else:
        async with library_bot(IN_PROCESS, InProcessTransport(desk.api, faults)) as bot:
            yield Line(desk, bot, faults)


@pytest.fixture(params=["http", "in-process"])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    async with line_over(request.param) as made:
        yield made
        assert made.desk.api.complaints == []


async def test_a_text_with_entities_buttons_and_a_reply(line: Line) -> None:
    keyboard = InlineKeyboardMarkup(
        [
            [InlineKeyboardButton("Allow", callback_data="perm:1")],
            [InlineKeyboardButton("Copy", copy_text=CopyTextButton("x"))],
        ]
    )

    sent = await line.bot.send_message(
        line.ada,
        "héllo 😀 & <b>",
        entities=[MessageEntity(MessageEntity.BOLD, 6, 2)],
        reply_markup=keyboard,
        reply_parameters=ReplyParameters(line.desk.first.id, quote="hello"),
    )

    seen = line.desk.phone.inbox()[-1]
    assert (sent.text, seen.text) == ("héllo 😀 & <b>", "héllo 😀 & <b>")
    assert seen.entities == [{"type": "bold", "offset": 6, "length": 2}]
    assert seen.labels == [["Allow"], ["Copy"]]
    assert sent.reply_to_message
    assert sent.reply_to_message.message_id == line.desk.first.id


async def test_an_upload_an_edit_and_a_download(line: Line) -> None:
    sent = await line.bot.send_document(line.ada, "naïve 😀\n".encode(), filename='we "quote" it.md', caption="first")
    await sent.edit_caption("second", caption_entities=[MessageEntity(MessageEntity.CODE, 0, 6)])

    seen = line.desk.phone.inbox()[-1]
    assert seen.text == "second"
    assert sent.document
    assert (sent.document.file_name, sent.document.mime_type) == ('we "quote" it.md', "text/markdown")
    file = await line.bot.get_file(sent.document.file_id)
    assert bytes(await file.download_as_bytearray()) == "naïve 😀\n".encode()


async def test_a_photo_and_an_album(line: Line) -> None:
    photo = await line.bot.send_photo(line.ada, picture(320, 240), caption="one")
    album = await line.bot.send_media_group(
        line.ada, [InputMediaPhoto(picture(10, 10), caption="a"), InputMediaPhoto(photo.photo[-1].file_id)]
    )

    assert [(size.width, size.height) for size in photo.photo] == [(90, 68), (320, 240)]
    assert len({one.media_group_id for one in album}) == 1
    assert [one.content.get("caption") for one in line.desk.phone.inbox()] == ["one", "a", None]


async def test_reactions_typing_presses_and_the_menu(line: Line) -> None:
    await line.bot.set_message_reaction(line.ada, line.desk.first.id, [ReactionTypeEmoji("👀")])
    await line.bot.send_chat_action(line.ada, "typing")
    assert line.desk.phone.reactions(line.desk.first) == ["👀"]
    assert line.desk.phone.action() == "typing"

    await line.bot.set_my_commands([("status", "How it is")])
    assert line.desk.phone.commands() == {"status": "How it is"}

    markup = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="y")]])
    await line.bot.send_message(line.ada, "?", reply_markup=markup)
    press = line.desk.phone.press("Yes")
    (update,) = await line.bot.get_updates()
    assert update.callback_query
    await line.bot.answer_callback_query(update.callback_query.id, "noted", show_alert=True)
    assert (press.toast, press.is_alert) == ("noted", True)


async def test_a_long_poll_wakes_up_for_a_message(line: Line) -> None:
    poll = asyncio.ensure_future(line.bot.get_updates(timeout=30, allowed_updates=["message", "message_reaction"]))
    await until(lambda: line.desk.bot.queue.is_waited_for)
    line.desk.phone.say("wake up")

    (update,) = await asyncio.wait_for(poll, 5)

    assert update.message
    assert update.message.text == "wake up"
    assert line.desk.bot.queue.allowed == ("message", "message_reaction")


async def test_the_older_of_two_polls_ends_with_a_conflict(line: Line) -> None:
    older = asyncio.ensure_future(line.bot.get_updates(timeout=30))
    await until(lambda: line.desk.bot.queue.is_waited_for)
    newer = asyncio.ensure_future(line.bot.get_updates(timeout=30))

    with pytest.raises(Conflict, match="terminated by other getUpdates"):
        await asyncio.wait_for(older, 5)
    line.desk.phone.say("for the newer")
    assert len(await asyncio.wait_for(newer, 5)) == 1


async def test_refusals_become_the_errors_of_the_library(line: Line) -> None:
    with pytest.raises(BadRequest, match="Message is too long"):
        await line.bot.send_message(line.ada, "x" * 4097)
    with pytest.raises(Forbidden, match="can't initiate"):
        await line.bot.send_message(line.desk.bob.id, "x")
    group = line.desk.phone.create_group("Crew", line.desk.bot)
    successor = line.desk.phone.migrate(group)
    with pytest.raises(ChatMigrated) as moved:
        await line.bot.send_message(group.id, "x")
    assert moved.value.new_chat_id == successor.id
    line.desk.api.revoked.add(TOKEN)
    with pytest.raises(InvalidToken):
        await line.bot.get_me()


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble.BAD_GATEWAY, NetworkError),
        (Trouble.MALFORMED, TelegramError),
        (Trouble.UNAUTHORIZED, InvalidToken),
        (Trouble.CONFLICT, Conflict),
        (Trouble.SERVER_ERROR, NetworkError),
        (Trouble.DROP, NetworkError),
        (Trouble.UNREACHABLE, NetworkError),
        (Trouble.FLOOD, RetryAfter),
    ],
)
@pytest.mark.filterwarnings("ignore:.*retry_after:DeprecationWarning")  # the library announces another type
async def test_every_trouble_strikes_as_often_as_it_is_told_and_before_the_call(
    line: Line, trouble: Trouble, error: type[Exception]
) -> None:
    fault = line.faults.add(trouble, "sendMessage", times=2, seconds=7)
    await line.bot.get_me()

    for _ in range(2):
        with pytest.raises(error):
            await line.bot.send_message(line.ada, "x")

    await line.bot.send_message(line.ada, "through")
    assert fault.struck == 2
    assert [one.text for one in line.desk.phone.inbox()] == ["through"]


async def test_an_answer_that_is_lost_after_the_call_leaves_the_message_there(line: Line) -> None:
    line.faults.add(Trouble.DROP, "sendMessage", times=1, after=True)

    with pytest.raises(NetworkError):
        await line.bot.send_message(line.ada, "arrived")

    assert [one.text for one in line.desk.phone.inbox()] == ["arrived"]


async def test_what_hangs_goes_on_when_the_fault_is_lifted(line: Line) -> None:
    stored = line.desk.phone.send_document(b"late").file
    assert stored
    fault = line.faults.add(Trouble.HANG, "file")
    file = await line.bot.get_file(stored.file_id)
    download = asyncio.ensure_future(file.download_as_bytearray())
    await until(lambda: fault.struck == 1)
    await line.bot.send_message(line.ada, "not held up")
    assert not download.done()

    line.faults.clear()

    assert bytes(await asyncio.wait_for(download, 5)) == b"late"


@pytest.mark.parametrize("shell", ["http", "in-process"])
async def test_what_hangs_for_good_ends_with_the_callers_own_timeout(shell: str) -> None:
    async with line_over(shell) as line:
        line.faults.add(Trouble.HANG, "getMe")

        with pytest.raises(TimedOut):
            await line.bot.get_me(read_timeout=0.05)


async def test_in_process_time_belongs_to_the_caller() -> None:
    desk, clock = Desk(), ManualClock()
    transport = InProcessTransport(desk.api, now=lambda: clock.now().timestamp(), sleep=clock.sleep)
    async with library_bot(IN_PROCESS, transport) as bot:
        poll = asyncio.ensure_future(bot.get_updates(timeout=20))
        await clock.advance(19)
        assert not poll.done()
        await clock.advance(2)
        assert await poll == ()

        transport.faults.add(Trouble.HANG, "sendMessage")
        send = asyncio.ensure_future(bot.send_message(desk.ada.id, "x"))
        await clock.advance(6)
        with pytest.raises(TimedOut):
            await send

    assert transport.requests == 3
    assert desk.phone.inbox() == []
