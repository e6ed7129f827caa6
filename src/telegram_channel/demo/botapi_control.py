"""What other programs may do with the emulator: play the people, look at what bots did, set faults.

Every action takes text values, as a form of curl carries them. `from` is a person's id, username or first
name (default: the first person), `bot` a bot's id (default: the first bot), `chat` a group's id (default:
the private chat of the two).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.botapi_checks import Params
from telegram_channel.demo.botapi_faults import Fault, Faults
from telegram_channel.demo.botapi_shell import Now
from telegram_channel.demo.botapi_wire import Answer, Fields, Json, Refused, answer_ok, answer_refused, bad_request
from telegram_channel.demo.botapi_world import Bot, Chat, Person, StoredMessage
from telegram_channel.demo.phone import Phone

LONGEST_BURST: Final = 100_000


class Control:
    """The control surface, without any I/O."""

    def __init__(self, api: BotApi, faults: Faults, now: Now) -> None:
        self._api = api
        self._faults = faults
        self._now = now

    def answer(self, name: str, fields: Fields) -> Answer:
        """Carry out one action; a wrong one is refused with a sentence."""
        action = _ACTIONS.get(name)
        if action is None:
            return answer_refused(404, f"Not Found: choose one of {', '.join(sorted(_ACTIONS))}")
        try:
            return answer_ok(action(self, Params(fields.values), fields))
        except Refused as refused:
            return answer_refused(refused.status, refused.description)
        except (ValueError, LookupError, TypeError) as error:
            return answer_refused(400, f"Bad Request: {error}")

    # People and places

    def people(self, params: Params, _: Fields) -> list[Json]:
        """Everybody; with `first_name` (and `id`, `last_name`, `username`) somebody new first."""
        if params.text("first_name"):
            self._api.add_person(
                params.text("first_name"),
                id=params.integer("id") or None,
                last_name=params.text("last_name"),
                username=params.text("username"),
            )
        return [person.view() for person in self._api.world.people.values()]

    def group(self, params: Params, _: Fields) -> Json:
        """A group called `title` with the bot in it; `supergroup`, `forum`, `administrator` are yes or no."""
        phone = self._phone(params)
        chat = phone.create_group(
            params.required("title"), supergroup=params.flag("supergroup"), is_forum=params.flag("forum")
        )
        phone.set_member(chat, phone.bot, "administrator" if params.flag("administrator") else "member")
        return chat.view()

    # What people do

    def say(self, params: Params, _: Fields) -> Json:
        """Say `text`; `reply_to`, `quote`, `thread`, `at` (seconds since the epoch), `edit` (the id of an own one).

        `count` says it so many times, numbered, as fast as it goes.
        """
        phone, chat = self._phone(params), self._chat(params)
        if params.text("edit"):
            message = self._message(phone, chat, params.integer("edit"))
            phone.edit(message, params.required("text"))
            return message.view()
        reply = params.integer("reply_to")
        thread = params.integer("thread")
        topic = (chat or phone.chat).topics.get(thread)
        if thread and topic is None:
            raise bad_request(f"there is no topic {thread}")
        count = min(params.integer("count", 1), LONGEST_BURST)
        text = params.required("text")
        for number in range(1, count + 1):
            said = phone.say(
                text if count == 1 else f"{text} {number}",
                chat=chat,
                reply_to=self._message(phone, chat, reply) if reply else None,
                quote=params.text("quote"),
                thread=topic,
                at=float(params.text("at")) if params.text("at") else None,
            )
        return said.view()

    def attach(self, params: Params, fields: Fields) -> Json:
        """Send a file: `kind` (photo, document, voice, …), `caption`, an uploaded `content`, or `size_bytes`."""
        upload = fields.files.get("content")
        return (
            self._phone(params)
            .send(
                params.text("kind") or "document",
                upload.content if upload else None,
                caption=params.text("caption"),
                name=upload.name if upload else None,
                mime=upload.mime if upload else None,
                size_bytes=params.integer("size_bytes") or None,
                chat=self._chat(params),
            )
            .view()
        )

    def press(self, params: Params, _: Fields) -> Json:
        """Press the `button` with this label or data, below `message_id` or the newest that has one."""
        phone, chat = self._phone(params), self._chat(params)
        number = params.integer("message_id")
        if number or chat is None:
            target = self._message(phone, chat, number) if number else None
            query = phone.press(params.required("button"), target)
        else:
            raise bad_request("in a group, name the message_id")
        return {"id": query.id, "message_id": query.message.id, "data": query.data}

    def react(self, params: Params, _: Fields) -> Json:
        """Put `emoji` (several with spaces between, none to take them away) on `message_id`."""
        phone = self._phone(params)
        message = self._message(phone, self._chat(params), params.integer("message_id"))
        phone.react(message, *params.text("emoji").split())
        return {"message_id": message.id, "emoji": message.reactions[phone.person.id]}

    def block(self, params: Params, _: Fields) -> bool:
        """Stop the bot."""
        self._phone(params).block()
        return True

    def unblock(self, params: Params, _: Fields) -> bool:
        """Restart the bot."""
        self._phone(params).unblock()
        return True

    # What can be seen

    def inbox(self, params: Params, _: Fields) -> list[Json]:
        """What a chat shows, oldest first."""
        phone = self._phone(params)
        return [_shown(message) for message in phone.history(self._chat(params))]

    def sent(self, params: Params, _: Fields) -> list[Json]:
        """Every call of bots that did something or was refused, after number `after`, of the `method`."""
        method = params.text("method")
        acts = self._api.acts[max(0, params.integer("after")) :]
        return [act.view() for act in acts if not method or act.method == method]

    def state(self, params: Params, _: Fields) -> Json:  # noqa: ARG002 - every action has this form
        """Everything else worth knowing."""
        world = self._api.world
        return {
            "bots": [self._bot_state(bot) for bot in world.bots.values()],
            "people": [person.view() for person in world.people.values()],
            "groups": [chat.view() for chat in world.groups.values()],
            "acts": len(self._api.acts),
            "complaints": list(self._api.complaints),
            "faults": [_rule(fault) for fault in self._faults.rules],
        }

    def _bot_state(self, bot: Bot) -> Json:
        return bot.view() | {
            "pending": len(bot.queue.pending),
            "newest_at": bot.queue.newest_at,
            "polls": bot.queue.polls,
            "is_waited_for": bot.queue.is_waited_for,
            "allowed_updates": list(bot.queue.allowed),
            "is_revoked": bot.token in self._api.revoked,
            "commands": {f"{scope} {language}".strip(): given for (scope, language), given in bot.commands.items()},
            "presses": [{"id": one.id, "data": one.data, "answer": one.answer} for one in bot.presses.values()],
        }

    # What goes wrong

    def fault(self, params: Params, _: Fields) -> list[Json]:
        """The rules; `clear` lifts them, then `trouble` (with `method`, `times`, `seconds`, `after`) adds one."""
        if params.flag("clear"):
            self._faults.clear()
        if params.text("trouble"):
            self._faults.add(
                params.text("trouble"),
                params.text("method") or "*",
                times=params.integer("times") or None,
                seconds=float(params.text("seconds") or 0),
                after=params.flag("after"),
            )
        return [_rule(fault) for fault in self._faults.rules]

    def inject(self, params: Params, _: Fields) -> Json:
        """Queue any JSON as an `update`, under `update_id` if given; `jump` first sets the next id."""
        bot = self._bot(params)
        if params.text("jump"):
            bot.queue.jump(params.integer("jump"))
        given: dict[str, int] = {}
        if params.text("update"):
            number = params.integer("update_id") or None
            given["update_id"] = bot.queue.inject(json.loads(params.text("update")), self._now(), update_id=number)
        return given

    def revoke(self, params: Params, _: Fields) -> bool:
        """Make the bot's token invalid, or valid again with `restore`."""
        token = self._bot(params).token
        if params.flag("restore"):
            self._api.revoked.discard(token)
        else:
            self._api.revoked.add(token)
        return True

    # Who is meant

    def _bot(self, params: Params) -> Bot:
        number = params.integer("bot")
        for bot in self._api.world.bots.values():
            if number in (0, bot.id):
                return bot
        raise bad_request("there is no such bot")

    def _person(self, params: Params) -> Person:
        wanted = params.text("from").removeprefix("@")
        for person in self._api.world.people.values():
            if wanted in ("", str(person.id), person.username, person.first_name):
                return person
        raise bad_request("there is nobody like that: POST /control/people first_name=…")

    def _phone(self, params: Params) -> Phone:
        return Phone(self._api, self._person(params), self._bot(params), self._now)

    def _chat(self, params: Params) -> Chat | None:
        number = params.integer("chat")
        if number >= 0:
            return None
        if number not in self._api.world.groups:
            raise bad_request("there is no such group")
        return self._api.world.groups[number]

    def _message(self, phone: Phone, chat: Chat | None, number: int) -> StoredMessage:
        found = (chat or phone.chat).message(number)
        if found is None:
            raise bad_request(f"there is no message {number}")
        return found


Action = Callable[[Control, Params, Fields], Any]

_ACTIONS: Final[Mapping[str, Action]] = {
    "attach": Control.attach,
    "block": Control.block,
    "fault": Control.fault,
    "group": Control.group,
    "inbox": Control.inbox,
    "inject": Control.inject,
    "people": Control.people,
    "press": Control.press,
    "react": Control.react,
    "revoke": Control.revoke,
    "say": Control.say,
    "sent": Control.sent,
    "state": Control.state,
    "unblock": Control.unblock,
}
CHANGING: Final = frozenset(_ACTIONS) - {"inbox", "sent", "state"}
"""Actions that only a POST may carry out."""


def _shown(message: StoredMessage) -> Json:
    reactions = sorted({emoji for given in message.reactions.values() for emoji in given})
    return {
        "message_id": message.id,
        "from": message.author.first_name,
        "from_bot": message.from_bot,
        "text": message.text,
        "buttons": message.labels,
        "reactions": reactions,
        "edited": message.edited_at is not None,
    } | ({"thread": message.thread} if message.is_topic_message else {})


def _rule(fault: Fault) -> Json:
    return {
        "trouble": str(fault.trouble),
        "method": fault.method,
        "times": fault.times,
        "seconds": fault.seconds,
        "after": fault.after,
        "struck": fault.struck,
    }
