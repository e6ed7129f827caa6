"""What people do reaches the bot in the platform's shapes, and what the bot does is seen on the phone."""

from typing import Any

import pytest
from telegram import Update

from telegram_channel.demo.botapi_wire import Json, Upload
from telegram_channel.demo.phone import picture
from tests.demo.desk import BEGINNING, Desk

EVERYTHING = ["message", "edited_message", "callback_query", "message_reaction", "my_chat_member"]


def news(desk: Desk) -> list[Json]:
    """What the bot is told since the last look, without update ids; every update parses."""
    updates = desk.updates(allowed_updates=EVERYTHING)
    if updates:
        desk.updates(offset=updates[-1]["update_id"] + 1)
    for update in updates:
        Update.de_json(update, None)
    return [{key: value for key, value in update.items() if key != "update_id"} for update in updates]


def message(desk: Desk) -> Json:
    """The one message the bot was told of."""
    (update,) = news(desk)
    found = update["message"]
    assert isinstance(found, dict)
    return found


def test_a_text_arrives_with_its_sender_its_time_and_its_entities() -> None:
    desk = Desk()
    desk.phone.say("/help me @claude_bot", at=BEGINNING - 3600.5)

    assert message(desk) == {
        "message_id": 2,
        "from": {
            "id": 7_000_000_001,
            "is_bot": False,
            "first_name": "Ada",
            "last_name": "Lovelace",
            "username": "ada",
            "language_code": "en",
        },
        "chat": {
            "id": 7_000_000_001,
            "first_name": "Ada",
            "last_name": "Lovelace",
            "username": "ada",
            "type": "private",
        },
        "date": int(BEGINNING - 3600.5),
        "text": "/help me @claude_bot",
        "entities": [
            {"type": "bot_command", "offset": 0, "length": 5},
            {"type": "mention", "offset": 9, "length": 11},
        ],
    }


def test_a_deep_link_starts_the_bot_with_its_payload() -> None:
    desk = Desk()
    desk.bobs.start("ABC123")

    assert message(desk)["text"] == "/start ABC123"
    desk.call("sendMessage", chat_id=desk.bob.id, text="welcome")
    assert [one.text for one in desk.bobs.inbox()] == ["welcome"]


def test_an_answer_shows_what_it_answers_and_the_quoted_part() -> None:
    desk = Desk()
    sent = desk.send("😀 first line")
    target = desk.phone.inbox()[0]
    desk.phone.say("why?", reply_to=target, quote="first")

    seen = message(desk)
    assert seen["reply_to_message"]["message_id"] == sent["message_id"]
    assert seen["quote"] == {"text": "first", "position": 3, "is_manual": True}
    desk.phone.say("and", reply_to=desk.phone.history()[-1])
    assert "reply_to_message" not in message(desk)["reply_to_message"]


@pytest.mark.parametrize("kind", ["photo", "document", "voice", "audio", "video", "video_note", "animation"])
def test_every_kind_of_file_arrives_and_can_be_downloaded(kind: str) -> None:
    desk = Desk()
    content = picture(300, 200) if kind == "photo" else b"content of a file"
    desk.phone.send(kind, content, caption="" if kind == "video_note" else "look")

    seen = message(desk)
    body = seen[kind][-1] if kind == "photo" else seen[kind]
    found = desk.call("getFile", file_id=body["file_id"])
    answer = desk.api.file(desk.bot.token, found["file_path"])
    assert (answer.status, answer.body) == (200, content)
    assert found["file_size"] == body["file_size"] == len(content)
    assert seen.get("caption", "look") == "look"
    assert desk.api.file(desk.bot.token, "nowhere/file_0.bin").status == 404


def test_a_photo_comes_in_sizes_the_largest_last() -> None:
    desk = Desk()
    desk.phone.send_photo(picture(300, 200))

    sizes = message(desk)["photo"]
    assert [(one["width"], one["height"]) for one in sizes] == [(90, 60), (300, 200)]
    assert len({one["file_unique_id"] for one in sizes}) == 2


def test_the_same_content_has_the_same_unique_id() -> None:
    desk = Desk()
    desk.phone.send_document(b"same")
    desk.phone.send_document(b"same")

    first, second = (update["message"]["document"] for update in news(desk))
    assert first["file_unique_id"] == second["file_unique_id"]
    assert first["file_id"] != second["file_id"]


def test_kinds_without_a_file_arrive() -> None:
    desk = Desk()
    phone = desk.phone
    phone.send_sticker("🐳")
    phone.send_location(51.5, -0.1)
    phone.send_venue("Library", "1 Street", 51.5, -0.1)
    phone.send_contact("+4412345", "Charles")
    phone.send_poll("Tea?", ["yes", "no"])
    phone.send_dice(6)

    seen = [update["message"] for update in news(desk)]
    assert seen[0]["sticker"]["emoji"] == "🐳"
    assert seen[1]["location"] == {"latitude": 51.5, "longitude": -0.1}
    assert (seen[2]["venue"]["title"], "location" in seen[2]) == ("Library", True)
    assert seen[3]["contact"]["phone_number"] == "+4412345"
    assert [option["text"] for option in seen[4]["poll"]["options"]] == ["yes", "no"]
    assert seen[5]["dice"] == {"emoji": "🎲", "value": 6}


def test_an_album_arrives_as_messages_of_one_group() -> None:
    desk = Desk()
    desk.phone.album([("photo", None), ("photo", picture(30, 30)), ("video", None)], "holiday")

    seen = [update["message"] for update in news(desk)]
    assert len({one["media_group_id"] for one in seen}) == 1
    assert [one.get("caption") for one in seen] == ["holiday", None, None]


def test_a_forward_names_its_origin() -> None:
    desk = Desk()
    desk.phone.forward(desk.bobs.say("words of Bob"))
    desk.phone.forward("from elsewhere", author="Hidden Name")

    _, shown, hidden = (update["message"] for update in news(desk))
    assert (shown["text"], shown["forward_origin"]["sender_user"]["first_name"]) == ("words of Bob", "Bob")
    assert hidden["forward_origin"]["sender_user_name"] == "Hidden Name"


def test_an_edit_arrives_as_one() -> None:
    desk = Desk()
    photo = desk.phone.send_photo(caption="befor")
    news(desk)
    desk.now += 5
    desk.phone.edit(photo, "before")

    (update,) = news(desk)
    assert update["edited_message"]["caption"] == "before"
    assert update["edited_message"]["edit_date"] == int(desk.now)
    assert update["edited_message"]["photo"]


def test_a_press_carries_the_data_and_the_message() -> None:
    desk = Desk()
    buttons: list[list[Any]] = [
        [{"text": "Allow", "callback_data": "perm:1:a"}, {"text": "Deny", "callback_data": "perm:1:d"}],
        [{"text": "Copy", "copy_text": {"text": "abc"}}],
    ]
    desk.send("May I?", reply_markup={"inline_keyboard": buttons})
    assert desk.phone.inbox()[-1].labels == [["Allow", "Deny"], ["Copy"]]

    press = desk.phone.press("Deny")
    (update,) = news(desk)
    query = update["callback_query"]
    assert (query["id"], query["data"], query["from"]["id"]) == (press.id, "perm:1:d", desk.ada.id)
    assert query["message"]["reply_markup"]["inline_keyboard"] == buttons
    with pytest.raises(LookupError):
        desk.phone.press("Copy")
    with pytest.raises(LookupError):
        desk.phone.press("Later")


def test_stopping_and_restarting_the_bot_is_told() -> None:
    desk = Desk()
    desk.phone.block()
    desk.phone.block()
    with pytest.raises(ValueError, match="unblock"):
        desk.phone.say("hello?")
    desk.phone.start()

    stopped, restarted, start = news(desk)
    assert stopped["my_chat_member"]["new_chat_member"]["status"] == "kicked"
    assert restarted["my_chat_member"]["old_chat_member"]["status"] == "kicked"
    assert start["message"]["text"] == "/start"


def test_the_phone_sees_typing_for_five_seconds_or_until_the_message() -> None:
    desk = Desk()
    desk.call("sendChatAction", chat_id=desk.ada.id, action="typing")
    assert desk.phone.action() == "typing"
    desk.now += 5
    assert desk.phone.action() == ""
    desk.call("sendChatAction", chat_id=desk.ada.id, action="upload_photo")
    desk.send("here")
    assert desk.phone.action() == ""


def test_the_phone_sees_edits_deletions_and_the_menu() -> None:
    desk = Desk()
    kept, gone = desk.send("one"), desk.send("two")
    desk.call("editMessageText", chat_id=desk.ada.id, message_id=kept["message_id"], text="three")
    desk.call("deleteMessage", chat_id=desk.ada.id, message_id=gone["message_id"])
    desk.call("setMyCommands", commands=[{"command": "/status", "description": "How it is"}])

    assert [(one.text, one.edited_at is not None) for one in desk.phone.inbox()] == [("three", True)]
    assert desk.phone.commands() == {"status": "How it is"}
    assert desk.call("getMyCommands") == [{"command": "status", "description": "How it is"}]
    desk.call("deleteMyCommands")
    assert desk.phone.commands() == {}


def test_a_bot_in_two_chats_pins_and_asks() -> None:
    desk = Desk()
    sent = desk.send("important")
    group = desk.phone.create_group("Crew", desk.bot)
    desk.call("pinChatMessage", chat_id=desk.ada.id, message_id=sent["message_id"])

    assert desk.call("getChat", chat_id=desk.ada.id)["pinned_message"]["text"] == "important"
    assert desk.call("getChatMember", chat_id=group.id, user_id=desk.ada.id)["status"] == "creator"
    assert desk.call("getChatMember", chat_id=group.id, user_id=desk.bob.id)["status"] == "left"
    desk.call("unpinChatMessage", chat_id=desk.ada.id)
    assert "pinned_message" not in desk.call("getChat", chat_id=desk.ada.id)


def test_the_record_holds_what_bots_did_and_what_was_refused_but_not_their_questions() -> None:
    desk = Desk()
    desk.call("getMe")
    desk.updates()
    desk.call("sendDocument", {"document": Upload("a.md", b"x")}, chat_id=desk.ada.id)
    desk.refusal("sendMessage", chat_id=desk.ada.id, text="")

    assert [(act.number, act.method, act.files, act.refusal) for act in desk.api.acts] == [
        (1, "sendDocument", ("a.md",), ""),
        (2, "sendMessage", (), "Bad Request: message text is empty"),
    ]
    assert [act.method for act in desk.api.sent()] == ["sendDocument"]
    assert desk.api.sent("sendMessage") == []
