"""A Telegram Bot API server without I/O: a call goes in with the time it came, an answer comes out.

`BotApi` is strict where the platform is strict, and says it in the platform's words. What a bot does that
the platform tolerates but its documentation does not allow becomes a line in `complaints`.

The shells (`demo.http`, `demo.transport`) do the waiting: a `LongPoll` is answered when it is ready or at its
deadline, an `Answer` with `hold_until` leaves at that time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from telegram_channel.demo import botapi_account, botapi_edit, botapi_send
from telegram_channel.demo.botapi_call import Call, Method
from telegram_channel.demo.botapi_checks import Params
from telegram_channel.demo.botapi_flood import FloodControl
from telegram_channel.demo.botapi_parameters import METHOD_NAMES, PARAMETERS
from telegram_channel.demo.botapi_updates import CONFLICT_WEBHOOK, UPDATE_TYPES, LongPoll
from telegram_channel.demo.botapi_wire import (
    NOT_FOUND,
    TOKEN_SHAPE,
    UNAUTHORIZED,
    Answer,
    Json,
    Refused,
    Upload,
    answer_ok,
    answer_refused,
    as_text,
    words,
)
from telegram_channel.demo.botapi_world import Bot, Person, World

_METHODS: Final[Mapping[str, Method]] = {**botapi_send.METHODS, **botapi_edit.METHODS, **botapi_account.METHODS}
_KNOWN_TYPES: Final = UPDATE_TYPES | words(
    "business_connection business_message edited_business_message deleted_business_messages guest_message "
    "inline_query chosen_inline_result shipping_query pre_checkout_query purchased_paid_media chat_join_request "
    "chat_boost removed_chat_boost managed_bot"
)


@dataclass(frozen=True, slots=True)
class Act:
    """Something a bot did, or tried to do."""

    number: int
    at: float
    bot: int
    method: str
    params: Mapping[str, str]
    files: tuple[str, ...]
    """The names of uploaded files."""
    result: Any
    """What the method returned, None when it was refused."""
    refusal: str = ""
    """The platform's words when it was refused."""

    def view(self) -> Json:
        """As JSON, for other programs."""
        return {
            "number": self.number,
            "at": self.at,
            "bot": self.bot,
            "method": self.method,
            "params": dict(self.params),
            "files": list(self.files),
            "result": self.result,
            "refusal": self.refusal,
        }


class BotApi:
    """The server: its world, its bots' calls, and what there was to complain about."""

    def __init__(self, *, throttles: bool = True, flood_control: bool = False) -> None:
        """`throttles`: greedy getUpdates calls and repeated conflicts are slowed down as on the real server.

        `flood_control`: whoever sends faster than the documentation allows gets 429.
        """
        self.world = World(throttles=throttles)
        self._flood_controls: dict[int, FloodControl] | None = {} if flood_control else None
        self.acts: list[Act] = []
        """Every call that did something or was refused, oldest first; getUpdates never counts."""
        self.complaints: list[str] = []
        self.revoked: set[str] = set()
        """Tokens that were valid once: 401."""

    def add_bot(
        self,
        token: str,
        first_name: str = "Claude",
        username: str = "claude_bot",
        *,
        reads_all_group_messages: bool = False,
        has_topics: bool = False,
    ) -> Bot:
        """A bot. The two traits: privacy mode switched off, topics in private chats switched on."""
        bot = self.world.add_bot(token, first_name, username)
        bot.reads_all_group_messages = reads_all_group_messages
        bot.has_topics = has_topics
        return bot

    def add_person(
        self,
        first_name: str,
        *,
        id: int | None = None,  # noqa: A002 - its name in the Bot API
        last_name: str = "",
        username: str = "",
        language_code: str = "en",
    ) -> Person:
        """Somebody with a phone, known to no bot yet."""
        person = self.world.add_person(first_name, id)
        person.last_name, person.username, person.language_code = last_name, username, language_code
        return person

    def sent(self, *methods: str) -> list[Act]:
        """What was carried out, of these methods or of all."""
        return [act for act in self.acts if not act.refusal and (not methods or act.method in methods)]

    @property
    def refused(self) -> list[Act]:
        """What was refused."""
        return [act for act in self.acts if act.refusal]

    def call(
        self,
        token: str,
        method: str,
        params: Mapping[str, object] | None = None,
        files: Mapping[str, Upload] | None = None,
        *,
        now: float,
    ) -> Answer | LongPoll:
        """Carry out one call. Values may be text, as on the wire, or what JSON can carry."""
        if not TOKEN_SHAPE.fullmatch(token):
            return NOT_FOUND
        bot = self.world.bots.get(token)
        if bot is None or token in self.revoked:
            return UNAUTHORIZED
        name = METHOD_NAMES.get(method.lower())
        if name is None:
            self.complain(f"{method}: no such method here")
            return NOT_FOUND
        values = {key: as_text(value) for key, value in (params or {}).items() if value is not None}
        for key in values.keys() - PARAMETERS[name]:
            self.complain(f"{name}: the parameter {key} is not documented")
        read = Params(values)
        if name == "getUpdates":
            return self._get_updates(bot, read, now)
        call = Call(self.world, bot, name, read, files or {}, now, lambda words: self.complain(f"{name}: {words}"))
        if self._flood_controls is not None:
            call.flood_control = self._flood_controls.setdefault(bot.id, FloodControl())
        try:
            result = _METHODS[name](call)
        except Refused as refused:
            self._remember(call, None, refused.description)
            return answer_refused(refused.status, refused.description, refused.parameters)
        except Exception as error:  # whatever a caller sends, the server stays up and says whose fault it was
            self.complain(f"{name}: the emulator itself failed: {error!r}")
            return answer_refused(500, "Internal Server Error: restart")
        if name not in botapi_account.READING:
            self._remember(call, result, "")
        return answer_ok(result)

    def finish(self, poll: LongPoll, now: float) -> Answer | LongPoll:
        """The answer to a call that waited, or the call itself when it has to wait on."""
        return poll.queue.finish(poll, now)

    def abandon(self, poll: LongPoll) -> None:
        """Whoever waited is gone."""
        poll.queue.abandon(poll)

    def file(self, token: str, path: str) -> Answer:
        """The content of a file, by the path that getFile returned."""
        if token not in self.world.bots or token in self.revoked:
            return UNAUTHORIZED
        stored = self.world.files.at(path)
        if stored is None or stored.is_lost:
            return NOT_FOUND
        return Answer(200, stored.content, stored.mime)

    def complain(self, words: str) -> None:
        """Note what a bot should not have done although it may pass."""
        self.complaints.append(words)

    def _get_updates(self, bot: Bot, params: Params, now: float) -> Answer | LongPoll:
        if bot.webhook_url:
            return bot.queue.conflict(CONFLICT_WEBHOOK, now)
        try:
            types = params.decoded("allowed_updates", "allowed updates")
        except Refused:
            types = None
            self.complain("getUpdates: allowed_updates is not JSON: the platform ignores it")
        if isinstance(types, list):
            for unknown in sorted({str(one) for one in types} - _KNOWN_TYPES):
                self.complain(f"getUpdates: {unknown} is no type of update")
            bot.queue.choose(str(one) for one in types)
        return bot.queue.ask(params.integer("offset"), params.integer("limit", 100), params.integer("timeout"), now)

    def _remember(self, call: Call, result: object, refusal: str) -> None:
        names = tuple(upload.name for upload in call.files.values())
        act = Act(len(self.acts) + 1, call.now, call.bot.id, call.method, call.params.values, names, result, refusal)
        self.acts.append(act)
        self.world.changed()
