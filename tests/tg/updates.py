"""Raw updates as `getUpdates` returns them, one for each kind a phone can cause."""

from typing import Any

Raw = dict[str, Any]

BOT_ID = 42
ANN: Raw = {"id": 1001, "is_bot": False, "first_name": "Ann", "last_name": "Lee", "username": "ann"}
BOT: Raw = {"id": BOT_ID, "is_bot": True, "first_name": "Claude", "username": "Claude_Bot"}
PRIVATE: Raw = {"id": 1001, "type": "private", "first_name": "Ann"}
GROUP: Raw = {"id": -1002000, "type": "supergroup", "title": "Team"}
NOON = 1_795_176_000


def message(**fields: Any) -> Raw:
    """A message of Ann in her private chat."""
    return {"message_id": 7, "from": ANN, "chat": PRIVATE, "date": NOON, **fields}


def update(number: int = 9001, **kinds: Any) -> Raw:
    """An update with one kind in it."""
    return {"update_id": number, **kinds}


def said(text: str = "hello", number: int = 9001, **fields: Any) -> Raw:
    """Ann says something."""
    return update(number, message=message(text=text, **fields))


def file(**fields: Any) -> Raw:
    """What every file has."""
    return {"file_id": "FILE", "file_unique_id": "UNIQ", "file_size": 2048, **fields}


CONTENTS: dict[str, Raw] = {
    "photo": {
        "photo": [
            {**file(), "file_id": "SMALL", "width": 90, "height": 60},
            {**file(), "file_id": "LARGE", "width": 1280, "height": 853},
            {**file(), "file_id": "MIDDLE", "width": 320, "height": 213},
        ]
    },
    "document": {"document": file(file_name="../../etc/report.pdf", mime_type="application/pdf")},
    "voice": {"voice": file(duration=4, mime_type="audio/ogg")},
    "audio": {"audio": file(duration=200, performer="Bach", title="Air", file_name="air.mp3")},
    "video": {"video": file(duration=9, width=640, height=480, file_name="clip.mp4")},
    "video_note": {"video_note": file(duration=9, length=240)},
    "animation": {
        "animation": file(file_id="ANIMATION", duration=2, width=10, height=10),
        "document": file(file_id="DOCUMENT", file_name="cat.gif"),
    },
    "sticker": {"sticker": file(type="regular", emoji="👍", set_name="Cats", is_animated=True, is_video=False)},
}
"""The content of a message for each kind of attachment, by the name of the kind."""

WITHOUT_FILE: dict[str, tuple[Raw, str]] = {
    "location": ({"location": {"latitude": 52.5, "longitude": 13.4}}, "[location 52.5, 13.4]"),
    "live location": (
        {"location": {"latitude": 52.5, "longitude": 13.4, "live_period": 900}},
        "[live location 52.5, 13.4]",
    ),
    "venue": (
        {
            "venue": {"location": {"latitude": 1, "longitude": 2}, "title": "Cafe", "address": "Main St"},
            "location": {"latitude": 1, "longitude": 2},
        },
        "[venue Cafe, Main St (1, 2)]",
    ),
    "contact": (
        {"contact": {"phone_number": "+491", "first_name": "Bob", "user_id": 5}},
        "[contact Bob, +491]",
    ),
    "poll": (
        {"poll": {"id": "1", "question": "Tea?", "options": [{"text": "yes"}, {"text": "no"}]}},
        "[poll: Tea? - yes / no]",
    ),
    "dice": ({"dice": {"emoji": "🎲", "value": 4}}, "[dice 🎲 4]"),
    "checklist": (
        {"checklist": {"title": "Trip", "tasks": [{"text": "pack"}, {"text": "go", "completion_date": 1}]}},
        "[checklist: Trip]\n[ ] pack\n[x] go",
    ),
    "rich message": (
        {
            "rich_message": {
                "blocks": [
                    {"type": "heading", "text": "Title"},
                    {"type": "paragraph", "text": ["a ", {"type": "bold", "text": "b"}]},
                    {"type": "list", "items": [{"label": "1.", "blocks": [{"type": "paragraph", "text": "one"}]}]},
                    {"type": "table", "cells": [[{"text": "x"}, {"text": "y"}]]},
                ]
            }
        },
        "Title\na b\n1.\none\nx | y",
    ),
    "game": ({"game": {"title": "Chess"}}, "[game: Chess]"),
    "story": ({"story": {"id": 3}}, "[story]"),
    "paid media": ({"paid_media": {"star_count": 3, "paid_media": []}}, "[paid media]"),
    "something of the future": ({"hologram": {"depth": 3}}, "[unsupported: hologram]"),
    "nothing the Bot API shows": ({}, "[unsupported message]"),
}
"""The content of a message without a file, and the words it becomes."""

REACTION: Raw = update(
    message_reaction={
        "chat": PRIVATE,
        "message_id": 7,
        "user": ANN,
        "date": NOON,
        "old_reaction": [{"type": "emoji", "emoji": "👍"}],
        "new_reaction": [{"type": "emoji", "emoji": "🔥"}, {"type": "custom_emoji", "custom_emoji_id": "5"}],
    }
)
PRESS: Raw = update(
    callback_query={
        "id": "777",
        "from": ANN,
        "chat_instance": "1",
        "data": "choice:2",
        "message": {
            "message_id": 8,
            "chat": PRIVATE,
            "date": NOON,
            "from": BOT,
            "reply_markup": {
                "inline_keyboard": [
                    [{"text": "One", "callback_data": "choice:1"}, {"text": "Two", "callback_data": "choice:2"}]
                ]
            },
        },
    }
)
BLOCKED: Raw = update(
    my_chat_member={
        "chat": PRIVATE,
        "from": ANN,
        "date": NOON,
        "old_chat_member": {"status": "member", "user": BOT},
        "new_chat_member": {"status": "kicked", "user": BOT, "until_date": 0},
    }
)

EXAMPLES: list[Raw] = [
    said(),
    update(edited_message=message(text="hello!", edit_date=NOON + 60)),
    said(
        "@Claude_Bot look",
        entities=[{"type": "mention", "offset": 0, "length": 11}],
        chat=GROUP,
        is_topic_message=True,
        message_thread_id=12,
    ),
    said(reply_to_message=message(text="before"), quote={"text": "bef", "position": 0}),
    said(external_reply={"origin": {"type": "user", "sender_user": ANN}, "message_id": 3, **CONTENTS["photo"]}),
    said(forward_origin={"type": "channel", "chat": {"id": -5, "type": "channel", "title": "News"}, "message_id": 1}),
    *(update(message=message(caption="look", **content)) for content in CONTENTS.values()),
    *(update(message=message(**content)) for content, _ in WITHOUT_FILE.values()),
    update(message=message(new_chat_members=[ANN], chat=GROUP)),
    update(message=message(migrate_to_chat_id=-100, chat=GROUP)),
    update(channel_post={"message_id": 1, "chat": {"id": -5, "type": "channel"}, "date": NOON, "text": "news"}),
    REACTION,
    PRESS,
    BLOCKED,
]
"""One update of each shape."""
