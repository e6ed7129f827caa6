"""The phone of the real-client steps: speaks to the Bot API emulator, and pairs with the real command line.

phone.py PORT pair            say hello, take the code from the answer, let the operator redeem it
phone.py PORT say TEXT        send a message to the bot
phone.py PORT shows TEXT      succeed once the chat shows this text
"""

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from typing import Any

CODE = re.compile(r"pair ([A-Z0-9-]{6,})")
WELCOME = re.compile(r"You are in, as owner")
WITHIN_S = 5.0


class Phone:
    """The first person of the emulator."""

    def __init__(self, port: str) -> None:
        self._base = f"http://127.0.0.1:{port}/control"

    def _call(self, action: str, **fields: str) -> Any:
        data = urllib.parse.urlencode(fields).encode() if fields else None
        # The address is made above: nothing but HTTP on this machine.
        with urllib.request.urlopen(f"{self._base}/{action}", data, timeout=WITHIN_S) as answer:  # noqa: S310
            return json.load(answer)["result"]

    def say(self, text: str) -> None:
        """Send a message to the bot."""
        self._call("say", text=text)

    def texts(self) -> list[str]:
        """What the bot wrote, newest first."""
        return [message["text"] for message in reversed(self._call("inbox")) if message["from_bot"]]

    def wait_for(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """The newest match in what the bot wrote, as soon as there is one."""
        end = time.monotonic() + WITHIN_S
        while time.monotonic() < end:
            acts = len(self._call("sent"))
            for text in self.texts():
                if found := pattern.search(text):
                    return found
            self._call(f"sent?after={acts}&wait=1")  # until the bot does something more
        raise SystemExit(f"the chat never showed {pattern.pattern}: {self.texts()}")

    def pair(self) -> None:
        """Become the owner, once."""
        if any(WELCOME.search(text) for text in self.texts()):
            return
        self.say("hello, may I come in?")
        code = self.wait_for(CODE)[1]
        subprocess.run([sys.executable, "-m", "telegram_channel", "access", "pair", code], check=True)
        self.wait_for(WELCOME)


def main(port: str, action: str, *words: str) -> None:
    """Carry out one action."""
    phone = Phone(port)
    match action:
        case "pair":
            phone.pair()
        case "say":
            phone.say(*words)
        case "shows":
            phone.wait_for(re.compile(re.escape(*words)))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
