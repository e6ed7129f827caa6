"""Limits of size, number and time: presses, reactions, files, pictures, albums, drafts, floods."""

from typing import Any

import pytest

from telegram_channel.demo.botapi_checks import REACTIONS, image_size
from telegram_channel.demo.botapi_wire import Upload
from telegram_channel.demo.phone import picture
from tests.demo.desk import Desk

ADA = 7_000_000_001
BAD = "400 Bad Request: "


def keyboard(*buttons: Any) -> dict[str, Any]:
    return {"reply_markup": {"inline_keyboard": [list(buttons)]}}


def test_a_press_is_answered_once_and_in_time() -> None:
    desk = Desk()
    desk.send("?", **keyboard({"text": "Yes", "callback_data": "y"}))
    gone = "400 Bad Request: query is too old and response timeout expired or query ID is invalid"

    first = desk.phone.press("Yes")
    desk.call("answerCallbackQuery", callback_query_id=first.id, text="noted", show_alert=True)
    assert desk.refusal("answerCallbackQuery", callback_query_id=first.id) == gone
    assert (first.toast, first.is_alert) == ("noted", True)

    late = desk.phone.press("y")
    desk.now += 61
    assert desk.refusal("answerCallbackQuery", callback_query_id=late.id) == gone

    wordy = desk.phone.press("y")
    assert desk.refusal("answerCallbackQuery", callback_query_id=wordy.id, text="x" * 201) == (
        "400 Bad Request: MESSAGE_TOO_LONG"
    )


def test_only_reactions_of_the_list_are_taken() -> None:
    desk = Desk()

    for emoji in REACTIONS:
        desk.call("setMessageReaction", chat_id=ADA, message_id=1, reaction=[{"type": "emoji", "emoji": emoji}])
        assert desk.phone.reactions(desk.first) == [emoji]
    desk.call("setMessageReaction", chat_id=ADA, message_id=1, reaction=[])
    assert desk.phone.reactions(desk.first) == []
    assert len(REACTIONS) == 73


@pytest.mark.parametrize(
    ("method", "upload", "words"),
    [
        ("sendPhoto", Upload("a.txt", b"no image"), BAD + "IMAGE_PROCESS_FAILED"),
        ("sendPhoto", Upload("a.png", picture(2000, 99)), BAD + "PHOTO_INVALID_DIMENSIONS"),
        ("sendPhoto", Upload("a.png", picture(9000, 1001)), BAD + "PHOTO_INVALID_DIMENSIONS"),
        ("sendDocument", Upload("a.txt", b""), BAD + "file must be non-empty"),
    ],
    ids=["no image", "too flat", "too large", "empty"],
)
def test_a_file_that_the_platform_would_not_take_is_refused(method: str, upload: Upload, words: str) -> None:
    field = method.removeprefix("send").lower()

    assert Desk().refusal(method, {field: upload}, chat_id=ADA) == words


def test_a_photo_has_at_most_10_megabytes_and_an_upload_50() -> None:
    desk = Desk()

    assert desk.refusal("sendPhoto", {"photo": Upload("a.png", bytes(10 * 1024 * 1024 + 1))}, chat_id=ADA) == (
        "400 Bad Request: file of size 10485761 bytes is too big for a photo; the maximum size is 10485760 bytes"
    )
    assert desk.refusal("sendDocument", {"document": Upload("a", bytes(50 * 1024 * 1024 + 1))}, chat_id=ADA) == (
        "413 Request Entity Too Large"
    )


def test_a_file_over_20_megabytes_cannot_be_downloaded() -> None:
    desk = Desk()
    largest = desk.phone.send_document(b"x", size_bytes=20 * 1024 * 1024).file
    larger = desk.phone.send_document(b"x", size_bytes=20 * 1024 * 1024 + 1).file
    assert largest
    assert larger

    desk.call("getFile", file_id=largest.file_id)
    assert desk.refusal("getFile", file_id=larger.file_id) == "400 Bad Request: file is too big"
    largest.is_lost = True
    assert desk.refusal("getFile", file_id=largest.file_id) == (
        "400 Bad Request: wrong file_id or the file is temporarily unavailable"
    )


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(10) + b"\xff\xc0\x00\x11\x08\x00\xf0\x01\x40" + bytes(12)
GIF = b"GIF89a" + (320).to_bytes(2, "little") + (240).to_bytes(2, "little") + bytes(9)
WEBP = b"RIFF\x20\0\0\0WEBP"


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (picture(320, 240), (320, 240)),
        (JPEG, (320, 240)),
        (JPEG[:20], None),
        (GIF, (320, 240)),
        (WEBP + b"VP8X" + bytes(8) + b"\x3f\x01\x00\xef\x00\x00", (320, 240)),
        (WEBP + b"VP8L" + bytes(5) + (319 | 239 << 14).to_bytes(4, "little") + bytes(9), (320, 240)),
        (WEBP + b"VP8 " + bytes(10) + b"\x40\x01\xf0\x00", (320, 240)),
        (WEBP + bytes(30), None),
        (b"%PDF-1.7 and so on and so on and so on", None),
        (b"", None),
    ],
    ids=["png", "jpeg", "half a jpeg", "gif", "webp, extended", "webp, lossless", "webp", "riff", "pdf", "nothing"],
)
def test_the_platform_looks_into_pictures(content: bytes, size: tuple[int, int] | None) -> None:
    assert image_size(content) == size


def test_a_bot_deletes_and_pins_only_what_it_may() -> None:
    desk = Desk()
    group = desk.phone.create_group("Crew", desk.bot)
    theirs = desk.phone.say("/theirs", chat=group)
    own = desk.call("sendMessage", chat_id=group.id, text="own")["message_id"]
    place = {"chat_id": group.id, "message_id": theirs.id}

    assert desk.refusal("deleteMessage", **place) == "400 Bad Request: message can't be deleted"
    for method in ("pinChatMessage", "unpinChatMessage"):
        assert desk.refusal(method, **place) == (
            "400 Bad Request: not enough rights to manage pinned messages in the chat"
        )
    service = next(message for message in desk.phone.history(group) if "new_chat_members" in message.content)
    assert desk.refusal("setMessageReaction", chat_id=group.id, message_id=service.id) == (
        "400 Bad Request: REACTION_INVALID"
    )
    desk.now += 49 * 3600
    assert desk.refusal("deleteMessage", chat_id=group.id, message_id=own) == (
        "400 Bad Request: message can't be deleted for everyone"
    )
    desk.phone.set_member(group, desk.bot, "administrator")
    desk.call("deleteMessage", **place)
    assert theirs not in desk.phone.history(group)


def test_an_album_is_sent_whole_or_not_at_all() -> None:
    desk = Desk()
    media = [{"type": "photo", "media": "attach://a"}, {"type": "photo", "media": "attach://missing"}]

    assert desk.refusal("sendMediaGroup", {"a": Upload("a.png", picture())}, chat_id=ADA, media=media) == (
        "400 Bad Request: there is no photo in the request"
    )
    assert desk.phone.inbox() == []


def test_a_draft_is_for_private_chats_and_gone_when_the_message_is_there() -> None:
    desk = Desk()
    group = desk.phone.create_group("Crew", desk.bot)

    assert desk.refusal("sendMessageDraft", chat_id=group.id, draft_id=1, text="x") == (
        "400 Bad Request: TEXTDRAFT_PEER_INVALID"
    )
    desk.call("sendMessageDraft", chat_id=ADA, draft_id=1, text="thinking")
    assert desk.phone.drafts() == ["thinking"]
    desk.send("done")
    assert desk.phone.drafts() == []
    desk.call("sendMessageDraft", chat_id=ADA, draft_id=2, text="thinking")
    desk.now += 31
    assert desk.phone.drafts() == []


def test_flood_control_asks_to_wait_exactly_as_long_as_needed() -> None:
    desk = Desk(flood_control=True)
    for _ in range(5):
        desk.send()

    answer = desk.answer("sendMessage", {"chat_id": ADA, "text": "x"})

    assert answer.json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 5",
        "parameters": {"retry_after": 5},
    }
    desk.now += 5
    desk.send()


def test_flood_control_lets_20_messages_a_minute_into_a_group() -> None:
    desk = Desk(flood_control=True)
    group = desk.phone.create_group("Crew", desk.bot)
    for _ in range(20):
        desk.call("sendMessage", chat_id=group.id, text="x")
        desk.now += 1

    assert desk.refusal("sendMessage", chat_id=group.id, text="x") == "429 Too Many Requests: retry after 40"
    desk.now += 40
    desk.call("sendMessage", chat_id=group.id, text="x")
