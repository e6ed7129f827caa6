"""The phone of the real-client steps: speaks to the Bot API emulator, and pairs with the real command line.

phone.py PORT pair                  say hello, take the code from the answer, let the operator redeem it
phone.py PORT say TEXT              send a message to the bot
phone.py PORT shows TEXT            succeed once the chat shows this text
phone.py PORT asks TEXT             succeed once the newest question with this text can be answered
phone.py PORT press LABEL TEXT      press the button that begins with LABEL below that question
phone.py PORT write yes|no TEXT     answer that question with the words that it names
phone.py PORT reply WORDS TEXT      send WORDS as a reply to that question
phone.py PORT closed WORDS TEXT     succeed once the newest question with TEXT has no buttons and shows WORDS
phone.py PORT read TEXT             succeed once the own message with this text shows that it was read
phone.py PORT last                  print the id of the newest message
"""

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

CODE = re.compile(r"pair ([A-Z0-9-]{6,})")
WELCOME = re.compile(r"You are in, as owner")
STORED = "\N{EYES}"
WITHIN_S = 5.0

Message = dict[str, Any]


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

    def messages(self) -> list[Message]:
        """What the chat shows, newest first."""
        shown: list[Message] = self._call("inbox")
        return shown[::-1]

    def wait(self, what: str, found: Callable[[Message], bool]) -> Message:
        """The newest message that is like this, as soon as there is one."""
        end = time.monotonic() + WITHIN_S
        while time.monotonic() < end:
            acts = len(self._call("sent"))
            for message in self.messages():
                if found(message):
                    return message
            self._call(f"sent?after={acts}&wait=1")  # until the bot does something more
        raise SystemExit(f"the chat never showed {what}: {json.dumps(self.messages(), ensure_ascii=False)}")

    def wait_for(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """The newest match in what the bot wrote, as soon as there is one."""
        message = self.wait(pattern.pattern, lambda one: one["from_bot"] and bool(pattern.search(one["text"])))
        match = pattern.search(message["text"])
        assert match
        return match

    def question(self, text: str) -> Message:
        """The newest question with this text, once it can be answered."""
        return self.wait(f"an open question with {text!r}", lambda one: bool(one["buttons"]) and text in one["text"])

    def pair(self) -> None:
        """Become the owner, once."""
        if any(message["from_bot"] and WELCOME.search(message["text"]) for message in self.messages()):
            return
        self.say("hello, may I come in?")
        code = self.wait_for(CODE)[1]
        subprocess.run([sys.executable, "-m", "telegram_channel", "access", "pair", code], check=True)
        self.wait_for(WELCOME)

    def press(self, label: str, text: str) -> None:
        """Press a button below a question; signs in front of its words do not count."""
        question = self.question(text)
        labels = [one for row in question["buttons"] for one in row]
        fitting = [one for one in labels if re.sub(r"^\W+", "", one).startswith(label)]
        if not fitting:
            raise SystemExit(f"no button begins with {label!r}: {labels}")
        self._call("press", button=fitting[0], message_id=str(question["message_id"]))

    def write(self, answer: str, text: str) -> None:
        """Answer a question with the words that stand on it."""
        words = re.search(rf"\b{answer} [a-km-z]{{5}}\b", self.question(text)["text"])
        if not words:
            raise SystemExit(f"the question does not say how to write {answer!r}")
        self.say(words[0])

    def reply(self, words: str, text: str) -> None:
        """Say something about a question, as a reply to it."""
        self._call("say", text=words, reply_to=str(self.question(text)["message_id"]))

    def closed(self, words: str, text: str) -> None:
        """Wait until the newest message with this text says what became of it and takes no answer."""
        end = time.monotonic() + WITHIN_S
        while time.monotonic() < end:
            acts = len(self._call("sent"))
            newest = next((one for one in self.messages() if one["from_bot"] and text in one["text"]), None)
            if newest and not newest["buttons"] and words in newest["text"]:
                return
            self._call(f"sent?after={acts}&wait=1")
        raise SystemExit(f"the newest question with {text!r} is not closed with {words!r}: {newest}")

    def read(self, text: str) -> None:
        """Wait until the sign on an own message is another one than that for "stored"."""

        def is_read(one: Message) -> bool:
            return not one["from_bot"] and text in one["text"] and bool(set(one["reactions"]) - {STORED})

        self.wait(f"that {text!r} was read", is_read)

    def last(self) -> None:
        """Print the id of the newest message."""
        sys.stdout.write(f"{self.messages()[0]['message_id']}\n")


def main(port: str, action: str, *words: str) -> None:
    """Carry out one action."""
    phone = Phone(port)
    match action:
        case "shows":
            phone.wait_for(re.compile(re.escape(*words)))
        case "asks":
            phone.question(*words)
        case "pair" | "say" | "press" | "write" | "reply" | "closed" | "read" | "last":
            getattr(phone, action)(*words)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
