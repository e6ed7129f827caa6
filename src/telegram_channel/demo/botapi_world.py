"""Who and what exists: people, bots, chats, messages and files. Every id is decided here, none is random.

Nothing in here refuses anything: what a bot may do is decided in front of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from telegram_channel.demo.botapi_files import FileStore, StoredFile
from telegram_channel.demo.botapi_updates import UpdateQueue
from telegram_channel.demo.botapi_wire import Json

FIRST_PERSON_ID: Final = 7_000_000_001
"""Real ids no longer fit 32 bits; neither do these."""
FIRST_GROUP_ID: Final = -4_100_000_001
FIRST_SUPERGROUP_ID: Final = -1_002_000_000_001
FIRST_UPDATE_ID: Final = 731_204_501
ANONYMOUS_ADMIN: Final[Json] = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}
"""Who appears in `from` when an administrator writes in the group's name (source: Bot API, Message)."""


@dataclass(eq=False, slots=True)
class Person:
    """Somebody with a phone."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = "en"
    is_deactivated: bool = False

    def view(self) -> Json:
        """The User object."""
        view: Json = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        if self.last_name:
            view["last_name"] = self.last_name
        if self.username:
            view["username"] = self.username
        return view | {"language_code": self.language_code}


@dataclass(eq=False, slots=True)
class Press:
    """A callback query and what the phone was told about it."""

    id: str
    message: "StoredMessage"
    data: str
    at: float
    answer: Json | None = None
    """The parameters of answerCallbackQuery; None while the button still shows its clock."""

    @property
    def toast(self) -> str:
        """The words shown on the phone."""
        return str((self.answer or {}).get("text", ""))

    @property
    def is_alert(self) -> bool:
        """Whether they had to be tapped away."""
        return (self.answer or {}).get("show_alert") == "true"


@dataclass(eq=False, slots=True)
class Bot:
    """A bot account and everything its methods change."""

    token: str
    id: int
    first_name: str
    username: str
    queue: UpdateQueue
    reads_all_group_messages: bool = False
    has_topics: bool = False
    commands: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    """Menu commands by scope (as JSON) and language."""
    webhook_url: str = ""
    webhook_max_connections: int = 40
    presses: dict[str, Press] = field(default_factory=dict)

    def view(self) -> Json:
        """The User object, as it occurs in messages."""
        return {"id": self.id, "is_bot": True, "first_name": self.first_name, "username": self.username}


class ChatKind(StrEnum):
    """The `type` of a chat."""

    PRIVATE = "private"
    GROUP = "group"
    SUPERGROUP = "supergroup"


@dataclass(eq=False, slots=True)
class Topic:
    """A forum topic; its id is that of the service message that opened it."""

    thread: int
    name: str
    icon_color: int
    icon_custom_emoji_id: str = ""
    is_closed: bool = False
    creator: int = 0
    """Who opened it, by id."""


@dataclass(eq=False, slots=True)
class StoredMessage:
    """One message, as everybody in the chat sees it."""

    chat: "Chat"
    id: int
    author: Person | Bot
    date: int
    content: Json
    """Everything of the Message object that says what it is: text, photo, caption, …"""
    head: Json = field(default_factory=dict)
    """What stands around the content: `from`, `sender_chat`, `forward_origin`, `quote`, `media_group_id`, …"""
    reply_to: "StoredMessage | None" = None
    thread: int | None = None
    is_topic_message: bool = False
    buttons: list[list[Json]] = field(default_factory=list)
    edited_at: int | None = None
    reactions: dict[int, list[str]] = field(default_factory=dict)
    """Emoji by the id of who put them."""
    file: StoredFile | None = None
    is_deleted: bool = False

    @property
    def text(self) -> str:
        """Text or caption."""
        return str(self.content.get("text") or self.content.get("caption") or "")

    @property
    def entities(self) -> list[Json]:
        """The entities of text or caption."""
        return list(self.content.get("entities") or self.content.get("caption_entities") or [])

    @property
    def labels(self) -> list[list[str]]:
        """What the buttons below it say, row by row."""
        return [[str(button["text"]) for button in row] for row in self.buttons]

    @property
    def from_bot(self) -> bool:
        """Whether a bot wrote it."""
        return isinstance(self.author, Bot)

    def view(self, *, with_reply: bool = True) -> Json:
        """The Message object; a reply inside a reply is not shown (source: Bot API, Message)."""
        view: Json = {"message_id": self.id}
        if self.thread is not None:
            view["message_thread_id"] = self.thread
        view |= {"from": self.author.view()} | self.head | {"chat": self.chat.view(), "date": self.date}
        if self.is_topic_message:
            view["is_topic_message"] = True
        if self.edited_at is not None:
            view["edit_date"] = self.edited_at
        if with_reply:
            parent = self.reply_to or self._topic_root()
            if parent and not parent.is_deleted:
                view["reply_to_message"] = parent.view(with_reply=False)
        view |= self.content
        if self.buttons:
            view["reply_markup"] = {"inline_keyboard": self.buttons}
        return view

    def _topic_root(self) -> "StoredMessage | None":
        """A message of a topic that answers nothing shows the topic's first message as answered."""
        if self.is_topic_message and self.thread != self.id:
            return self.chat.messages.get(self.thread or 0)
        return None


@dataclass(eq=False, slots=True)
class Chat:
    """A private chat of one person with one bot, or a group of any size."""

    id: int
    kind: ChatKind
    title: str = ""
    person: Person | None = None
    bot: Bot | None = None
    is_forum: bool = False
    members: dict[int, str] = field(default_factory=dict)
    """Status by user id, in groups (source: Bot API, ChatMember)."""
    withheld: dict[int, frozenset[str]] = field(default_factory=dict)
    """Rights that administrators do not have, by user id; they have all others."""
    messages: dict[int, StoredMessage] = field(default_factory=dict)
    topics: dict[int, Topic] = field(default_factory=dict)
    pinned: list[int] = field(default_factory=list)
    is_blocked: bool = False
    """A private chat whose person stopped the bot."""
    migrated_to: "Chat | None" = None
    actions: dict[int, tuple[str, float]] = field(default_factory=dict)
    """By bot id: what it seems to be doing, and when that was said."""
    drafts: dict[tuple[int, int], tuple[str, float]] = field(default_factory=dict)
    """By bot and draft id: text, and when it was streamed."""
    next_message: int = 1
    """The id the next message gets."""

    def take_message_id(self) -> int:
        """Use up the next id."""
        self.next_message += 1
        return self.next_message - 1

    def view(self) -> Json:
        """The Chat object."""
        view: Json = {"id": self.id}
        if self.person:
            view["first_name"] = self.person.first_name
            if self.person.last_name:
                view["last_name"] = self.person.last_name
            if self.person.username:
                view["username"] = self.person.username
            return view | {"type": str(self.kind)}
        view |= {"title": self.title, "type": str(self.kind)}
        if self.is_forum:
            view["is_forum"] = True
        return view

    def message(self, number: int) -> StoredMessage | None:
        """A message that still exists."""
        found = self.messages.get(number)
        return None if found is None or found.is_deleted else found

    def history(self) -> Iterator[StoredMessage]:
        """What still exists, oldest first."""
        return (message for message in self.messages.values() if not message.is_deleted)


class World:
    """Everybody and everything, with the ids counted from fixed beginnings."""

    def __init__(self, *, throttles: bool = True) -> None:
        self.people: dict[int, Person] = {}
        self.bots: dict[str, Bot] = {}
        """By token."""
        self.groups: dict[int, Chat] = {}
        self.private: dict[tuple[int, int], Chat] = {}
        """By bot and person."""
        self.files = FileStore()
        self.listeners: list[Callable[[], None]] = []
        """Called after every change that a phone or a test could notice."""
        self._throttles = throttles
        self._counts: dict[str, int] = {}

    def count(self, what: str) -> int:
        """1, 2, 3, … for each `what`."""
        self._counts[what] = self._counts.get(what, 0) + 1
        return self._counts[what]

    def changed(self) -> None:
        """Tell whoever listens."""
        for listener in tuple(self.listeners):
            listener()

    def add_bot(self, token: str, first_name: str, username: str) -> Bot:
        """A new bot; its id is the number in front of the token."""
        queue = UpdateQueue(FIRST_UPDATE_ID, throttles=self._throttles)
        bot = Bot(token, int(token.partition(":")[0]), first_name, username, queue)
        self.bots[token] = bot
        return bot

    def add_person(self, first_name: str, number: int | None = None) -> Person:
        """A new person, known to no bot yet; the id is counted unless it is given."""
        if number is None:
            number = FIRST_PERSON_ID + self.count("person") - 1
        person = Person(number, first_name)
        self.people[person.id] = person
        return person

    def add_group(self, title: str, kind: ChatKind, *, is_forum: bool = False) -> Chat:
        """A new, empty group."""
        first = FIRST_SUPERGROUP_ID if kind is ChatKind.SUPERGROUP else FIRST_GROUP_ID
        chat = Chat(first - self.count(kind) + 1, kind, title, is_forum=is_forum)
        self.groups[chat.id] = chat
        return chat

    def private_chat(self, bot: Bot, person: Person) -> Chat:
        """The chat of these two, opened when it did not exist."""
        key = (bot.id, person.id)
        if key not in self.private:
            self.private[key] = Chat(person.id, ChatKind.PRIVATE, person=person, bot=bot)
        return self.private[key]

    def chat_of(self, bot: Bot, chat_id: int) -> Chat | None:
        """What a bot means by an id."""
        return self.private.get((bot.id, chat_id)) if chat_id > 0 else self.groups.get(chat_id)

    def bots_in(self, chat: Chat) -> list[Bot]:
        """The bots that take part in a chat right now."""
        if chat.bot:
            return [chat.bot]
        present = ("member", "administrator", "creator")
        return [bot for bot in self.bots.values() if chat.members.get(bot.id) in present]

    def member_view(self, chat: Chat, user: Json) -> Json:
        """The ChatMember object of anybody, with the fields its status requires."""
        number = int(user["id"])
        return member_view(chat.members.get(number, "left"), user, chat.withheld.get(number, frozenset()))


ADMINISTRATOR_RIGHTS: Final = (
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_pin_messages",
    "can_manage_topics",
)


def member_view(status: str, user: Json, withheld: frozenset[str] = frozenset()) -> Json:
    """The ChatMember object of a status (source: Bot API, ChatMember and its six kinds).

    `withheld` are rights that an administrator does not have.
    """
    view: Json = {"user": user, "status": status}
    match status:
        case "administrator":
            rights: dict[str, Any] = {right: right not in withheld for right in ADMINISTRATOR_RIGHTS}
            return view | {"can_be_edited": False, "is_anonymous": False} | rights
        case "creator":
            return view | {"is_anonymous": False}
        case "kicked":
            return view | {"until_date": 0}
        case _:
            return view
