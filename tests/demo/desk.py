"""A bot, two people and a clock of our own: what every test of the emulator starts with."""

from collections.abc import Mapping
from typing import Any

from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.botapi_updates import LongPoll
from telegram_channel.demo.botapi_wire import Answer, Json, Upload
from telegram_channel.demo.phone import Phone

TOKEN = "500000001:for-tests-only"
BEGINNING = 1_790_000_000.0


class Desk:
    """The emulator with Ada, who already wrote to the bot, and Bob, who never did."""

    def __init__(self, *, throttles: bool = False, flood_control: bool = False) -> None:
        self.now = BEGINNING
        self.api = BotApi(throttles=throttles, flood_control=flood_control)
        self.bot = self.api.add_bot(TOKEN, "Claude", "claude_bot")
        self.ada = self.api.add_person("Ada", last_name="Lovelace", username="ada")
        self.bob = self.api.add_person("Bob")
        self.phone = Phone(self.api, self.ada, self.bot, lambda: self.now)
        self.bobs = Phone(self.api, self.bob, self.bot, lambda: self.now)
        self.first = self.phone.say("hello")
        self.bot.queue.clear()

    def raw(
        self, method: str, params: Mapping[str, object] | None = None, files: Mapping[str, Upload] | None = None
    ) -> Answer | LongPoll:
        return self.api.call(TOKEN, method, params, files, now=self.now)

    def answer(
        self, method: str, params: Mapping[str, object] | None = None, files: Mapping[str, Upload] | None = None
    ) -> Answer:
        outcome = self.raw(method, params, files)
        assert isinstance(outcome, Answer)
        return outcome

    def call(self, method: str, files: Mapping[str, Upload] | None = None, /, **params: object) -> Any:
        """A call that must succeed; its result."""
        answer = self.answer(method, params, files)
        assert answer.status == 200, answer.description
        return answer.result

    def refusal(self, method: str, files: Mapping[str, Upload] | None = None, /, **params: object) -> str:
        """A call that must be refused; status and words."""
        answer = self.answer(method, params, files)
        assert answer.status != 200, answer.json()
        assert answer.json()["error_code"] == answer.status
        return f"{answer.status} {answer.description}"

    def send(self, text: str = "hi", **more: object) -> Json:
        """A message of the bot to Ada."""
        result = self.call("sendMessage", chat_id=self.ada.id, text=text, **more)
        assert isinstance(result, dict)
        return result

    def updates(self, **params: object) -> list[Json]:
        """One getUpdates call that does not wait."""
        result = self.call("getUpdates", **params)
        assert isinstance(result, list)
        return result
