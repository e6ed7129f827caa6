"""Cuts a shell command line into raw words, operators and here-documents, without expanding anything.

Reads the common ground of POSIX shells, bash and zsh, and forgives everything: an unclosed quote ends with
the text. It never runs anything and looks at every character about once.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    OPERATOR = auto()
    """It ends a command: `;`, `|`, `&&`, a parenthesis, a line end."""
    REDIRECTION = auto()
    """The next word is its target."""
    BODY = auto()
    """The text of a here-document, in which variables are expanded."""
    LITERAL_BODY = auto()
    """The text of a here-document as it is."""


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of the command line, as it was written."""

    kind: Kind
    text: str


_BLANK = re.compile(r"(?:[ \t\r\f\v]|\\\n)+")
_COMMENT = re.compile(r"#[^\n]*")
_REDIRECTION = re.compile(r"(?:\d{0,3}|\{\w{1,20}\})(?:<<<|<<-?|<>|<&|>>|>\||>&|<(?!\()|>(?!\())|&>>?")
_OPERATOR = re.compile(r";;&|;;|;&|&&|\|\||\|&|[;&|()\n]")
_PLAIN = re.compile(r"[^\s;&|()<>'\"\\$`]+")
_ASSIGNED = re.compile(r"\w+(?:\[[^\]]*\])?\+?=")
_UNTIL_DOUBLE = re.compile(r"[^\"\\$`]+")
_INSIDE = re.compile(r"[^'\"\\`$(){}]+")
_BACKTICKED = re.compile(r"`(?:[^`\\]|\\.)*+(?:`|$|\\)", re.DOTALL)
_ANSI_QUOTED = re.compile(r"\$'(?:[^'\\]|\\.)*+(?:'|$|\\)", re.DOTALL)


def scan(text: str) -> Iterator[Token]:
    """The tokens of a command line, in order; a here-document comes right after its delimiter."""
    at, size = 0, len(text)
    after_bodies: int | None = None
    while at < size:
        if found := _BLANK.match(text, at) or _COMMENT.match(text, at):
            at = found.end()
        elif found := _REDIRECTION.match(text, at):
            at = found.end()
            if found[0].lstrip("0123456789") not in ("<<", "<<-"):
                yield Token(Kind.REDIRECTION, found[0])
                continue
            blank = _BLANK.match(text, at)
            start = blank.end() if blank else at
            at = word_end(text, start)
            body, after_bodies = _body(text, text[start:at], at, after_bodies)
            yield body
        elif found := _OPERATOR.match(text, at):
            at = found.end()
            yield Token(Kind.OPERATOR, found[0])
            if found[0] == "\n" and after_bodies is not None:
                at, after_bodies = max(at, after_bodies), None
        else:
            end = max(word_end(text, at), at + 1)
            yield Token(Kind.WORD, text[at:end])
            at = end


def _body(text: str, delimiter: str, at: int, begins: int | None) -> tuple[Token, int]:
    """The here-document that ends with `delimiter`, and where the text goes on after it."""
    word = re.sub(r"['\"\\]", "", delimiter)
    if begins is None:
        line_end = text.find("\n", at)
        begins = len(text) if line_end < 0 else line_end + 1
    end = re.compile(rf"^\t*{re.escape(word)}[ \t]*$", re.MULTILINE).search(text, begins)
    kind = Kind.BODY if word == delimiter else Kind.LITERAL_BODY
    if end is None:
        return Token(kind, text[begins:]), len(text)
    return Token(kind, text[begins : end.start()]), end.end()


def word_end(text: str, at: int) -> int:
    """Where the word that begins at `at` ends."""
    start, size = at, len(text)
    while at < size:
        if plain := _PLAIN.match(text, at):
            at = plain.end()
            continue
        char = text[at]
        if char in "'\"\\$`":
            at = quoted_end(text, at)
        elif char in "<>" and text.startswith("(", at + 1):
            at = closing(text, at + 2, "(", ")")
        elif char == "(" and at > start and (text[at - 1] in "@+!?*" or _is_assigned(text[start:at])):
            at = closing(text, at + 1, "(", ")")
        else:
            break
    return min(at, size)


def _is_assigned(beginning: str) -> bool:
    return _ASSIGNED.fullmatch(beginning) is not None


def quoted_end(text: str, at: int) -> int:
    """Where the quotation, escape or expansion that begins at `at` ends."""
    char = text[at]
    if char == "\\":
        return at + 2
    if char == "'":
        end = text.find("'", at + 1)
        return len(text) if end < 0 else end + 1
    if char == '"':
        return _double_end(text, at + 1)
    if char == "`":
        found = _BACKTICKED.match(text, at)
        return found.end() if found else len(text)
    if text.startswith("$'", at):
        found = _ANSI_QUOTED.match(text, at)
        return found.end() if found else len(text)
    if text.startswith("${", at):
        return closing(text, at + 2, "{", "}")
    if text.startswith("$(", at):
        return closing(text, at + 2, "(", ")")
    return at + 1


def _double_end(text: str, at: int) -> int:
    while at < len(text):
        if plain := _UNTIL_DOUBLE.match(text, at):
            at = plain.end()
        elif text[at] == '"':
            return at + 1
        elif text.startswith("$'", at):
            at += 1
        else:
            at = quoted_end(text, at)
    return len(text)


def closing(text: str, at: int, opener: str, closer: str) -> int:
    """Where the bracket that was opened before `at` is closed, the closer included; quotations are skipped."""
    depth = 1
    while at < len(text):
        if plain := _INSIDE.match(text, at):
            at = plain.end()
            continue
        char = text[at]
        if char in "'\\`" or (char == "$" and text.startswith("$'", at)):
            at = quoted_end(text, at)
        elif char == '"':
            at = _flat_double_end(text, at + 1)
        else:
            depth += (char == opener) - (char == closer)
            at += 1
            if not depth:
                return at
    return len(text)


_FLAT_DOUBLE = re.compile(r"(?:[^\"\\$]|\\.|\$(?!\())*+", re.DOTALL)


def _flat_double_end(text: str, at: int) -> int:
    """The end of a double quotation; a command in it may contain quotations of its own."""
    found = _FLAT_DOUBLE.match(text, at)
    at = found.end() if found else at
    if text.startswith("$(", at):
        return _double_end(text, at)
    return at + 1
