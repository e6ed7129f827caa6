"""The methods that ask and the ones about the bot itself: identity, menu, chats, files, topics, webhook."""

import json
import re
from collections.abc import Mapping
from typing import Final

from telegram_channel.demo.botapi_call import Access, Call, Method
from telegram_channel.demo.botapi_checks import MOST_DOWNLOAD_BYTES
from telegram_channel.demo.botapi_events import open_topic, post, set_closed
from telegram_channel.demo.botapi_updates import CONFLICT_SET_WEBHOOK
from telegram_channel.demo.botapi_wire import Json, bad_request
from telegram_channel.demo.botapi_world import Chat, ChatKind, Topic

MOST_COMMANDS: Final = 100
MOST_TOPIC_NAME: Final = 128
TOPIC_COLORS: Final = frozenset({7322096, 16766590, 13338331, 9367192, 16749490, 16478047})


def get_me(call: Call) -> Json:
    """getMe: the only method that tells what the bot may do"""
    return call.bot.view() | {
        "can_join_groups": True,
        "can_read_all_group_messages": call.bot.reads_all_group_messages,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": call.bot.has_topics,
    }


def _scope(call: Call) -> tuple[str, str]:
    scope = call.params.decoded("scope", "BotCommandScope")
    if scope is not None and (not isinstance(scope, dict) or "type" not in scope):
        raise bad_request("can't parse BotCommandScope: Can't find field \"type\"")
    return json.dumps(scope or {"type": "default"}, sort_keys=True), call.params.text("language_code")


def set_my_commands(call: Call) -> bool:
    """setMyCommands"""
    commands = call.params.decoded("commands", "commands")
    if not isinstance(commands, list):
        raise bad_request("expected an Array of BotCommand")
    if len(commands) > MOST_COMMANDS:
        raise bad_request("too many commands specified")
    for one in commands:
        if not isinstance(one, dict) or not {"command", "description"} <= one.keys():
            raise bad_request("can't parse BotCommand: Can't find field \"command\"")
        if not re.fullmatch(r"/?[a-z0-9_]{1,32}", str(one["command"])):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(str(one["description"])) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    call.bot.commands[_scope(call)] = [
        {"command": str(one["command"]).lstrip("/"), "description": str(one["description"])} for one in commands
    ]
    call.world.changed()
    return True


def get_my_commands(call: Call) -> list[Json]:
    """getMyCommands"""
    return call.bot.commands.get(_scope(call), [])


def delete_my_commands(call: Call) -> bool:
    """deleteMyCommands"""
    call.bot.commands.pop(_scope(call), None)
    call.world.changed()
    return True


def get_chat(call: Call) -> Json:
    """getChat"""
    chat = call.chat(Access.READ)
    gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    view = chat.view() | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, chat.kind is ChatKind.PRIVATE),
    }
    pinned = chat.message(chat.pinned[-1]) if chat.pinned else None
    return view | ({"pinned_message": pinned.view(with_reply=False)} if pinned else {})


def get_chat_member(call: Call) -> Json:
    """getChatMember"""
    chat = call.chat(Access.READ)
    number = call.params.integer("user_id")
    bots = {bot.id: bot for bot in call.world.bots.values()}
    user = call.world.people.get(number) or bots.get(number)
    if user is None:
        raise bad_request("PARTICIPANT_ID_INVALID")
    if chat.kind is ChatKind.PRIVATE:
        return {"user": user.view(), "status": "member"}
    return call.world.member_view(chat, user.view())


def get_file(call: Call) -> Json:
    """getFile"""
    file_id = call.params.text("file_id")
    if not file_id:
        raise bad_request("file_id not specified")
    stored = call.world.files.get(file_id)
    if stored is None:
        raise bad_request("invalid file_id")
    if stored.is_lost:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    if stored.size_bytes > MOST_DOWNLOAD_BYTES:
        raise bad_request("file is too big")
    return {
        "file_id": stored.file_id,
        "file_unique_id": stored.unique_id,
        "file_size": stored.size_bytes,
        "file_path": stored.path,
    }


def set_webhook(call: Call) -> bool:
    """setWebhook: from then on getUpdates ends with 409"""
    url = call.params.text("url")
    if url and not url.startswith("https://"):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if call.params.flag("drop_pending_updates"):
        call.bot.queue.clear()
    if url:
        call.bot.queue.interrupt(CONFLICT_SET_WEBHOOK, call.now)
    call.bot.webhook_url = url
    call.bot.webhook_max_connections = call.params.integer("max_connections", 40)
    return True


def delete_webhook(call: Call) -> bool:
    """deleteWebhook"""
    if call.params.flag("drop_pending_updates"):
        call.bot.queue.clear()
    call.bot.webhook_url = ""
    return True


def get_webhook_info(call: Call) -> Json:
    """getWebhookInfo"""
    info: Json = {
        "url": call.bot.webhook_url,
        "has_custom_certificate": False,
        "pending_update_count": len(call.bot.queue.pending),
    }
    if call.bot.webhook_url:
        info["max_connections"] = call.bot.webhook_max_connections
    if call.bot.queue.allowed:
        info["allowed_updates"] = list(call.bot.queue.allowed)
    return info


def create_forum_topic(call: Call) -> Json:
    """createForumTopic"""
    name = call.params.text("name").strip()
    color = call.params.integer("icon_color", 7322096)
    chat = _forum(call)
    if not call.manages(chat):
        raise bad_request("not enough rights to create a topic")
    if not 1 <= len(name) <= MOST_TOPIC_NAME:
        raise bad_request("TOPIC_TITLE_EMPTY")
    if color not in TOPIC_COLORS:
        raise bad_request("TOPIC_ICON_COLOR_INVALID")
    emoji = call.params.text("icon_custom_emoji_id")
    topic = open_topic(call.world, chat, call.bot, name, call.now, icon_color=color, emoji=emoji)
    icon = {"icon_custom_emoji_id": emoji} if emoji else {}
    return {"message_thread_id": topic.thread, "name": name, "icon_color": color} | icon


def edit_forum_topic(call: Call) -> bool:
    """editForumTopic"""
    chat = _forum(call)
    topic = _topic(call, chat)
    name = call.params.text("name").strip() or topic.name
    if len(name) > MOST_TOPIC_NAME:
        raise bad_request("TOPIC_TITLE_EMPTY")
    # An empty name keeps the old one, an empty emoji takes the icon away (source: Bot API, editForumTopic).
    emoji = call.params.values.get("icon_custom_emoji_id", topic.icon_custom_emoji_id)
    changes: Json = {}
    if name != topic.name:
        changes["name"] = name
    if emoji != topic.icon_custom_emoji_id:
        changes["icon_custom_emoji_id"] = emoji
    if not changes:
        raise bad_request("TOPIC_NOT_MODIFIED")
    topic.name, topic.icon_custom_emoji_id = name, emoji
    post(call.world, chat, call.bot, {"forum_topic_edited": changes}, at=call.now, now=call.now, thread=topic.thread)
    return True


def close_forum_topic(call: Call) -> bool:
    """closeForumTopic"""
    return _set_closed(call, closed=True)


def reopen_forum_topic(call: Call) -> bool:
    """reopenForumTopic"""
    return _set_closed(call, closed=False)


def _set_closed(call: Call, *, closed: bool) -> bool:
    chat = _forum(call)
    if chat.kind is ChatKind.PRIVATE:
        raise bad_request("the chat is not a forum")  # only topics of supergroups are closed (closeForumTopic)
    topic = _topic(call, chat)
    if topic.is_closed == closed:
        raise bad_request("TOPIC_NOT_MODIFIED")
    set_closed(call.world, chat, topic, call.bot, call.now, closed=closed)
    return True


def _forum(call: Call) -> Chat:
    chat = call.chat(Access.WRITE)
    if not (chat.is_forum or (chat.kind is ChatKind.PRIVATE and call.bot.has_topics)):
        raise bad_request("the chat is not a forum")
    return chat


def _topic(call: Call, chat: Chat) -> Topic:
    topic = chat.topics.get(call.params.integer("message_thread_id"))
    if topic is None:
        raise bad_request("TOPIC_ID_INVALID")
    if not call.manages(chat, topic):
        raise bad_request("not enough rights to edit the topic")
    return topic


METHODS: Final[Mapping[str, Method]] = {
    "getMe": get_me,
    "setMyCommands": set_my_commands,
    "getMyCommands": get_my_commands,
    "deleteMyCommands": delete_my_commands,
    "getChat": get_chat,
    "getChatMember": get_chat_member,
    "getFile": get_file,
    "setWebhook": set_webhook,
    "deleteWebhook": delete_webhook,
    "getWebhookInfo": get_webhook_info,
    "createForumTopic": create_forum_topic,
    "editForumTopic": edit_forum_topic,
    "closeForumTopic": close_forum_topic,
    "reopenForumTopic": reopen_forum_topic,
}
READING: Final = frozenset({"getMe", "getMyCommands", "getChat", "getChatMember", "getFile", "getWebhookInfo"})
"""These leave no trace."""
