"""What people do on their phones, and what they see there. Time is passed in; nothing waits."""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from telegram_channel.demo import botapi_events as events
from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.botapi_files import StoredFile
from telegram_channel.demo.botapi_send import media_view
from telegram_channel.demo.botapi_text import find_entities
from telegram_channel.demo.botapi_wire import Json
from telegram_channel.demo.botapi_world import (
    ANONYMOUS_ADMIN,
    Bot,
    Chat,
    ChatKind,
    Person,
    Press,
    StoredMessage,
    Topic,
)

Moment = Callable[[], float]
"""Seconds since the epoch."""


def picture(width: int = 64, height: int = 48, *, color: tuple[int, int, int] = (40, 120, 200)) -> bytes:
    """A real PNG in one colour: the platform looks into photos before it takes them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes(color) * width
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(row * height))
        + chunk(b"IEND", b"")
    )


_DEFAULT_NAMES: Final = {
    "photo": ("", "image/jpeg"),
    "document": ("notes.txt", "text/plain"),
    "voice": ("", "audio/ogg"),
    "audio": ("song.mp3", "audio/mpeg"),
    "video": ("clip.mp4", "video/mp4"),
    "video_note": ("", "video/mp4"),
    "animation": ("funny.mp4", "video/mp4"),
}


class Phone:
    """One person's phone. Without a `chat`, everything happens in the private chat with the bot."""

    def __init__(self, api: BotApi, person: Person, bot: Bot, now: Moment) -> None:
        self.api = api
        self.person = person
        self.bot = bot
        self._now = now

    @property
    def chat(self) -> Chat:
        """The private chat with the bot; it exists once somebody wrote there."""
        return self.api.world.private_chat(self.bot, self.person)

    # Saying something

    def say(
        self,
        text: str,
        *,
        chat: Chat | None = None,
        reply_to: StoredMessage | None = None,
        quote: str = "",
        thread: Topic | None = None,
        at: float | None = None,
        anonymous: bool = False,
    ) -> StoredMessage:
        """Send a text. `at` dates it in the past; `anonymous`: in the group's name, as its administrators can."""
        content: Json = {"text": text}
        entities = find_entities(text)
        if entities:
            content["entities"] = entities
        return self._post(content, chat, reply_to, quote, thread, at, anonymous=anonymous)

    def start(self, payload: str = "") -> StoredMessage:
        """Press Start, or follow a link `t.me/<bot>?start=<payload>`; restarts a bot that was stopped."""
        self.unblock()
        return self.say(f"/start {payload}".rstrip())

    def send(
        self,
        kind: str,
        content: bytes | None = None,
        *,
        caption: str = "",
        name: str | None = None,
        mime: str | None = None,
        size_bytes: int | None = None,
        traits: Mapping[str, int | str] | None = None,
        chat: Chat | None = None,
        reply_to: StoredMessage | None = None,
        thread: Topic | None = None,
        at: float | None = None,
        album: str = "",
    ) -> StoredMessage:
        """Send a photo, document, voice, audio, video, video_note or animation.

        `size_bytes` claims a size without the bytes; `traits` are `duration`, `width`, `performer`, …
        """
        default_name, default_mime = _DEFAULT_NAMES[kind]
        stored = self.api.world.files.keep(
            kind,
            picture() if content is None and kind == "photo" else content or b"\0" * 64,
            name=default_name if name is None else name,
            mime=default_mime if mime is None else mime,
            size_bytes=size_bytes,
        )
        body = media_view(kind, self.api.world, stored, traits or {"duration": 3}) | _captioned(caption)
        return self._post(body, chat, reply_to, "", thread, at, file=stored, album=album)

    def send_photo(self, content: bytes | None = None, caption: str = "", **more: Any) -> StoredMessage:
        """Send a photo."""
        return self.send("photo", content, caption=caption, **more)

    def send_document(
        self, content: bytes | None = None, caption: str = "", *, name: str = "notes.txt", **more: Any
    ) -> StoredMessage:
        """Send a file."""
        return self.send("document", content, caption=caption, name=name, **more)

    def send_voice(self, content: bytes | None = None, caption: str = "", **more: Any) -> StoredMessage:
        """Send a voice message."""
        return self.send("voice", content, caption=caption, **more)

    def send_sticker(self, emoji: str = "👍", *, chat: Chat | None = None) -> StoredMessage:
        """Send a sticker."""
        stored = self.api.world.files.keep("sticker", b"RIFF\0\0\0\0WEBP", mime="image/webp")
        sticker: Json = {"file_id": stored.file_id, "file_unique_id": stored.unique_id, "type": "regular"}
        sticker |= {"width": 512, "height": 512, "is_animated": False, "is_video": False, "emoji": emoji}
        sticker["file_size"] = stored.size_bytes
        return self._post({"sticker": sticker}, chat, file=stored)

    def send_location(self, latitude: float, longitude: float, *, chat: Chat | None = None) -> StoredMessage:
        """Send a place on the map."""
        return self._post({"location": {"latitude": latitude, "longitude": longitude}}, chat)

    def send_venue(
        self, title: str, address: str, latitude: float, longitude: float, *, chat: Chat | None = None
    ) -> StoredMessage:
        """Send a place with a name; it comes as a location, too (source: Bot API, Message)."""
        place = {"latitude": latitude, "longitude": longitude}
        return self._post({"venue": {"location": place, "title": title, "address": address}, "location": place}, chat)

    def send_contact(self, phone_number: str, first_name: str, *, chat: Chat | None = None) -> StoredMessage:
        """Send somebody's number."""
        return self._post({"contact": {"phone_number": phone_number, "first_name": first_name}}, chat)

    def send_poll(self, question: str, options: Sequence[str], *, chat: Chat | None = None) -> StoredMessage:
        """Send a poll."""
        shown = [
            {"persistent_id": str(number), "text": option, "voter_count": 0}
            for number, option in enumerate(options, 1)
        ]
        poll: Json = {"id": str(self.api.world.count("poll")), "question": question, "options": shown}
        poll |= {"total_voter_count": 0, "is_closed": False, "is_anonymous": True, "type": "regular"}
        poll |= {"allows_multiple_answers": False, "allows_revoting": True, "members_only": False}
        return self._post({"poll": poll}, chat)

    def send_dice(self, value: int = 4, *, chat: Chat | None = None) -> StoredMessage:
        """Throw a die that shows `value`."""
        return self._post({"dice": {"emoji": "🎲", "value": value}}, chat)

    def album(
        self, parts: Sequence[tuple[str, bytes | None]], caption: str = "", *, chat: Chat | None = None
    ) -> list[StoredMessage]:
        """Send several files at once, as (kind, content); the caption hangs on the first."""
        group = str(14_000_000_000_000_000 + self.api.world.count("phone album"))
        return [
            self.send(kind, content, caption=caption if index == 0 else "", chat=chat, album=group)
            for index, (kind, content) in enumerate(parts)
        ]

    def forward(
        self,
        what: StoredMessage | str,
        *,
        author: Person | str | None = None,
        chat: Chat | None = None,
    ) -> StoredMessage:
        """Pass on a message, or words from elsewhere; an author who hides is only a name."""
        if isinstance(what, StoredMessage):
            content, date, file = dict(what.content), what.date, what.file
            origin: Person | Bot | str = author or what.author
        else:
            content, date, file = {"text": what}, int(self._now()) - 3600, None
            origin = author or "Somebody"
        head: Json = {"forward_origin": _origin(origin, date)}
        return self._post(content, chat, head=head, file=file)

    def edit(self, message: StoredMessage, text: str) -> None:
        """Change the text or caption of an own message."""
        key = "text" if "text" in message.content else "caption"
        entities_key = "entities" if key == "text" else "caption_entities"
        content = {one: value for one, value in message.content.items() if one not in {key, entities_key}}
        entities = find_entities(text)
        content |= {key: text} | ({entities_key: entities} if entities else {})
        events.edit_by_person(self.api.world, message, content, self._now())

    def delete(self, message: StoredMessage) -> None:
        """Delete a message for everybody; bots are not told."""
        message.is_deleted = True
        self.api.world.changed()

    # Answering what the bot shows

    def press(self, button: str, message: StoredMessage | None = None) -> Press:
        """Press the button with this label or data, below this message or the newest that has one.

        Raises:
            LookupError: nothing shows such a button that could be pressed.
        """
        candidates = [message] if message else reversed(self.inbox())
        for one in candidates:
            for shown in (shown for row in one.buttons for shown in row):
                if button in (shown["text"], shown.get("callback_data")) and "callback_data" in shown:
                    return events.press(self.api.world, one, self.person, shown["callback_data"], self._now())
        raise LookupError(f"no button {button!r}")

    def react(self, message: StoredMessage, *emoji: str) -> None:
        """Put these reactions on a message, instead of the ones before; none takes them away."""
        events.react(self.api.world, message, self.person, emoji, self._now())

    def block(self) -> None:
        """Stop the bot."""
        events.set_blocked(self.api.world, self.chat, blocked=True, now=self._now())

    def unblock(self) -> None:
        """Restart the bot."""
        events.set_blocked(self.api.world, self.chat, blocked=False, now=self._now())

    # Groups

    def create_group(
        self, title: str, *members: Person | Bot, supergroup: bool = False, is_forum: bool = False
    ) -> Chat:
        """Create a group with these members and its creator."""
        kind = ChatKind.SUPERGROUP if supergroup or is_forum else ChatKind.GROUP
        chat = self.api.world.add_group(title, kind, is_forum=is_forum)
        chat.members[self.person.id] = "creator"
        for who in members:
            self.set_member(chat, who, "member")
        return chat

    def set_member(self, chat: Chat, who: Person | Bot, status: str, *, without: Sequence[str] = ()) -> None:
        """Make somebody `member`, `administrator`, `left` or `kicked`; bots and the group are told.

        `without`: rights that an administrator does not get (`can_manage_topics`, …).
        """
        events.set_member(self.api.world, chat, who, status, self.person, self._now(), frozenset(without))

    def open_topic(self, chat: Chat, name: str) -> Topic:
        """Open a topic in a forum."""
        return events.open_topic(self.api.world, chat, self.person, name, self._now())

    def close_topic(self, chat: Chat, topic: Topic) -> None:
        """Close a topic of a forum."""
        events.set_closed(self.api.world, chat, topic, self.person, self._now(), closed=True)

    def reopen_topic(self, chat: Chat, topic: Topic) -> None:
        """Open a closed topic again."""
        events.set_closed(self.api.world, chat, topic, self.person, self._now(), closed=False)

    def delete_topic(self, chat: Chat, topic: Topic) -> None:
        """Delete a topic with everything in it; bots are not told."""
        events.delete_topic(self.api.world, chat, topic)

    def migrate(self, chat: Chat) -> Chat:
        """Turn a group into a supergroup, which has another id."""
        return events.migrate(self.api.world, chat, self.person, self._now())

    # Looking

    def history(self, chat: Chat | None = None) -> list[StoredMessage]:
        """Everything that a chat shows, oldest first."""
        return list((chat or self.chat).history())

    def inbox(self, chat: Chat | None = None) -> list[StoredMessage]:
        """What bots wrote there, oldest first, as it looks now."""
        return [message for message in self.history(chat) if message.from_bot]

    def reactions(self, message: StoredMessage) -> list[str]:
        """What the bot put on a message."""
        return message.reactions.get(self.bot.id, [])

    def action(self, chat: Chat | None = None) -> str:
        """What the bot seems to be doing (`typing`, …), empty for nothing."""
        action, since = (chat or self.chat).actions.get(self.bot.id, ("", 0.0))
        return action if self._now() < since + events.TYPING_S else ""

    def drafts(self) -> list[str]:
        """What the bot is streaming."""
        return [text for text, since in self.chat.drafts.values() if self._now() < since + events.DRAFT_S]

    def commands(self) -> dict[str, str]:
        """The menu of the bot."""
        offered = self.bot.commands.get(('{"type": "all_private_chats"}', "")) or self.bot.commands.get(
            ('{"type": "default"}', ""), []
        )
        return {str(one["command"]): str(one["description"]) for one in offered}

    def _post(
        self,
        content: Json,
        chat: Chat | None,
        reply_to: StoredMessage | None = None,
        quote: str = "",
        thread: Topic | None = None,
        at: float | None = None,
        *,
        anonymous: bool = False,
        head: Json | None = None,
        file: StoredFile | None = None,
        album: str = "",
    ) -> StoredMessage:
        where = chat or self.chat
        if where.is_blocked:
            raise ValueError("a phone cannot write to a bot that it stopped: unblock it first")
        head = dict(head or {})
        if reply_to and quote:
            quoted = events.quote_of(reply_to, quote)
            if quoted is None:
                raise ValueError("the answered message does not contain the quote")
            head["quote"] = quoted
        if anonymous:
            head |= {"from": ANONYMOUS_ADMIN, "sender_chat": where.view()}
        if album:
            head["media_group_id"] = album
        now = self._now()
        return events.post(
            self.api.world,
            where,
            self.person,
            content,
            at=now if at is None else at,
            now=now,
            head=head,
            reply_to=reply_to,
            thread=thread.thread if thread else None,
            file=file,
        )


def _captioned(caption: str) -> Json:
    entities = find_entities(caption)
    return ({"caption": caption} if caption else {}) | ({"caption_entities": entities} if entities else {})


def _origin(author: Person | Bot | str, date: int) -> Json:
    """The MessageOrigin of a forwarded message."""
    if isinstance(author, str):
        return {"type": "hidden_user", "date": date, "sender_user_name": author}
    return {"type": "user", "date": date, "sender_user": author.view()}
