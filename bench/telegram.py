"""The emulator in a process of its own, and the people of the bench: what they do is one HTTP request away."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from bench.figures import NotMeasured

TOKEN = "424242:not-a-real-token"  # noqa: S105 - valid nowhere but in the emulator
PATIENCE_S = 20.0
_LOOK_EVERY_S = 0.002


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a phone; the id is also that of their chat with the bot."""

    id: str
    name: str


class Telegram:
    """The emulator, as a context."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Starts the process and waits for its first line."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "telegram_channel.demo.http", "--token", TOKEN, "--person", "Ann"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise NotMeasured("the emulator did not start")
        ready = json.loads(line)
        self.base_url: str = ready["base_url"]
        self.ann = _person(ready["people"][0])
        self._control = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._process.terminate()
        self._process.communicate()

    def do(self, action: str, **fields: object) -> Any:
        """Carry out an action of `demo.botapi_control`; returns its result."""
        self._control.request(
            "POST",
            f"/control/{action}",
            urlencode({key: value for key, value in fields.items() if value is not None}),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        answer = json.loads(self._control.getresponse().read())
        if not answer["ok"]:
            raise NotMeasured(f"the emulator refused {action}: {answer['description']}")
        return answer["result"]

    def say(self, person: Person, text: str, count: int = 1) -> int:
        """Somebody writes to the bot; returns the id of the (last) message. `count` messages are numbered."""
        number: int = self.do("say", **{"from": person.id, "text": text, "count": count})["message_id"]
        return number

    def newcomer(self, name: str) -> Person:
        """Somebody else with a phone."""
        return _person(self.do("people", first_name=name)[-1])

    def hang(self, method: str) -> None:
        """From now on calls of `method` (`file` for downloads) are not answered."""
        self.do("fault", trouble="hang", method=method)

    def struck(self) -> int:
        """How many calls suffered from a fault that is in force."""
        return sum(rule["struck"] for rule in self.do("fault"))

    def release(self) -> None:
        """Lift all faults; what hung is answered now."""
        self.do("fault", clear="yes")

    def sent(self, method: str, after: int = 0) -> list[dict[str, Any]]:
        """What the bot did; `at` is when the last byte of the call had arrived, in seconds since the epoch."""
        acts: list[dict[str, Any]] = self.do("sent", method=method, after=after)
        return acts

    def bot(self) -> dict[str, Any]:
        """Everything about the bot: `pending`, `is_waited_for`, `newest_at` (seconds since the epoch), …"""
        state: dict[str, Any] = self.do("state")["bots"][0]
        return state

    def until(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until something is true in the emulator.

        Raises:
            NotMeasured: it did not become true.
        """
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                raise NotMeasured(f"{what} did not come within {patience_s:g} s")
            time.sleep(_LOOK_EVERY_S)

    def until_polled(self) -> None:
        """Wait until a getUpdates call waits for news."""
        self.until(lambda: bool(self.bot()["is_waited_for"]), "a long poll")


def _person(view: Mapping[str, Any]) -> Person:
    return Person(str(view["id"]), view["first_name"])
