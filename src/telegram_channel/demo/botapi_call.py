"""One method call on its way through the checks every method shares: which chat, which message, may it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from telegram_channel.demo.botapi_checks import Params, ReplyRequest
from telegram_channel.demo.botapi_flood import FloodControl
from telegram_channel.demo.botapi_text import Complain
from telegram_channel.demo.botapi_wire import Json, Refused, Upload, bad_request, forbidden
from telegram_channel.demo.botapi_world import Bot, Chat, ChatKind, StoredMessage, Topic, World


class Access(IntEnum):
    """What a method needs in a chat; more includes less."""

    READ = 0
    EDIT = 1
    WRITE = 2


@dataclass(slots=True)
class Call:
    """A call of one method by one bot."""

    world: World
    bot: Bot
    method: str
    params: Params
    files: Mapping[str, Upload]
    now: float
    complain: Complain
    flood_control: FloodControl | None = None

    def chat(self, access: Access) -> Chat:
        """The chat of the request.

        Raises:
            Refused: there is none, or the bot may not do that there.
        """
        chat = self._find_chat(self.params.text("chat_id"))
        if chat.kind is ChatKind.PRIVATE:
            self._check_private(chat, access)
        else:
            self._check_group(chat, access)
        return chat

    def _find_chat(self, chat_id: str) -> Chat:
        if not chat_id:
            raise bad_request("chat_id is empty")
        if not chat_id.lstrip("-").isdecimal():
            raise bad_request("chat not found")
        number = int(chat_id)
        chat = self.world.chat_of(self.bot, number)
        if chat is None and number in self.world.people:
            raise forbidden("bot can't initiate conversation with a user")
        if chat is None:
            raise bad_request("chat not found")
        return chat

    def _check_private(self, chat: Chat, access: Access) -> None:
        if access < Access.EDIT or chat.person is None:
            return
        if chat.person.is_deactivated:
            raise forbidden("user is deactivated")
        if chat.is_blocked and access is Access.WRITE:
            raise forbidden("bot was blocked by the user")

    def _check_group(self, chat: Chat, access: Access) -> None:
        if chat.migrated_to and access is Access.WRITE:
            raise Refused(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                {"migrate_to_chat_id": chat.migrated_to.id},
            )
        if access < Access.EDIT and chat.kind is ChatKind.GROUP:
            return
        match chat.members.get(self.bot.id, "left"):
            case "kicked":
                raise forbidden(f"bot was kicked from the {chat.kind} chat")
            case "left":
                raise forbidden(f"bot is not a member of the {chat.kind} chat")

    def message(self, chat: Chat, what: str, name: str = "message_id") -> StoredMessage:
        """A message of that chat; `what` is its name in the refusal."""
        found = chat.message(self.params.integer(name))
        if found is None:
            raise bad_request(f"{what} not found")
        return found

    def thread(self, chat: Chat) -> int | None:
        """The topic of the request.

        Raises:
            Refused: there is no such topic, or it is closed. The General topic has no id of its own here:
                a message for it is sent without one.
        """
        number = self.params.integer("message_thread_id")
        if number <= 0:
            return None
        topic = chat.topics.get(number)
        if topic is None:
            raise bad_request("message thread not found")
        if topic.is_closed and not self.manages(chat, topic):
            raise bad_request("TOPIC_CLOSED")
        return number

    def answered(self, chat: Chat, reply: ReplyRequest | None) -> tuple[StoredMessage | None, Json]:
        """The message a request answers, and the `quote` it shows."""
        if reply is None:
            return None, {}
        if reply.chat and reply.chat != str(chat.id):
            self.complain("an answer to a message of another chat is not emulated")
            raise bad_request("message to be replied not found")
        found = chat.message(reply.message)
        if found is None:
            if reply.may_be_missing:
                return None, {}
            raise bad_request("message to be replied not found")
        if not reply.quote:
            return found, {}
        if reply.quote not in found.text:
            raise bad_request("QUOTE_TEXT_INVALID")
        return found, {"quote": {"text": reply.quote, "position": reply.quote_position, "is_manual": True}}

    def administrates(self, chat: Chat) -> bool:
        """Whether the bot has an administrator's rights there."""
        return chat.kind is ChatKind.PRIVATE or chat.members.get(self.bot.id) in {"administrator", "creator"}

    def manages(self, chat: Chat, topic: Topic | None = None) -> bool:
        """Whether the bot may open topics there or, with `topic`, change that one.

        For the latter an administrator needs no right if it opened the topic (source: Bot API, editForumTopic).
        """
        if not self.administrates(chat):
            return False
        has_right = "can_manage_topics" not in chat.withheld.get(self.bot.id, frozenset())
        return has_right or (topic is not None and topic.creator == self.bot.id)


Method = Callable[[Call], object]
"""A method: its result as JSON can carry it, or `Refused` raised."""
