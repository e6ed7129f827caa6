"""What happens in chats, and which bots hear of it."""

import re
from collections.abc import Sequence
from typing import Any, Final

from telegram_channel.core.text import utf16_len, utf16_prefix
from telegram_channel.demo.botapi_files import StoredFile
from telegram_channel.demo.botapi_wire import Json, words
from telegram_channel.demo.botapi_world import (
    ANONYMOUS_ADMIN,
    Bot,
    Chat,
    ChatKind,
    Person,
    Press,
    StoredMessage,
    Topic,
    World,
    member_view,
)

TYPING_S: Final = 5.0
"""How long an action is shown (source: Bot API, sendChatAction)."""
DRAFT_S: Final = 30.0
"""How long a streamed draft is shown (source: Bot API, sendMessageDraft)."""
SERVICE: Final = words(
    "new_chat_members left_chat_member new_chat_title group_chat_created supergroup_chat_created migrate_to_chat_id "
    "migrate_from_chat_id pinned_message forum_topic_created forum_topic_edited forum_topic_closed "
    "forum_topic_reopened"
)


def post(
    world: World,
    chat: Chat,
    author: Person | Bot,
    content: Json,
    *,
    at: float,
    now: float,
    head: Json | None = None,
    reply_to: StoredMessage | None = None,
    thread: int | None = None,
    buttons: Sequence[Sequence[Json]] = (),
    file: StoredFile | None = None,
) -> StoredMessage:
    """Put a message into a chat, dated `at`; bots that may read it get an update at `now`."""
    is_topic_message = thread is not None
    if thread is None and reply_to:
        # In a group without topics an answer still names the thread it belongs to: a trap for readers that
        # take every message_thread_id for a topic.
        thread = reply_to.thread
        is_topic_message = reply_to.is_topic_message
        if thread is None and chat.kind is ChatKind.SUPERGROUP and not chat.is_forum:
            thread = reply_to.id
    message = StoredMessage(
        chat,
        chat.take_message_id(),
        author,
        int(at),
        content,
        head=head or {},
        reply_to=reply_to,
        thread=thread,
        is_topic_message=is_topic_message,
        buttons=[list(row) for row in buttons],
        file=file,
    )
    chat.messages[message.id] = message
    if isinstance(author, Bot):
        chat.actions.pop(author.id, None)
        chat.drafts = {key: draft for key, draft in chat.drafts.items() if key[0] != author.id}
    announce(world, message, "message", now)
    return message


def announce(world: World, message: StoredMessage, kind: str, now: float) -> None:
    """Tell the bots that may read it about a message."""
    readers = [bot for bot in world.bots_in(message.chat) if hears(bot, message)]
    if readers:
        view = message.view()
        for bot in readers:
            bot.queue.push(kind, view, now)
    world.changed()


def hears(bot: Bot, message: StoredMessage) -> bool:
    """Privacy mode: what a bot is shown of a group (source: Bot features, "Privacy mode")."""
    if isinstance(message.author, Bot):
        return False
    if message.chat.kind is ChatKind.PRIVATE or bot.reads_all_group_messages:
        return True
    if message.chat.members.get(bot.id) in {"administrator", "creator"} or not SERVICE.isdisjoint(message.content):
        return True
    if message.reply_to and message.reply_to.author is bot:
        return True
    name = bot.username.lower()
    mentioned = {word.lower() for word in re.findall(r"@(\w+)", message.text)}
    is_command = any(entity["type"] == "bot_command" for entity in message.entities)
    return name in mentioned or (is_command and not mentioned)


def edit_by_person(world: World, message: StoredMessage, content: Json, now: float) -> None:
    """Replace what somebody said."""
    message.content = content
    message.edited_at = int(now)
    announce(world, message, "edited_message", now)


def press(world: World, message: StoredMessage, by: Person, data: str, now: float) -> Press:
    """Press a button that carries data; the press waits for the bot's answer."""
    if not isinstance(message.author, Bot):
        raise TypeError("only a bot's message has buttons")
    bot = message.author
    query = Press(f"{bot.id}{world.count('press'):010d}", message, data, now)
    bot.presses[query.id] = query
    body = {
        "id": query.id,
        "from": by.view(),
        "message": message.view(),
        "chat_instance": str(-7_000_000_000_000 + message.chat.id % 1_000_000),
        "data": data,
    }
    bot.queue.push("callback_query", body, now)
    world.changed()
    return query


def react(world: World, message: StoredMessage, by: Person, emoji: Sequence[str], now: float) -> None:
    """Change somebody's reactions; in groups only bots that administrate them hear of it."""
    before = message.reactions.get(by.id, [])
    message.reactions[by.id] = list(emoji)
    body: Json = {
        "chat": message.chat.view(),
        "message_id": message.id,
        "user": by.view(),
        "date": int(now),
        "old_reaction": [{"type": "emoji", "emoji": one} for one in before],
        "new_reaction": [{"type": "emoji", "emoji": one} for one in emoji],
    }
    for bot in world.bots_in(message.chat):
        if message.chat.kind is ChatKind.PRIVATE or message.chat.members.get(bot.id) == "administrator":
            bot.queue.push("message_reaction", body, now)
    world.changed()


def tell_membership(world: World, chat: Chat, bot: Bot, by: Person, old: str, new: str, now: float) -> None:
    """Tell a bot that its own place in a chat changed."""
    body: Json = {
        "chat": chat.view(),
        "from": by.view(),
        "date": int(now),
        "old_chat_member": member_view(old, bot.view()),
        "new_chat_member": member_view(new, bot.view()),
    }
    bot.queue.push("my_chat_member", body, now)
    world.changed()


def set_blocked(world: World, chat: Chat, *, blocked: bool, now: float) -> None:
    """Stop or restart the bot of a private chat."""
    if chat.is_blocked == blocked or not chat.bot or not chat.person:
        return
    chat.is_blocked = blocked
    old, new = ("member", "kicked") if blocked else ("kicked", "member")
    tell_membership(world, chat, chat.bot, chat.person, old, new, now)


def set_member(
    world: World,
    chat: Chat,
    who: Person | Bot,
    status: str,
    by: Person,
    now: float,
    withheld: frozenset[str] = frozenset(),
) -> None:
    """Let somebody into a group, out of it, or change their status; the group says so in a message."""
    old = chat.members.get(who.id, "left")
    chat.members[who.id] = status
    chat.withheld[who.id] = withheld
    outside = {"left", "kicked"}
    if isinstance(who, Bot) and old != status:
        tell_membership(world, chat, who, by, old, status, now)
    if old in outside and status not in outside:
        post(world, chat, by, {"new_chat_members": [who.view()]}, at=now, now=now)
    elif old not in outside and status in outside:
        post(world, chat, by, {"left_chat_member": who.view()}, at=now, now=now)


def migrate(world: World, chat: Chat, by: Person, now: float) -> Chat:
    """Turn a group into a supergroup with another id; both say so."""
    successor = world.add_group(chat.title, ChatKind.SUPERGROUP)
    successor.members, successor.withheld = dict(chat.members), dict(chat.withheld)
    chat.migrated_to = successor
    # The old group's bots hear of the move; whatever comes after it happens in the new one.
    post(world, chat, by, {"migrate_to_chat_id": successor.id}, at=now, now=now)
    post(
        world,
        successor,
        by,
        {"migrate_from_chat_id": chat.id},
        at=now,
        now=now,
        head={"from": ANONYMOUS_ADMIN, "sender_chat": successor.view()},
    )
    return successor


def open_topic(
    world: World, chat: Chat, by: Person | Bot, name: str, now: float, *, icon_color: int = 7322096, emoji: str = ""
) -> Topic:
    """Open a forum topic: a service message whose id is the topic's."""
    icon: dict[str, Any] = {"icon_custom_emoji_id": emoji} if emoji else {}
    message = post(
        world,
        chat,
        by,
        {"forum_topic_created": {"name": name, "icon_color": icon_color} | icon},
        at=now,
        now=now,
        thread=chat.next_message,  # the message that opens a topic belongs to it
    )
    topic = Topic(message.id, name, icon_color, emoji, creator=by.id)
    chat.topics[topic.thread] = topic
    return topic


def set_closed(world: World, chat: Chat, topic: Topic, by: Person | Bot, now: float, *, closed: bool) -> None:
    """Close or reopen a topic; a service message in it says so."""
    topic.is_closed = closed
    key = "forum_topic_closed" if closed else "forum_topic_reopened"
    post(world, chat, by, {key: {}}, at=now, now=now, thread=topic.thread)


def delete_topic(world: World, chat: Chat, topic: Topic) -> None:
    """Delete a topic and everything in it; bots are not told."""
    del chat.topics[topic.thread]
    for message in chat.messages.values():
        if message.is_topic_message and message.thread == topic.thread:
            message.is_deleted = True
    world.changed()


def quote_of(message: StoredMessage, words: str) -> Json | None:
    """The TextQuote of a part of a message, None when it does not contain these words."""
    at = message.text.find(words)
    if not words or at < 0:
        return None
    return {"text": utf16_prefix(words, 1024), "position": utf16_len(message.text[:at]), "is_manual": True}
