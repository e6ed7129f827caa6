"""Raw updates become values of the core, one by one: whatever comes, each gives exactly one, and none fails.

A new kind of update is a row in `_KINDS`, a new kind of content a row in `tg.contents`. Nobody is named the
sender of what Telegram does not show a person for: posts of channels, anonymous administrators, bots.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from telegram_channel.core.ids import PressId, ThreadId, UpdateId
from telegram_channel.core.messages import (
    ButtonPress,
    ChatMigration,
    Ignorable,
    Inbound,
    InboundMessage,
    MembershipChange,
    ReactionChange,
    RepliedTo,
)
from telegram_channel.core.outgoing import BotIdentity
from telegram_channel.tg.contents import Content, content_of
from telegram_channel.tg.ids import GENERAL_TOPIC, chat_id, message_id, thread_id
from telegram_channel.tg.kinds import KNOWN_FIELDS, OTHER_UPDATES, SERVICE
from telegram_channel.tg.mentions import mentions
from telegram_channel.tg.names import one_line
from telegram_channel.tg.people import NOBODY_KNOWN, OfNoInterest, author_of, origin_of, person_of, place_of
from telegram_channel.tg.raw import (
    Fields,
    Malformed,
    objects,
    optional_integer,
    optional_object,
    optional_text,
    required_integer,
    required_object,
    required_text,
    required_time,
)
from telegram_channel.tg.unreadable import shown, unreadable

NO_UPDATE_ID = UpdateId(-1)
"""Of an update that came without an id of its own: it can be kept, but not confirmed by itself."""


def translate(raw: object, me: BotIdentity) -> Inbound:
    """The value of the core for one update of `getUpdates`. Never raises."""
    update = update_id_of(raw)
    try:
        if not isinstance(raw, Mapping) or update is None:
            raise Malformed("there is no update_id")  # noqa: TRY301 - one way out for everything unreadable
        return _translated(update, raw, me)
    except OfNoInterest as what:
        return Ignorable(NO_UPDATE_ID if update is None else update, str(what))
    except Malformed as fault:
        reason = f"The update could not be read: {fault}."
    except Exception as surprise:  # whatever one update does to us, it must not stop those behind it
        reason = f"The update could not be read ({type(surprise).__name__})."
    return unreadable(NO_UPDATE_ID if update is None else update, reason, raw)


def update_id_of(raw: object) -> UpdateId | None:
    """The id to confirm an update by; None when it has none."""
    found = optional_integer(raw, "update_id") if isinstance(raw, Mapping) else None
    return UpdateId(found) if found is not None and found >= 0 else None


def _translated(update: UpdateId, raw: Fields, me: BotIdentity) -> Inbound:
    for kind, read in _KINDS.items():
        if kind in raw:
            return read(update, required_object(raw, kind), me)
    for key in raw:
        if key in OTHER_UPDATES:
            raise OfNoInterest(key)
    unknown = ", ".join(sorted(shown(key) for key in raw if key != "update_id"))
    raise Malformed(f"this version knows no updates of the kind {unknown or 'without content'}")


def _topic(message: Fields) -> ThreadId | None:
    """The topic, None for the general one; a thread of replies in a group without topics is none, either."""
    if message.get("is_topic_message") is not True:
        return None
    number = optional_integer(message, "message_thread_id")
    return None if number in (None, GENERAL_TOPIC) else thread_id(number)


def _new_message(update: UpdateId, message: Fields, me: BotIdentity) -> Inbound:
    if migration := _migration(update, message):
        return migration
    content = content_of(message)
    if content is None and "text" not in message:
        if service := next((key for key in message if key in SERVICE), None):
            raise OfNoInterest(service)
        content = Content(words=_unsupported(message))
    return _message(update, message, me, content, required_time(message, "date"))


def _edited_message(update: UpdateId, message: Fields, me: BotIdentity) -> Inbound:
    if "location" in message:
        raise OfNoInterest("a live location moved")
    changed_at = required_time(message, "edit_date" if "edit_date" in message else "date")
    content = content_of(message)
    if content is None and "text" not in message:
        content = Content(words=_unsupported(message))
    return replace(_message(update, message, me, content, changed_at), edited=True)


def _message(
    update: UpdateId, message: Fields, me: BotIdentity, content: Content | None, at: datetime
) -> InboundMessage:
    author = author_of(message)
    typed = optional_text(message, "text") or optional_text(message, "caption")
    entities = objects(message, "entities") or objects(message, "caption_entities")
    content = content or Content()
    return InboundMessage(
        update=update,
        place=place_of(required_object(message, "chat"), author, _topic(message)),
        message=message_id(required_integer(message, "message_id")),
        sent_at=at,
        text=typed or content.words,
        attachment=content.attachment,
        album=optional_text(message, "media_group_id") or None,
        reply_to=_replied_to(message, me),
        quote=optional_text(optional_object(message, "quote") or {}, "text") or None,
        forwarded_from=origin_of(optional_object(message, "forward_origin")),
        mentions_bot=bool(entities) and mentions(typed, entities, me),
        details={**content.details, **_external_reply(message)},
    )


def _unsupported(message: Fields) -> str:
    unknown = ", ".join(sorted(shown(key) for key in message if key not in KNOWN_FIELDS))
    return f"[unsupported: {unknown}]" if unknown else "[unsupported message]"


def _migration(update: UpdateId, message: Fields) -> ChatMigration | None:
    """Both groups say so, each from its side: the values are the same."""
    successor, predecessor = (optional_integer(message, f"migrate_{way}_chat_id") for way in ("to", "from"))
    if successor is None and predecessor is None:
        return None
    chat = required_object(message, "chat")
    here = place_of(chat, NOBODY_KNOWN)
    if successor is not None:
        return ChatMigration(update, here, chat_id(successor))
    return ChatMigration(update, replace(here, chat=chat_id(predecessor or 0)), here.chat)


def _replied_to(message: Fields, me: BotIdentity) -> RepliedTo | None:
    original = optional_object(message, "reply_to_message")
    # Everything in a topic "replies" to the message that opened it, unless it replies to another.
    if original is None or "forum_topic_created" in original:
        return None
    number = optional_integer(original, "message_id")
    if number is None:
        return None
    content = _content_if_readable(original)
    words = optional_text(original, "text") or optional_text(original, "caption") or content.label
    author = optional_integer(optional_object(original, "from") or {}, "id")
    return RepliedTo(message_id(number), words, str(author) == me.bot, content.attachment)


def _content_if_readable(message: Fields) -> Content:
    """The content of something that is only referred to: not worth losing the message over."""
    try:
        return content_of(message) or Content()
    except Malformed:
        return Content()


def _external_reply(message: Fields) -> dict[str, str]:
    """What is shown of a message of another chat that was replied to."""
    original = optional_object(message, "external_reply")
    if original is None:
        return {}
    content = _content_if_readable(original)
    found = {
        "external_reply_from": origin_of(optional_object(original, "origin")),
        "external_reply_kind": content.label,
        "external_reply_file_id": content.attachment.file if content.attachment else "",
    }
    return {key: text for key, text in found.items() if text}


def _press(update: UpdateId, query: Fields, me: BotIdentity) -> Inbound:  # noqa: ARG001 - one signature for all rows
    person = person_of(optional_object(query, "from"))
    message = optional_object(query, "message")
    if person is None or message is None or "data" not in query:
        raise OfNoInterest("a press of no button of ours")
    data = required_text(query, "data")
    return ButtonPress(
        update=update,
        place=place_of(required_object(message, "chat"), person, _topic(message)),
        press=PressId(required_text(query, "id")),
        data=data,
        message=message_id(required_integer(message, "message_id")),
        label=_label_of(data, message),
    )


def _label_of(data: str, message: Fields) -> str:
    rows = (optional_object(message, "reply_markup") or {}).get("inline_keyboard")
    for row in rows if isinstance(rows, list) else ():
        for button in row if isinstance(row, list) else ():
            if isinstance(button, Mapping) and button.get("callback_data") == data:
                return one_line(optional_text(button, "text"))
    return ""


def _reaction(update: UpdateId, change: Fields, me: BotIdentity) -> Inbound:  # noqa: ARG001 - one signature for all rows
    person = person_of(optional_object(change, "user"))
    if person is None:
        raise OfNoInterest("a reaction of no person")
    before, after = _emoji(change, "old_reaction"), _emoji(change, "new_reaction")
    return ReactionChange(
        update=update,
        place=place_of(required_object(change, "chat"), person),
        message=message_id(required_integer(change, "message_id")),
        at=required_time(change, "date"),
        added=tuple(emoji for emoji in after if emoji not in before),
        removed=tuple(emoji for emoji in before if emoji not in after),
    )


def _emoji(change: Fields, key: str) -> tuple[str, ...]:
    words = {"custom_emoji": "[custom emoji]", "paid": "⭐"}
    found = (words.get(optional_text(one, "type")) or optional_text(one, "emoji") for one in objects(change, key))
    return tuple(emoji for emoji in found if emoji)


def _membership(update: UpdateId, change: Fields, me: BotIdentity) -> Inbound:  # noqa: ARG001 - one signature for all rows
    member = required_object(change, "new_chat_member")
    status = required_text(member, "status")
    may_write = member.get("is_member") is True and member.get("can_send_messages") is not False
    reachable = status in ("member", "administrator", "creator") or (status == "restricted" and may_write)
    person = person_of(optional_object(change, "from")) or NOBODY_KNOWN
    return MembershipChange(update, place_of(required_object(change, "chat"), person), reachable)


_KINDS: Mapping[str, Callable[[UpdateId, Fields, BotIdentity], Inbound]] = {
    "message": _new_message,
    "edited_message": _edited_message,
    "callback_query": _press,
    "message_reaction": _reaction,
    "my_chat_member": _membership,
}

ALLOWED_UPDATES = tuple(_KINDS)
"""What to ask `getUpdates` for; a kind that is not named is not sent (Bot API, getUpdates)."""
