"""What leaves for Telegram, and what is honestly said about it afterwards, over the production HTTP client."""

import asyncio
import json
import logging
import traceback
from pathlib import Path
from typing import Any

import httpx
import pytest

from telegram_channel.core.ids import ChatId, FileRef, MessageId, PressId, ThreadId
from telegram_channel.core.outgoing import (
    Button,
    Downloaded,
    NotDownloaded,
    OutFile,
    OutMessage,
    PartlySent,
    Refused,
    SendOutcome,
    Sent,
    Uncertain,
)
from telegram_channel.core.text import Markdown, Plain, Span, Style, styled, utf16_len
from telegram_channel.errors import (
    Ambiguous,
    BadRequest,
    BadToken,
    ChatClosed,
    ChatError,
    ChatMoved,
    ConfigurationError,
    FloodWait,
    PollingConflict,
    Unreachable,
)
from telegram_channel.ports import Chat
from telegram_channel.tg.client import TelegramChat
from telegram_channel.tg.limits import DOWNLOAD_BYTES, MOST_ENTITIES, PHOTO_BYTES, REACTIONS, TEXT_UNITS, UPLOAD_BYTES
from tests.clock import ManualClock
from tests.tg.server import TOKEN, Server, flood, ok, refused

ANN = ChatId("1001")
GATEWAY_PAGE = httpx.Response(502, text=f"<html>Bad Gateway /bot{TOKEN}/sendMessage</html>")


def text(body: str = "hello", **more: Any) -> OutMessage:
    return OutMessage(ANN, Markdown(body), **more)


async def sent_by(server: Server, message: OutMessage, advance_s: float = 0) -> SendOutcome:
    """The outcome of sending, with time moved on while it is under way."""
    clock = ManualClock()
    chat = server.chat(clock)
    sending = asyncio.create_task(chat.send(message))
    if advance_s:
        await clock.advance(advance_s)
    outcome = await sending
    await chat.close()
    return outcome


def test_it_is_a_chat() -> None:
    chat: Chat = Server().chat()
    assert TOKEN not in repr(chat)


# Texts


async def test_a_text_is_sent_with_entities_and_without_a_preview() -> None:
    """MUST R20: Markdown becomes entities, never a parse error."""
    server = Server()
    assert await sent_by(server, text("see **this** [x](https://x.org)")) == Sent((MessageId("101"),))
    (request,) = server.requests
    assert request.params["text"] == "see this x"
    assert request.json("entities") == [
        {"type": "bold", "offset": 4, "length": 4},
        {"type": "text_link", "offset": 9, "length": 1, "url": "https://x.org"},
    ]
    assert request.json("link_preview_options") == {"is_disabled": True}
    assert not {"parse_mode", "message_thread_id", "reply_parameters", "reply_markup"} & set(request.params)


async def test_reply_thread_silence_and_buttons_are_passed_on() -> None:
    """MUST R1: an answer goes to the topic it came from."""
    server = Server()
    buttons = ((Button("Yes", "perm:1"), Button("Copy", copy="x")), ())
    await sent_by(server, text(reply_to=MessageId("7"), thread=ThreadId("12"), silent=True, buttons=buttons))
    (request,) = server.requests
    assert request.json("reply_parameters") == {"message_id": 7, "allow_sending_without_reply": True}
    assert request.params["message_thread_id"] == "12"
    assert request.params["disable_notification"] == "true"
    assert request.json("reply_markup") == {
        "inline_keyboard": [
            [{"text": "Yes", "callback_data": "perm:1"}, {"text": "Copy", "copy_text": {"text": "x"}}]
        ]
    }


async def test_an_answer_to_the_general_topic_names_no_thread() -> None:
    server = Server()
    await sent_by(server, text(thread=ThreadId("1")))
    assert "message_thread_id" not in server.requests[0].params


async def test_only_the_first_part_replies_and_only_the_last_has_buttons() -> None:
    server = Server()
    outcome = await sent_by(
        server, text("\n\n".join(["x" * 3000] * 3), reply_to=MessageId("7"), buttons=((Button("A", "a"),),))
    )
    assert outcome == Sent((MessageId("101"), MessageId("102"), MessageId("103")))
    assert ["reply_parameters" in request.params for request in server.requests] == [True, False, False]
    assert ["reply_markup" in request.params for request in server.requests] == [False, False, True]


async def test_a_long_answer_becomes_a_preview_and_a_file() -> None:
    """MUST R21: more than four parts become the first part and the whole answer as a file."""
    server = Server()
    source = "word " * 10_000
    outcome = await sent_by(server, text(source))
    assert isinstance(outcome, Sent)
    assert [request.method for request in server.requests] == ["sendMessage", "sendDocument"]
    assert server.requests[1].files["document"] == ("answer.md", source.encode())


async def test_a_text_whose_entities_are_refused_is_sent_plainly_once() -> None:
    """MUST R20: Markdown becomes entities, never a parse error."""
    server = Server()
    server.put("sendMessage", refused(400, "Bad Request: can't parse entities: strange"))
    assert isinstance(await sent_by(server, text("**b**")), Sent)
    assert ["entities" in request.params for request in server.requests] == [True, False]


async def test_a_plain_text_that_is_refused_is_not_sent_again() -> None:
    server = Server()
    server.put("sendMessage", refused(400, "Bad Request: can't parse entities: strange"))
    assert isinstance(await sent_by(server, text("b")), Refused)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (text(" \n"), "nothing to send"),
        (OutMessage(ChatId("@ann"), Plain("x")), "'@ann' is not an id"),
        (text(reply_to=MessageId("x")), "'x' is not an id"),
        (text(buttons=((Button("A", "x" * 65),),)), "1 to 64 bytes; this has 65"),
        (text(buttons=((Button("A", "é" * 33),),)), "1 to 64 bytes; this has 66"),
        (text(buttons=((Button("A"),),)), "1 to 64 bytes; this has 0"),
        (text(buttons=((Button(" ", "x"),),)), "no label"),
        (text(buttons=((Button("A", copy="x" * 257),),)), "at most 256 characters"),
        (text(buttons=tuple((Button("A", "x"),) for _ in range(101))), "more than 100 buttons"),
        (text(files=(OutFile("no.txt", Path("/does/not/exist")),)), "no.txt cannot be read"),
        (text(files=(OutFile("dir", Path("/tmp")),)), "dir is not a file"),  # noqa: S108 - any directory does
        (text(files=(OutFile("e", content=b""),)), "e is empty"),
        (text(files=(OutFile("big", content=b"x" * (UPLOAD_BYTES + 1)),)), "at most 50,000,000"),
    ],
)
async def test_what_telegram_would_refuse_is_refused_before_anything_leaves(message: OutMessage, words: str) -> None:
    """MUST R13: nothing half-done is reported as done."""
    server = Server()
    outcome = await sent_by(server, message)
    assert isinstance(outcome, Refused)
    assert words in outcome.cause
    assert server.requests == []


# Files


def photo(name: str = "p.png") -> OutFile:
    return OutFile(name, content=b"PNG", as_photo=True)


async def test_a_file_is_read_from_disk_and_sent_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"content" * 1000)
    server = Server()
    outcome = await sent_by(server, OutMessage(ANN, Plain(""), files=(OutFile("report.pdf", path),)))
    assert isinstance(outcome, Sent)
    (request,) = server.requests
    assert (request.method, request.files["document"]) == ("sendDocument", ("report.pdf", b"content" * 1000))


async def test_photos_travel_together_and_documents_apart_from_them() -> None:
    server = Server()
    files = (photo("1.png"), photo("2.png"), OutFile("a.txt", content=b"a"), photo("3.png"))
    outcome = await sent_by(server, text(files=files))
    assert isinstance(outcome, Sent)
    assert len(outcome.refs) == 5
    assert [r.method for r in server.requests] == ["sendMessage", "sendMediaGroup", "sendDocument", "sendPhoto"]
    media = server.requests[1].json("media")
    assert [one["type"] for one in media] == ["photo", "photo"]
    names = {server.requests[1].files[one["media"].removeprefix("attach://")][0] for one in media}
    assert names == {"1.png", "2.png"}


async def test_an_album_has_at_most_ten_files() -> None:
    server = Server()
    await sent_by(server, OutMessage(ANN, Plain(""), files=tuple(photo() for _ in range(12))), advance_s=30)
    assert [len(r.json("media")) for r in server.of("sendMediaGroup")] == [10, 2]


async def test_a_photo_too_large_for_a_photo_is_a_document() -> None:
    server = Server()
    large = OutFile("p.png", content=b"x" * (PHOTO_BYTES + 1), as_photo=True)
    await sent_by(server, OutMessage(ANN, Plain(""), files=(large,)))
    assert server.requests[0].method == "sendDocument"


async def test_a_photo_that_is_none_goes_as_a_document() -> None:
    server = Server()
    server.put("sendPhoto", refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"))
    server.put("sendMediaGroup", refused(400, "Bad Request: IMAGE_PROCESS_FAILED"))
    files = (photo("1"), photo("2"), OutFile("a", content=b"a"), photo("3"))
    outcome = await sent_by(server, OutMessage(ANN, Plain(""), files=files), advance_s=30)
    assert isinstance(outcome, Sent)
    assert len(outcome.refs) == 4
    assert [r.files["document"][0] for r in server.of("sendDocument")] == ["1", "2", "a", "3"]


async def test_without_a_text_the_last_file_carries_the_buttons() -> None:
    server = Server()
    files = (photo(), photo())
    await sent_by(server, OutMessage(ANN, Plain(""), files=files, buttons=((Button("A", "a"),),)))
    assert [r.method for r in server.requests] == ["sendPhoto", "sendPhoto"]
    assert ["reply_markup" in r.params for r in server.requests] == [False, True]


async def test_a_file_that_vanishes_after_the_text_is_said_to_be_missing(tmp_path: Path) -> None:
    """MUST R13: nothing half-done is reported as done."""
    path = tmp_path / "gone.txt"
    path.write_text("x")
    server = Server()

    async def vanish() -> httpx.Response:
        path.unlink()
        return ok({"message_id": 101, "date": 1, "chat": {"id": 1001, "type": "private"}})

    server.put("sendMessage", vanish)
    outcome = await sent_by(server, text(files=(OutFile("gone.txt", path),)))
    assert isinstance(outcome, PartlySent)
    assert (outcome.refs, outcome.of, outcome.uncertain) == ((MessageId("101"),), 2, False)
    assert "gone.txt cannot be read" in outcome.cause


# Honest outcomes


@pytest.mark.parametrize(
    "failure",
    [httpx.ReadTimeout("late"), httpx.WriteTimeout("late"), httpx.RemoteProtocolError("cut"), httpx.ReadError("cut")],
    ids=lambda failure: type(failure).__name__,
)
async def test_what_may_have_been_sent_is_never_sent_again(failure: Exception) -> None:
    """MUST R22: ambiguous sends are reported as ambiguous and never repeated."""
    server = Server()
    server.put("sendMessage", failure)
    outcome = await sent_by(server, text(), advance_s=90)
    assert isinstance(outcome, Uncertain)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        GATEWAY_PAGE,
        refused(500, "Internal Server Error"),
        httpx.Response(200, text="{broken"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"ok": True}),
        ok({"message": "without an id"}),
        ok("surprise"),
        ok(None),
    ],
)
async def test_an_answer_that_cannot_be_read_is_ambiguous(answer: httpx.Response) -> None:
    """MUST R22: ambiguous sends are reported as ambiguous and never repeated."""
    server = Server()
    server.put("sendMessage", answer)
    outcome = await sent_by(server, text(), advance_s=90)
    assert isinstance(outcome, Uncertain)
    assert "SECRET" not in outcome.cause
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "failure",
    [httpx.ConnectError("no"), httpx.ConnectTimeout("no"), httpx.PoolTimeout("no"), httpx.ProxyError("no")],
    ids=lambda failure: type(failure).__name__,
)
async def test_what_never_left_is_sent_again(failure: Exception) -> None:
    server = Server()
    server.put("sendMessage", failure, failure)
    assert isinstance(await sent_by(server, text(), advance_s=3), Sent)
    assert len(server.requests) == 3


async def test_what_cannot_leave_at_all_is_refused_within_a_minute() -> None:
    server = Server()
    server.put("sendMessage", *[httpx.ConnectError("no")] * 20)
    outcome = await sent_by(server, text(), advance_s=60)
    assert isinstance(outcome, Refused)
    assert "could not be reached" in outcome.cause
    assert len(server.requests) == 6


async def test_a_flood_is_waited_out_exactly() -> None:
    """MUST R23: a flood wait is kept exactly, per chat."""
    server = Server()
    server.put("sendMessage", flood(7))
    clock = ManualClock()
    chat = server.chat(clock)
    sending = asyncio.create_task(chat.send(text()))
    await clock.advance(6.9)
    assert len(server.requests) == 1
    await clock.advance(0.1)
    assert isinstance(await sending, Sent)
    assert len(server.requests) == 2


async def test_a_flood_longer_than_a_minute_is_said_and_kept() -> None:
    """MUST R23: a flood wait is kept exactly, per chat."""
    server = Server()
    server.put("sendMessage", flood(300))
    clock = ManualClock()
    chat = server.chat(clock)
    for _ in range(2):
        outcome = await chat.send(text())
        assert isinstance(outcome, Refused)
        assert "300 seconds" in outcome.cause
    assert len(server.requests) == 1
    await clock.advance(301)
    assert isinstance(await chat.send(text()), Sent)


async def test_a_flood_in_one_chat_leaves_others_alone() -> None:
    """MUST R24: one slow or flooded chat never delays another."""
    server = Server()
    server.put("sendMessage", flood(30))
    clock = ManualClock()
    chat = server.chat(clock)
    held = asyncio.create_task(chat.send(text()))
    await clock.settle()
    assert isinstance(await chat.send(OutMessage(ChatId("2002"), Plain("x"))), Sent)
    assert not held.done()
    await clock.advance(30)
    assert isinstance(await held, Sent)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (
            refused(403, "Forbidden: bot was blocked by the user"),
            Refused(
                "Telegram refused it: Forbidden: bot was blocked by the user. " + ChatClosed.default_remedy, True
            ),
        ),
        (
            refused(400, "Bad Request: chat not found"),
            Refused("Telegram refused it: Bad Request: chat not found. " + ChatClosed.default_remedy, True),
        ),
        (
            refused(400, "Bad Request: group upgraded", migrate_to_chat_id=-100777),
            Refused("The group became a supergroup.", moved_to=ChatId("-100777")),
        ),
        (
            refused(400, "Bad Request: message thread not found"),
            Refused("Telegram refused it: Bad Request: message thread not found.", topic_gone=True),
        ),
    ],
)
async def test_a_refusal_says_what_it_means_for_the_chat(answer: httpx.Response, outcome: Refused) -> None:
    server = Server()
    server.put("sendMessage", answer)
    assert await sent_by(server, text()) == outcome


@pytest.mark.parametrize(
    ("answer", "uncertain"), [(refused(403, "Forbidden: no"), False), (httpx.ReadTimeout("late"), True)]
)
async def test_a_broken_off_answer_says_how_much_arrived(answer: Any, uncertain: bool) -> None:
    """MUST R13: nothing half-done is reported as done."""
    server = Server()
    server.put("sendMessage", ok({"message_id": 5, "date": 1, "chat": {"id": 1001, "type": "private"}}), answer)
    outcome = await sent_by(server, text("\n\n".join(["x" * 3000] * 3)))
    assert isinstance(outcome, PartlySent)
    assert (outcome.refs, outcome.of, outcome.uncertain) == ((MessageId("5"),), 3, uncertain)
    assert len(server.requests) == 2


async def test_answers_to_one_chat_stay_in_order_and_cards_go_first() -> None:
    """MUST R25: permission cards go before everything else that waits for their chat."""
    server = Server()
    gate = asyncio.Event()

    async def when_opened() -> httpx.Response:
        await gate.wait()
        return ok({"message_id": 1, "date": 1, "chat": {"id": 1001, "type": "private"}})

    server.put("sendMessage", when_opened)
    clock = ManualClock()
    chat = server.chat(clock)
    async with asyncio.TaskGroup() as group:
        for body in ("one", "two", "x" * 5000):
            group.create_task(chat.send(text(body)))
        group.create_task(chat.send(text("CARD", urgent=True)))
        await clock.settle()
        gate.set()
        await clock.advance(5)
    assert [r.params["text"][:4] for r in server.requests] == ["one", "CARD", "two", "xxxx", "xxxx"]


# Errors and the token


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(401, "Unauthorized"), BadToken),
        (refused(404, "Not Found"), BadToken),
        (refused(409, "Conflict: terminated by other getUpdates request"), PollingConflict),
        (flood(3), FloodWait),
        (httpx.Response(429, text="slow down"), FloodWait),
        (refused(403, "Forbidden: x"), ChatClosed),
        (refused(400, "Bad Request: x"), BadRequest),
        (refused(400, "Bad Request: x", migrate_to_chat_id=-1), ChatMoved),
        (httpx.Response(413, text="<html>"), BadRequest),
        (httpx.Response(200, json={"ok": False, "error_code": 403, "description": "Forbidden: x"}), ChatClosed),
        (httpx.Response(404, text="<html>hotel login</html>"), Unreachable),
        (httpx.Response(302, headers={"location": "http://login.test"}), Unreachable),
        (GATEWAY_PAGE, Ambiguous),
        (refused(502, "Bad Gateway"), Ambiguous),
        (httpx.Response(200, text="<html>"), Ambiguous),
        (httpx.ConnectError(f"http://tg.test/bot{TOKEN}/x"), Unreachable),
        (httpx.ReadTimeout(f"http://tg.test/bot{TOKEN}/x"), Ambiguous),
        (RuntimeError(f"bot{TOKEN}"), Ambiguous),
        (ValueError(f"bot{TOKEN.replace(':', '%3A')}"), Ambiguous),
    ],
)
@pytest.mark.parametrize("method", ["getMe", "getUpdates"])
async def test_every_failure_has_its_class_and_hides_the_token(
    method: str, answer: Any, kind: type[ChatError], caplog: pytest.LogCaptureFixture
) -> None:
    """MUST L1: the token is never logged: not in messages, arguments, exceptions, causes or notes."""
    caplog.set_level(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    server = Server()
    server.put(method, answer)
    chat = server.chat()
    with pytest.raises(kind) as caught:
        await (chat.identity() if method == "getMe" else chat.fetch(None, 1))
    assert type(caught.value) is kind
    told = "".join(traceback.format_exception(caught.value)) + caught.value.explained() + caplog.text
    assert "SECRET" not in told
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_a_rejected_token_is_not_named() -> None:
    """MUST L1: the token is never logged: not in messages, arguments, exceptions, causes or notes."""
    server = Server()
    server.put("getMe", refused(401, f"Unauthorized: {TOKEN}"))
    with pytest.raises(BadToken) as caught:
        await server.chat().identity()
    assert "SECRET" not in str(caught.value)


async def test_the_words_of_a_broken_answer_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """MUST I8: a stranger's text is neither stored nor logged."""
    server = Server()
    server.put("getUpdates", httpx.Response(200, text='{"ok": true, "result": [{"text": "private words"'))
    with pytest.raises(Ambiguous):
        await server.chat().fetch(None, 1)
    assert "private words" not in caplog.text


@pytest.mark.parametrize("proxy", ["nonsense://x:1", "socks5://user:secret@x:1"])
def test_a_proxy_that_cannot_be_used_is_a_setting_to_mend(proxy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TelegramChat(TOKEN, ManualClock(), proxy=proxy)
    assert "secret" not in str(caught.value)


async def test_the_bot_is_asked_for_once() -> None:
    server = Server()
    server.put("getMe", refused(502, "Bad Gateway"))
    chat = server.chat()
    with pytest.raises(Ambiguous):
        await chat.identity()
    first = await chat.identity()
    assert (first.bot, first.username, first.name, first.reads_all_group_messages) == (
        "4242",
        "claude_bot",
        "Claude",
        False,
    )
    assert await chat.identity() is first
    assert len(server.requests) == 2


# Polling


async def test_updates_come_as_they_are_and_the_offset_is_sent_only_when_known() -> None:
    server = Server()
    server.put("getUpdates", ok([{"update_id": 5, "strange": 1}]))
    chat = server.chat()
    assert await chat.fetch(None, 25) == [{"update_id": 5, "strange": 1}]
    await chat.fetch(6, 25)
    first, second = server.requests
    assert "offset" not in first.params
    assert second.params["offset"] == "6"
    assert (second.params["timeout"], second.params["limit"]) == ("25", "100")
    assert "message_reaction" in second.json("allowed_updates")


async def test_a_result_that_is_no_list_is_a_failure() -> None:
    server = Server()
    server.put("getUpdates", ok({"update_id": 5}))
    with pytest.raises(Ambiguous):
        await server.chat().fetch(None, 1)


async def test_polling_goes_on_after_its_connections_were_rebuilt() -> None:
    """MUST P9: two minutes without one completed poll, and the transport is rebuilt."""
    server = Server()
    chat = server.chat()
    await chat.rebuild()
    assert await chat.fetch(None, 1) == []
    await chat.close()
    await chat.close()


# Edits


async def test_an_edit_replaces_text_and_buttons() -> None:
    server = Server()
    outcome = await server.chat().edit(ANN, MessageId("7"), Markdown("**b**"), ((Button("A", "a"),),))
    assert outcome == Sent((MessageId("7"),))
    (request,) = server.requests
    assert (request.method, request.params["text"], request.params["message_id"]) == ("editMessageText", "b", "7")
    assert request.json("reply_markup")["inline_keyboard"][0][0]["text"] == "A"


async def test_an_edit_without_a_body_replaces_the_buttons_only() -> None:
    server = Server()
    await server.chat().edit(ANN, MessageId("7"), None)
    (request,) = server.requests
    assert request.method == "editMessageReplyMarkup"
    assert set(request.params) == {"chat_id", "message_id"}


async def test_a_newer_edit_replaces_one_that_has_not_left() -> None:
    server = Server()
    server.put("editMessageText", flood(10))
    clock = ManualClock()
    chat = server.chat(clock)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(chat.edit(ANN, MessageId("7"), Plain("1")))
        await clock.settle()
        later = [group.create_task(chat.edit(ANN, MessageId("7"), Plain(str(n)))) for n in range(2, 6)]
        other = group.create_task(chat.edit(ANN, MessageId("8"), Plain("other")))
        buttons = group.create_task(chat.edit(ANN, MessageId("7"), None, ((Button("A", "a"),),)))
        await clock.advance(10)
    assert [r.params["text"] for r in server.requests] == ["1", "5", "other"]
    assert "A" in server.requests[1].params["reply_markup"]
    assert {task.result() for task in (first, *later, buttons)} == {Sent((MessageId("7"),))}
    assert other.result() == Sent((MessageId("8"),))


async def test_an_edit_that_changes_nothing_is_done() -> None:
    server = Server()
    server.put("editMessageText", refused(400, "Bad Request: message is not modified: specified new message content"))
    assert await server.chat().edit(ANN, MessageId("7"), Plain("x")) == Sent((MessageId("7"),))


async def test_an_edit_may_be_repeated_because_it_ends_the_same() -> None:
    server = Server()
    server.put("editMessageText", httpx.ReadTimeout("late"), GATEWAY_PAGE)
    clock = ManualClock()
    editing = asyncio.create_task(server.chat(clock).edit(ANN, MessageId("7"), Plain("x")))
    await clock.advance(5)
    assert await editing == Sent((MessageId("7"),))


@pytest.mark.parametrize(("body", "words"), [("x" * 4097, "does not fit"), (" ", "blank")])
async def test_an_edit_that_cannot_be_one_message_is_refused(body: str, words: str) -> None:
    server = Server()
    outcome = await server.chat().edit(ANN, MessageId("7"), Plain(body))
    assert isinstance(outcome, Refused)
    assert words in outcome.cause
    assert server.requests == []


async def test_whoever_stops_waiting_for_an_edit_does_not_stop_it() -> None:
    server = Server()
    server.put("editMessageText", flood(10))
    clock = ManualClock()
    chat = server.chat(clock)
    impatient = asyncio.create_task(chat.edit(ANN, MessageId("7"), Plain("1")))
    await clock.settle()
    patient = asyncio.create_task(chat.edit(ANN, MessageId("7"), Plain("2")))
    await clock.settle()
    impatient.cancel()
    await clock.advance(10)
    assert await patient == Sent((MessageId("7"),))


async def test_closing_drops_edits_that_have_not_left() -> None:
    server = Server()
    server.put("editMessageText", flood(10))
    clock = ManualClock()
    chat = server.chat(clock)
    editing = asyncio.create_task(chat.edit(ANN, MessageId("7"), Plain("1")))
    await clock.settle()
    await chat.close()
    with pytest.raises(asyncio.CancelledError):
        await editing


# Reactions and the small things


@pytest.mark.parametrize("emoji", ["👀", "❤", "❤\ufe0f", "👨\u200d💻"])
async def test_an_allowed_reaction_is_set(emoji: str) -> None:
    server = Server()
    assert await server.chat().react(ANN, MessageId("7"), emoji) == Sent((MessageId("7"),))
    assert server.requests[0].json("reaction") == [{"type": "emoji", "emoji": emoji.replace("\ufe0f", "")}]


async def test_a_reaction_is_cleared() -> None:
    server = Server()
    assert await server.chat().react(ANN, MessageId("7"), None) == Sent((MessageId("7"),))
    assert server.requests[0].json("reaction") == []


@pytest.mark.parametrize("emoji", ["✅", "❌", "x", "👍👍"])
async def test_a_reaction_telegram_does_not_know_is_refused_with_alternatives(emoji: str) -> None:
    server = Server()
    outcome = await server.chat().react(ANN, MessageId("7"), emoji)
    assert isinstance(outcome, Refused)
    assert "👍" in outcome.cause
    assert server.requests == []


def test_the_reactions_we_use_ourselves_are_allowed() -> None:
    assert {"👀", "👍", "👎", "🤔"} <= REACTIONS
    assert len(REACTIONS) == 73


async def test_typing_names_the_topic_and_fails_silently() -> None:
    server = Server()
    server.put("sendChatAction", refused(403, "Forbidden: x"), httpx.ReadTimeout("late"))
    chat = server.chat()
    await chat.typing(ANN, ThreadId("12"))
    await chat.typing(ANN)
    await chat.typing(ChatId("nonsense"))
    assert [r.params.get("message_thread_id") for r in server.requests] == ["12", None]
    assert server.requests[0].params["action"] == "typing"


async def test_nothing_is_typed_where_telegram_asked_for_a_pause() -> None:
    server = Server()
    server.put("sendMessage", flood(300))
    chat = server.chat()
    await chat.send(text())
    await chat.typing(ANN)
    assert len(server.requests) == 1


async def test_a_draft_is_rendered_like_any_other_markdown() -> None:
    server = Server()
    await server.chat().draft(ANN, 77, Markdown("see **this**"), ThreadId("12"))
    (request,) = server.requests
    assert request.method == "sendMessageDraft"
    assert (request.params["chat_id"], request.params["draft_id"]) == ("1001", "77")
    assert (request.params["text"], request.params["message_thread_id"]) == ("see this", "12")
    assert request.json("entities") == [{"type": "bold", "offset": 4, "length": 4}]


@pytest.mark.parametrize("body", ["word " * 2_000, "😀" * 5_000, "[x](https://x.org) " * 3_000, "*a* " * 30_000])
async def test_a_draft_that_is_too_long_shows_its_beginning(body: str) -> None:
    server = Server()
    await server.chat().draft(ANN, 1, Markdown(body))
    shown = server.requests[0].params["text"]
    assert utf16_len(shown) <= TEXT_UNITS
    assert shown.endswith("\n…")
    assert len(json.loads(server.requests[0].params.get("entities", "[]"))) <= MOST_ENTITIES


@pytest.mark.parametrize(
    ("chat", "body", "thread"),
    [
        ("-1001", "x", None),
        ("nonsense", "x", None),
        ("1001", " \n", None),
        ("1001", "x", "nonsense"),
    ],
    ids=["group", "no chat", "blank", "no topic"],
)
async def test_a_draft_that_nobody_could_be_shown_does_not_leave(chat: str, body: str, thread: str | None) -> None:
    server = Server()
    await server.chat().draft(ChatId(chat), 1, Markdown(body), ThreadId(thread) if thread else None)
    assert server.requests == []


@pytest.mark.parametrize("failure", [refused(403, "Forbidden: x"), refused(400, "no"), httpx.ReadTimeout("late")])
async def test_a_draft_that_fails_fails_silently_and_once(failure: Any) -> None:
    server = Server()
    server.put("sendMessageDraft", failure)
    chat = server.chat()
    await chat.draft(ANN, 1, Markdown("x"))
    assert len(server.requests) == 1
    assert isinstance(await chat.send(text()), Sent)


async def test_no_draft_is_shown_where_telegram_asked_for_a_pause() -> None:
    """MUST R23: a flood wait is kept exactly, per chat."""
    server = Server()
    server.put("sendMessage", flood(300))
    clock = ManualClock()
    chat = server.chat(clock)
    await chat.send(text())
    await chat.draft(ANN, 1, Markdown("x"))
    assert server.of("sendMessageDraft") == []
    await clock.advance(300)
    await chat.draft(ANN, 1, Markdown("x"))
    assert len(server.of("sendMessageDraft")) == 1


async def test_a_pause_for_drafts_holds_back_drafts_and_nothing_else() -> None:
    """MUST a pause that Telegram asks for because of drafts holds back drafts alone."""
    server = Server()
    server.put("sendMessageDraft", flood(30))
    clock = ManualClock()
    chat = server.chat(clock)
    await chat.draft(ANN, 1, Markdown("x"))
    await chat.draft(ANN, 1, Markdown("xy"))
    assert isinstance(await chat.send(text()), Sent)
    assert [request.method for request in server.requests] == ["sendMessageDraft", "sendMessage"]
    await clock.advance(30)
    await chat.draft(ANN, 1, Markdown("xyz"))
    assert len(server.of("sendMessageDraft")) == 2


async def test_drafts_take_nothing_from_the_pace_of_answers() -> None:
    server = Server()
    clock = ManualClock()
    chat = server.chat(clock)
    for number in range(1, 41):
        await chat.draft(ANN, number, Markdown("x"))
    assert isinstance(await chat.send(text()), Sent)
    assert clock.naps == []


async def test_a_press_is_answered_within_the_limit() -> None:
    server = Server()
    chat = server.chat()
    await chat.answer_press(PressId("9"), "x" * 300, alert=True)
    await chat.answer_press(PressId("10"))
    first, second = server.requests
    assert (len(first.params["text"]), first.params["show_alert"]) == (200, "true")
    assert set(second.params) == {"callback_query_id"}


async def test_commands_are_announced() -> None:
    server = Server()
    await server.chat().announce_commands({"start": "Begin", "help": "What I can do"})
    assert server.requests[0].json("commands")[1] == {"command": "help", "description": "What I can do"}


# Downloads


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def test_a_file_arrives_whole(tmp_path: Path) -> None:
    server = Server()
    assert await server.chat().download(FileRef("F"), tmp_path / "a.jpg") == Downloaded(5)
    assert (tmp_path / "a.jpg").read_bytes() == b"12345"
    assert names_in(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize("server_path", ["/etc/passwd", "C:\\x\\y", "a b?c#d/e", "//evil.test/x"])
async def test_the_servers_path_never_decides_where_a_file_goes(tmp_path: Path, server_path: str) -> None:
    """MUST R27: a path that a server names never leads to a file of this machine."""
    server = Server()
    server.put("getFile", ok({"file_id": "F", "file_unique_id": "U", "file_path": server_path}))
    assert await server.chat().download(FileRef("F"), tmp_path / "a.jpg") == Downloaded(5)
    assert names_in(tmp_path) == ["a.jpg"]
    assert (tmp_path / "a.jpg").read_bytes() == b"12345"
    assert server.paths[-1].startswith(f"/file/bot{TOKEN}/")


@pytest.mark.parametrize(
    ("answers", "again"),
    [
        ({"getFile": refused(400, "Bad Request: wrong file_id")}, False),
        ({"getFile": refused(400, "Bad Request: file is too big")}, False),
        ({"getFile": ok({"file_id": "F", "file_unique_id": "U", "file_path": "x", "file_size": 10**9})}, False),
        ({"getFile": ok({"file_id": "F", "file_unique_id": "U"})}, True),
        ({"getFile": ok({"file_id": "F", "file_unique_id": "U", "file_path": "x/../../secret"})}, False),
        ({"getFile": httpx.ReadTimeout("late")}, True),
        ({"getFile": GATEWAY_PAGE}, True),
        ({"getFile": flood(5)}, True),
        ({"file": httpx.Response(200, content=b"1234")}, True),
        ({"file": httpx.Response(200, content=b"x" * (DOWNLOAD_BYTES + 1))}, False),
        ({"file": httpx.Response(404, json={"ok": False})}, True),
        ({"file": httpx.Response(302, headers={"location": "http://evil.test/"})}, True),
        ({"file": httpx.ReadError(f"/file/bot{TOKEN}/x")}, True),
    ],
)
async def test_a_file_that_does_not_arrive_whole_does_not_arrive(
    tmp_path: Path, answers: dict[str, Any], again: bool
) -> None:
    """MUST R28: a file is on disk whole or not at all."""
    server = Server()
    for method, answer in answers.items():
        server.put(method, answer)
    outcome = await server.chat().download(FileRef("F"), tmp_path / "a.jpg")
    assert isinstance(outcome, NotDownloaded)
    assert outcome.again is again
    assert "SECRET" not in outcome.cause
    assert names_in(tmp_path) == []


async def test_a_directory_that_cannot_be_written_to_is_named_as_the_reason(tmp_path: Path) -> None:
    outcome = await Server().chat().download(FileRef("F"), tmp_path / "missing" / "a.jpg")
    assert isinstance(outcome, NotDownloaded)
    assert "could not be written" in outcome.cause


async def test_a_download_that_is_called_off_leaves_nothing_behind(tmp_path: Path) -> None:
    """MUST R28: a file is on disk whole or not at all."""
    server = Server()
    arrived = asyncio.Event()

    async def never() -> httpx.Response:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    server.put("file", never)
    downloading = asyncio.create_task(server.chat().download(FileRef("F"), tmp_path / "a.jpg"))
    async with asyncio.timeout(5):
        await arrived.wait()
    downloading.cancel()
    await asyncio.wait({downloading})
    assert names_in(tmp_path) == []


async def test_composed_cards_are_sent_as_composed() -> None:
    server = Server()
    await server.chat().send(OutMessage(ANN, styled("Run ", Span("rm -rf *", Style.PRE, "sh"))))
    (request,) = server.requests
    assert request.params["text"] == "Run rm -rf *"
    assert request.json("entities") == [{"type": "pre", "offset": 4, "length": 8, "language": "sh"}]
