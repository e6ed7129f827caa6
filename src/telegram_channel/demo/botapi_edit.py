"""The methods that change what is already in a chat: edits, deletion, pins, reactions, answers to presses."""

from collections.abc import Mapping
from typing import Final

from telegram_channel.core.text import utf16_len
from telegram_channel.demo.botapi_call import Access, Call, Method
from telegram_channel.demo.botapi_checks import (
    MOST_ANSWER_CHARACTERS,
    checked_keyboard,
    checked_link_preview,
    checked_reactions,
)
from telegram_channel.demo.botapi_events import SERVICE
from telegram_channel.demo.botapi_send import settled_caption
from telegram_channel.demo.botapi_text import MOST_TEXT, settle
from telegram_channel.demo.botapi_wire import Json, bad_request
from telegram_channel.demo.botapi_world import ChatKind, StoredMessage

NOT_MODIFIED: Final = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)
PRESS_LIFETIME_S: Final = 60.0
"""How long a press can be answered. The documentation names no figure: a cautious guess."""
DELETE_LIMIT_S: Final = 48 * 3600
"""Source: Bot API, deleteMessage."""


def edit_text(call: Call) -> Json:
    """editMessageText"""
    draft = call.params.formatted("text", call.complain)
    if not draft.text:
        raise bad_request("message text is empty")
    preview = checked_link_preview(call.params)
    buttons = checked_keyboard(call.params, call.complain) or []
    message = _own_message(call)
    if "text" not in message.content:
        raise bad_request("there is no text in the message to edit")
    settled = settle(draft.text, draft.entities, call.complain)
    if utf16_len(settled.text) > MOST_TEXT:
        raise bad_request("MESSAGE_TOO_LONG")
    content = settled.content("text")
    if preview:
        content["link_preview_options"] = preview
    return _edited(call, message, content, buttons)


def edit_caption(call: Call) -> Json:
    """editMessageCaption"""
    buttons = checked_keyboard(call.params, call.complain) or []
    draft = call.params.formatted("caption", call.complain)
    message = _own_message(call)
    if message.file is None:
        raise bad_request("there is no caption in the message to edit")
    caption = settled_caption(call, draft, "MEDIA_CAPTION_TOO_LONG").content("caption")
    kept = {key: value for key, value in message.content.items() if not key.startswith("caption")}
    return _edited(call, message, kept | caption, buttons)


def edit_reply_markup(call: Call) -> Json:
    """editMessageReplyMarkup"""
    buttons = checked_keyboard(call.params, call.complain) or []
    message = _own_message(call)
    return _edited(call, message, message.content, buttons)


def _own_message(call: Call) -> StoredMessage:
    if call.params.text("inline_message_id"):
        call.complain("inline messages are not emulated")
        raise bad_request("MESSAGE_ID_INVALID")
    message = call.message(call.chat(Access.EDIT), "message to edit")
    if message.author is not call.bot or not SERVICE.isdisjoint(message.content):
        raise bad_request("message can't be edited")
    return message


def _edited(call: Call, message: StoredMessage, content: Json, buttons: list[list[Json]]) -> Json:
    """An edit without a reply markup takes the buttons away; one that changes nothing is refused."""
    if content == message.content and buttons == message.buttons:
        raise bad_request(NOT_MODIFIED)
    if content != message.content:
        message.edited_at = int(call.now)
    message.content = content
    message.buttons = buttons
    call.world.changed()
    return message.view()


def delete_message(call: Call) -> bool:
    """deleteMessage"""
    chat = call.chat(Access.WRITE)
    message = call.message(chat, "message to delete")
    is_own = message.author is call.bot
    if not is_own and not call.administrates(chat):
        raise bad_request("message can't be deleted")
    if call.now - message.date > DELETE_LIMIT_S and (is_own or chat.kind is ChatKind.PRIVATE):
        raise bad_request("message can't be deleted for everyone")
    message.is_deleted = True
    call.world.changed()
    return True


def pin_chat_message(call: Call) -> bool:
    """pinChatMessage"""
    chat = call.chat(Access.WRITE)
    message = call.message(chat, "message to pin")
    if not call.administrates(chat):
        raise bad_request("not enough rights to manage pinned messages in the chat")
    chat.pinned = [*(one for one in chat.pinned if one != message.id), message.id]
    call.world.changed()
    return True


def unpin_chat_message(call: Call) -> bool:
    """unpinChatMessage: without a message, the one pinned last"""
    chat = call.chat(Access.WRITE)
    if not call.administrates(chat):
        raise bad_request("not enough rights to manage pinned messages in the chat")
    number = call.params.integer("message_id") or (chat.pinned[-1] if chat.pinned else 0)
    if number not in chat.pinned:
        raise bad_request("message to unpin not found")
    chat.pinned.remove(number)
    call.world.changed()
    return True


def set_message_reaction(call: Call) -> bool:
    """setMessageReaction: no list, or an empty one, takes the reaction away"""
    emoji = checked_reactions(call.params)
    chat = call.chat(Access.READ)
    message = call.message(chat, "message to react")
    if not SERVICE.isdisjoint(message.content):
        raise bad_request("REACTION_INVALID")
    if emoji:
        message.reactions[call.bot.id] = emoji
    else:
        message.reactions.pop(call.bot.id, None)
    call.world.changed()
    return True


def answer_callback_query(call: Call) -> bool:
    """answerCallbackQuery: once for each press, and not long after it"""
    press = call.bot.presses.get(call.params.required("callback_query_id"))
    if press is None or press.answer is not None or call.now - press.at > PRESS_LIFETIME_S:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if len(call.params.text("text")) > MOST_ANSWER_CHARACTERS:
        raise bad_request("MESSAGE_TOO_LONG")
    press.answer = {
        "text": call.params.text("text"),
        "show_alert": "true" if call.params.flag("show_alert") else "false",
        "url": call.params.text("url"),
    }
    call.world.changed()
    return True


METHODS: Final[Mapping[str, Method]] = {
    "editMessageText": edit_text,
    "editMessageCaption": edit_caption,
    "editMessageReplyMarkup": edit_reply_markup,
    "deleteMessage": delete_message,
    "pinChatMessage": pin_chat_message,
    "unpinChatMessage": unpin_chat_message,
    "setMessageReaction": set_message_reaction,
    "answerCallbackQuery": answer_callback_query,
}
