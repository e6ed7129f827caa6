"""Says what a raw shell word may become: every quotation, escape, variable and brace undone.

What cannot be known without running something becomes a mark that stands for anything, so a result is a
pattern. A word may have several results, because a variable may have been given several values.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from telegram_channel.core.shell_scan import closing, quoted_end

ANY = "\ue000"
"""Any text at all: an unknown variable, the output of a command."""
STAR = "\ue001"
"""Any text without a slash: `*`."""
ONE = "\ue002"
"""One character: `?` or `[...]`."""
SPLIT = "\ue003"
"""Where an unquoted expansion falls into several words."""
MARKS = frozenset((ANY, STAR, ONE))
MOST_RESULTS = 12
"""How many results of one word are looked at."""
_MOST_BRACED = 64
_DEEPEST = 12
_LONGEST_VALUE = 20_000

Results = tuple[str, ...]

_NO_MARKS = str.maketrans(dict.fromkeys((ANY, STAR, ONE, SPLIT), "\ufffd"))
_GLOBBED = re.compile(r"\[[^\]\s/]{1,64}\]|[*?]|[ \t\n]+")
_BRACKETED = re.compile(r"\[[!^]?\]?(?:[^\]/\s'\"\\$`]|\\.|'[^']*'|\"[^\"]*\"){1,64}?\]")
_PLAIN = re.compile(r"[^\\'\"$`*?\[@+!<>(]+")
_PLAIN_DOUBLE = re.compile(r"[^\\$`]+")
_NAME = re.compile(r"[A-Za-z_]\w*|\d|[@*#?$!-]")
_PARAMETER = re.compile(r"([!#]?)([A-Za-z_]\w*|\d+|[@*#?$!-])(\[[^\]]*\])?(.*)", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|0?([0-7]{1,3})|(.))", re.DOTALL
)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}


def named(names: str) -> frozenset[str]:
    """The names in a text, which blanks separate."""
    return frozenset(names.split())


def without_marks(text: str) -> str:
    """Text from outside, with the characters that are marks here taken out."""
    return text.translate(_NO_MARKS)


def unescaped(text: str) -> str:
    """Backslash escapes as `$'...'`, `printf` and `echo -e` read them."""

    def one(found: re.Match[str]) -> str:
        for at, base in ((1, 16), (2, 16), (3, 16), (4, 8)):
            if found[at]:
                code = int(found[at], base)
                return chr(code) if code < 0x110000 else "\ufffd"
        return _CONTROL.get(found[5], found[5])

    return without_marks(_ESCAPE.sub(one, text))


def joined(pieces: list[Results]) -> Results:
    """Every way to put the pieces together, up to a bound."""
    ways = [""]
    for piece in pieces:
        if len(piece) == 1:
            ways = [way + piece[0] for way in ways]
        else:
            ways = [way + one for way in ways for one in piece][:MOST_RESULTS]
    return tuple(dict.fromkeys(way[:_LONGEST_VALUE] for way in ways))


@dataclass(slots=True)
class Words:
    """Expands words, one after the other, with what earlier commands gave to variables."""

    substitute: Callable[[str], Results]
    """What the output of a command may be."""
    feed: Callable[[str], None]
    """Takes note of a process substitution, `<(…)` or `>(…)`."""
    variables: dict[str, Results]
    read: set[str] = field(default_factory=set)
    """Variables that were expanded although no command gave them a value."""

    too_deep: bool = False
    """Whether an expansion was nested deeper than is looked at."""
    _depth: int = 0

    def of(self, raw: str) -> list[Results]:
        """The words that a raw word becomes by brace expansion, each with its results."""
        return [self.results(one) for one in braced(raw)]

    def assign(self, name: str, values: Results, *, appended: bool = False) -> None:
        """Give a variable further values: which branch of a script runs cannot be known."""
        earlier = self.variables.get(name, ())
        if appended:
            values = joined([earlier or ("",), values])
        self.variables[name] = tuple(dict.fromkeys((*values, *earlier)))[:MOST_RESULTS]

    def results(self, raw: str) -> Results:
        """What one raw word may become."""
        if self._depth >= _DEEPEST:
            self.too_deep = True
            return (ANY,)
        self._depth += 1
        pieces: list[Results] = []
        at, size = 0, len(raw)
        while at < size:
            if plain := _PLAIN.match(raw, at):
                pieces.append((plain[0],))
                at = plain.end()
                continue
            end = self._piece(raw, at, pieces)
            at = max(end, at + 1)
        self._depth -= 1
        return joined(pieces)

    def _piece(self, raw: str, at: int, pieces: list[Results]) -> int:
        char = raw[at]
        if char == "\\":
            pieces.append(("" if raw[at + 1 : at + 2] == "\n" else raw[at + 1 : at + 2],))
            return at + 2
        if char == "'":
            end = quoted_end(raw, at)
            pieces.append((raw[at + 1 : end].removesuffix("'"),))
            return end
        if char == '"' or raw.startswith('$"', at):
            at += char == "$"
            end = quoted_end(raw, at)
            pieces.append(self.within_quotes(raw[at + 1 : end].removesuffix('"')))
            return end
        if char in "$`":
            return self._expansion(raw, at, pieces, quoted=False)
        if char in "@+!?*<>" and raw.startswith("(", at + 1):
            end = closing(raw, at + 2, "(", ")")
            if char in "<>":
                self.feed(raw[at + 2 : end - 1])
            pieces.append((ANY,))
            return end
        if char == "[" and (found := _BRACKETED.match(raw, at)):
            pieces.append((ONE,))
            return found.end()
        pieces.append(({"*": STAR, "?": ONE}.get(char, char),))
        return at + 1

    def within_quotes(self, raw: str) -> Results:
        """What a text in double quotes, or a here-document, may become."""
        pieces: list[Results] = []
        at = 0
        while at < len(raw):
            if plain := _PLAIN_DOUBLE.match(raw, at):
                pieces.append((plain[0],))
                at = plain.end()
            elif raw[at] == "\\":
                following = raw[at + 1 : at + 2]
                pieces.append(("" if following == "\n" else following if following in '$`"\\' else "\\" + following,))
                at += 2
            else:
                at = self._expansion(raw, at, pieces, quoted=True)
        return joined(pieces)

    def _expansion(self, raw: str, at: int, pieces: list[Results], *, quoted: bool) -> int:
        """A `$…` or a backtick; returns where it ends."""
        end = quoted_end(raw, at)
        inner = raw[at:end]
        if inner.startswith("$'") and not quoted:
            pieces.append((unescaped(inner[2:].removesuffix("'")),))
            return end
        if inner.startswith("$(("):
            pieces.append((ANY,))
            return end
        apart = False
        if inner.startswith("`"):
            values = self.substitute(re.sub(r"\\([`$\\])", r"\1", inner[1:].removesuffix("`")))
        elif inner.startswith("$("):
            values = self.substitute(inner[2:].removesuffix(")"))
        elif inner.startswith("${"):
            inner = inner[2:].removesuffix("}")
            apart = "@" in inner
            values = self._parameter(inner)
        elif name := _NAME.match(raw, at + 1):
            apart, end = name[0] == "@", name.end()
            values = self.value(name[0])
        else:
            pieces.append(("$",))
            return at + 1
        separators = "".join(self.variables.get("IFS", ()))
        pieces.append(values if quoted and not apart else tuple(_unquoted(one, separators) for one in values))
        return end

    def value(self, name: str) -> Results:
        """What a variable may hold."""
        known = self.variables.get(name)
        if known is None:
            self.read.add(name)
            return (ANY,)
        return known

    def _parameter(self, inner: str) -> Results:
        found = _PARAMETER.fullmatch(inner)
        if not found:
            return (ANY,)
        prefix, name, index, rest = found[1], found[2], found[3] or "", found[4]
        if prefix == "#":
            return (ANY,)
        operator = rest.removeprefix(":")[:1]
        argument = rest.removeprefix(":")[1:]
        if operator == "+":
            return ("", *self.results(argument))[:MOST_RESULTS]
        if prefix == "!":
            return tuple(value for one in self.value(name) for value in self.value(one))[:MOST_RESULTS]
        values = self.value(name)
        if index and index not in ("[@]", "[*]"):
            values = tuple(part for value in values for part in (*re.split(f"[ {SPLIT}]", value), value))
        if operator in ("-", "=") and rest:
            default = self.results(argument)
            if operator == "=":
                self.assign(name, default)
            return tuple(dict.fromkeys((*default, *values)))[:MOST_RESULTS]
        if not rest:
            return values[:MOST_RESULTS]
        return tuple(dict.fromkeys(_changed(value, rest, self.results) for value in values))[:MOST_RESULTS]


def _changed(value: str, change: str, results: Callable[[str], Results]) -> str:
    """A value after `:offset`, `/old/new`, `#prefix`, `%suffix`, `^` or `,`; anything where that is unclear."""
    if value == ANY:
        return ANY
    if piece := re.fullmatch(r":\s*(-?\d{1,4})(?::\s*(-?\d{1,4}))?", change):
        value = value[int(piece[1]) :]
        return value if piece[2] is None else value[: int(piece[2])]
    if cased := re.fullmatch(r"([\^,])\1?", change):
        lower = value.lower() if cased[1] == "," else value.upper()
        return lower if len(change) > 1 else lower[:1] + value[1:]
    if change.startswith("/"):
        old, _, new = change.lstrip("/").partition("/")
        old, new = results(old)[0], results(new)[0]
        if old and not MARKS & set(old):
            return value.replace(old, new, -1 if change.startswith("//") else 1)
    if change[0] in "#%":
        part = results(change.lstrip("#%"))[0]
        if not MARKS & set(part):
            return value.removeprefix(part) if change[0] == "#" else value.removesuffix(part)
    return ANY


def _unquoted(value: str, separators: str) -> str:
    """A value as it counts without quotes: it falls into words, and its wildcards work."""
    for separator in separators[:20]:
        value = value.replace(separator, " ")
    return _GLOBBED.sub(
        lambda found: SPLIT if found[0].isspace() else STAR if found[0] == "*" else ONE,
        value,
    )


_BRACE_SKIP = re.compile(r"(?:[^{\\'\"$`]|\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\")+", re.DOTALL)
_RANGE = re.compile(r"([A-Za-z]|-?\d{1,4})\.\.([A-Za-z]|-?\d{1,4})")


def braced(raw: str) -> list[str]:
    """The raw words that brace expansion makes of one, at most some dozens."""
    done: list[str] = []
    waiting = [raw]
    while waiting and len(done) + len(waiting) <= _MOST_BRACED:
        one = waiting.pop(0)
        parts = _braces_in(one) if "{" in one else None
        if parts is None:
            done.append(one)
        else:
            waiting = [*parts, *waiting]
    return done + waiting


def _braces_in(raw: str) -> list[str] | None:
    """The alternatives of the first brace expansion; None when there is none."""
    at = 0
    while at < len(raw):
        if skipped := _BRACE_SKIP.match(raw, at):
            at = skipped.end()
        elif raw[at] != "{":
            at = max(quoted_end(raw, at), at + 1)
        else:
            end = closing(raw, at + 1, "{", "}")
            choices = _choices(raw[at + 1 : end - 1]) if raw[end - 1 : end] == "}" else None
            if choices is not None:
                return [raw[:at] + choice + raw[end:] for choice in choices]
            at += 1
    return None


def _choices(inner: str) -> list[str] | None:
    if found := _RANGE.fullmatch(inner):
        return _between(found[1], found[2])
    choices, start, at = [], 0, 0
    while at < len(inner):
        if inner[at] == ",":
            choices.append(inner[start:at])
            start = at = at + 1
        elif inner[at] == "{":
            at = closing(inner, at + 1, "{", "}")
        elif inner[at] in "\\'\"$`":
            at = max(quoted_end(inner, at), at + 1)
        else:
            at += 1
    return [*choices, inner[start:]][:_MOST_BRACED] if choices else None


def _between(first: str, last: str) -> list[str] | None:
    if first.isalpha() and last.isalpha():
        low, high = ord(first), ord(last)
        step = 1 if low <= high else -1
        return [chr(code) for code in range(low, high + step, step)]
    if first.isalpha() or last.isalpha():
        return None
    low, high = int(first), int(last)
    step = 1 if low <= high else -1
    return [str(number) for number in range(low, high + step, step)][:_MOST_BRACED]
