"""Says what a command may write to its output, where that follows from its arguments and its input alone."""

import base64
import binascii
import re

from telegram_channel.core.shell_words import (
    ANY,
    MOST_RESULTS,
    ONE,
    STAR,
    Results,
    joined,
    named,
    unescaped,
    without_marks,
)

_TEXTS = frozenset(("echo", "write-output", "write-host", "print"))
_NAMING = named("which command type realpath readlink basename dirname ls find whereis whence where gcm")


def written(head: str, arguments: tuple[Results, ...], inputs: Results) -> Results:
    """What a command may write to its output."""
    if head in _TEXTS:
        words = list(arguments)
        while words and re.fullmatch(r"-[neE]+", words[0][0]):
            words = words[1:]
        texts = joined([one for word in words for one in (word, (" ",))])
        return tuple(dict.fromkeys(one for text in texts for one in (text.rstrip(" "), unescaped(text).rstrip(" "))))
    if head == "printf":
        return printed(arguments)
    if head in _NAMING:
        return (ANY, *(one for word in arguments for one in word if not one.startswith("-")))[:MOST_RESULTS]
    decoding = [text for one in inputs for text in _changed(head, arguments, one)]
    return (*decoding, *inputs, ANY)[:MOST_RESULTS] if inputs else (ANY,)


def _changed(head: str, arguments: tuple[Results, ...], text: str) -> list[str]:
    """What a filter may make of a text."""
    if head in ("base64", "openssl", "base32", "basenc", "uudecode"):
        return decoded(text)
    if head in ("xxd", "hexdump", "od"):
        return [unhexed(text)]
    if head == "rev":
        return ["\n".join(line[::-1] for line in text.split("\n"))]
    if head == "tac":
        return ["\n".join(reversed(text.split("\n")))]
    if head == "sed":
        return [_replaced(text, one) for word in arguments for one in word]
    if head == "tr" and len(arguments) > 1:
        first, second = (unescaped(word[0]) for word in arguments[-2:])
        if arguments[0][0].startswith("-"):
            return [re.sub("[" + re.escape(_spelled(second)) + "]", "", text)] if second else []
        old, new = _spelled(first), _spelled(second)
        return [text.translate(dict(zip(map(ord, old), new.ljust(len(old), new[-1:]), strict=False)))] if new else []
    return []


def _replaced(text: str, script: str) -> str:
    """A text after `s/old/new/`, where `old` is no pattern."""
    found = re.fullmatch(r"s(\W)([\w -]+)\1([^\\&]*)\1(\w*)", script)
    return text.replace(found[2], found[3], -1 if "g" in found[4] else 1) if found else text


def _spelled(letters: str) -> str:
    """The characters of a set as `tr` takes it."""
    return re.sub(
        r"(.)-(.)", lambda found: "".join(map(chr, range(ord(found[1]), min(ord(found[2]), 0x7F) + 1))), letters[:200]
    )


def decoded(text: str) -> list[str]:
    """A base64 text as what it says, in UTF-8 and in UTF-16; nothing when it is none."""
    letters = re.sub(r"[^A-Za-z0-9+/_-]", "", text).replace("-", "+").replace("_", "/")
    if len(letters) < 8:
        return []
    try:
        content = base64.b64decode(letters + "=" * (-len(letters) % 4))
    except (binascii.Error, ValueError):
        return []
    encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-8"
    return [without_marks(content.decode(encoding, "replace"))]


def printed(arguments: tuple[Results, ...]) -> Results:
    """What `printf` writes, with the conversions that take texts."""
    if not arguments:
        return ("",)
    forms = [unescaped(one.replace(STAR, "*").replace(ONE, "?")) for one in arguments[0]]
    values = [unescaped(word[0]) for word in arguments[1:]]
    done = []
    for form in forms:
        rest = list(values)
        parts = []
        for _ in range(16):
            parts.append(re.sub(r"%[-\d.]*[sbqdc]", lambda _: rest.pop(0) if rest else "", form))  # noqa: B023 - used at once
            if not rest or "%" not in form:
                break
        done.append("".join(parts).replace("%%", "%"))
    return tuple(done)


def unhexed(text: str) -> str:
    """The text that hexadecimal digits stand for."""
    digits = re.sub(r"[^0-9a-fA-F]", "", text)
    return without_marks(bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("utf-8", "replace"))
