"""Finds what is guarded in texts that are not followed word by word: code, addresses, overlong lines."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from telegram_channel.core.guarded_commands import Finding
from telegram_channel.core.guarded_paths import DOWNLOADS, Places, Where, parts_of
from telegram_channel.core.shell_reading import MOST_CHARACTERS, Invocation
from telegram_channel.core.shell_words import ANY, ONE, STAR, named, unescaped

_NAME = r"telegram[-_]channel"
_QUOTING = str.maketrans("", "", "'\"\\`^")
_IN_ADDRESS = re.compile(r"/bot(\d{3,20})(?::|%3a)", re.IGNORECASE)
_GLUED = re.compile(r"(['\"])\s*+(?:\+|\.\.?|\|\|)?+\s*+(['\"])")
_LISTED = re.compile(r"['\")]\s*+[,/]\s*+['\"]")
_COARSE = re.compile(rf"{_NAME}\S{{0,200}}\s+(?:\S{{1,300}}\s+){{0,2}}(?:access|configure)\b")
_RUN_IN_CODE = re.compile(
    rf"{_NAME}(?:\.exe)?\s+(?:/\S{{0,200}}\s+)?(?:access|configure)\b(?![:.])"
    rf"|{_NAME}[^\n]{{0,200}}?['\"](?:access|configure)['\"]"
    rf"|['\"](?:access|configure)['\"][^\n]{{0,200}}?{_NAME}"
    rf"|{_NAME}\.cli(?:\.|\s+import\s+)(?:access|configure)\b|launcher/run\.py[^\n]{{0,200}}\b(?:access|configure)\b"
    rf"|{_NAME}(?:\.cli|\.__main__)?\b(?!\.)[\s\S]{{0,1000}}?['\"](?:access|configure)['\"]"
)
_STARTING = re.compile(r"system|getline|exec|popen|\||!|`")
_READING_THE_TOKEN = re.compile(
    r"(?:environ|getenv|process\.env|\benv)\W{0,6}(?:get\W{0,4})?"
    r"TELEGRAM_(?:OPTION_)?BOT_TOKEN['\"\]) ]*+(?!=[^=])",
    re.IGNORECASE,
)
_REVEALING = (_NAME, r"\.reveal\(|get_secret_value|stored_bot_token")
_OPENING_STATE = (_NAME, r"state_dir|settings\.load", r"\.read_|\bopen\(|sqlite|connect\(|\.database")
_MENTIONING_LANGUAGES = named("awk gawk mawk nawk sed jq vi vim nvim ed ex emacs")
_WILD_PATH = re.compile(r"(?<![\w./~*?-])[\w./~-]{0,200}/[\w./-]{0,200}[*?][\w./*?-]{0,200}")
_SED_RUNS = re.compile(r"(?:^|[;{}\n0-9$/!])\s*e\s+(.+)")


@dataclass(frozen=True, slots=True)
class Texts:
    """Looks for guarded names in texts."""

    places: Places
    bot: str = ""

    def in_address(self, text: str) -> Finding | None:
        """A call of the Bot API with a token in it."""
        found = [one for one in _IN_ADDRESS.findall(text) if one == (self.bot or one)]
        return Finding.TOKEN if found else None

    def in_arguments(self, call: Invocation) -> Finding | None:
        """The same, among the arguments of a command that may call it."""
        if set(call.heads) & {"echo", "printf", "grep", "rg", "git", "gh", "sed", "awk"}:
            return None
        return next((found for word in call.words for one in word if (found := self.in_address(one))), None)

    def in_code(self, head: str, code: str) -> Finding | None:
        """What a program text names, as far as it names it plainly."""
        if len(code) > MOST_CHARACTERS:
            return self.coarsely(code)
        plain = unicodedata.normalize("NFKC", code)
        lower = plain.lower()
        mention = head in _MENTIONING_LANGUAGES
        for text in _spellings(lower):
            if self._names_state(text) and not (mention and not _opens(text)):
                return Finding.STATE
            if _RUN_IN_CODE.search(text) and (not mention or _runs(head, text)):
                return Finding.COMMAND
        if head in ("awk", "gawk", "mawk", "nawk", "jq") and _READING_THE_TOKEN.search(plain):
            return Finding.TOKEN
        if mention:
            return None
        if any(self.places.where(_globbed(one), ("/",)) is Where.INSIDE for one in _WILD_PATH.findall(plain)[:50]):
            return Finding.STATE
        if _READING_THE_TOKEN.search(plain) or _in_turn(lower, *_REVEALING):
            return Finding.TOKEN
        return Finding.STATE if _in_turn(lower, *_OPENING_STATE) else self.in_address(code)

    def coarsely(self, text: str) -> Finding | None:
        """What a text names that is too long or too odd to be read: with quotes and escapes taken out."""
        plain = (
            re.sub(r"\s+", " ", unescaped(text[:200_000]).translate(_QUOTING).lower())
            + text[200_000:].translate(_QUOTING).lower()
        )
        if _COARSE.search(plain):
            return Finding.COMMAND
        return Finding.STATE if self._names_state(plain) else None

    def _names_state(self, text: str) -> bool:
        """Whether a path into the state directory stands in a text in lower case."""
        home = parts_of(self.places.home, "/", "/")
        for root in self.places.roots:
            tails = ["/".join(root)]
            if root[: len(home)] == home and len(root) > len(home) + 1:
                tails.append("/".join(root[len(home) :]))
            elif len(root) > 2:
                tails.append("/".join(root[-2:]))
            for tail in tails:
                if any(not _goes_to_downloads(text, at + len(tail)) for at in _every(text, tail)):
                    return True
        return False


def _every(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(part) : at + len(part) + 1]
        if not before.isalnum() and not (after.isalnum() or (after and after in "-_")):
            yield at
        at = text.find(part, at + 1)


def _goes_to_downloads(text: str, at: int) -> bool:
    rest = re.match(rf"/{DOWNLOADS}(/[^\s'\"]*)?(?=[\s'\"),;]|$)", text[at : at + 500])
    return rest is not None and ".." not in rest[0] and ANY not in rest[0]


def _spellings(text: str) -> Iterator[str]:
    """A program text as it is, with its escapes read, and with strings that are put together glued."""
    slashed = text.replace("\\\\", "/").replace("\\", "/") if "\\" in text else text
    once = [text, slashed, unescaped(text)] if "\\" in text else [text]
    for one in once:
        yield one
        if "'" in one or '"' in one:
            yield _GLUED.sub(lambda found: "" if found[1] == found[2] else found[0], one)
            yield re.sub(r"/{2,}", "/", _LISTED.sub("/", one))
            yield _LISTED.sub(" ", one)


def _in_turn(text: str, *patterns: str) -> bool:
    """Whether the patterns are found one behind the other; in linear time, unlike one pattern of them all."""
    at = 0
    for pattern in patterns:
        found = re.compile(pattern).search(text, at)
        if found is None:
            return False
        at = found.end()
    return True


def _globbed(path: str) -> str:
    return path.replace("*", STAR).replace("?", ONE)


def _opens(text: str) -> bool:
    return re.search(r"getline|system|<|\||:[er]\b|\br\s", text) is not None


def _runs(head: str, text: str) -> bool:
    """Whether a text in a language for editing starts programs."""
    if head == "sed":
        return _SED_RUNS.search(text) is not None
    return head != "jq" and _STARTING.search(text) is not None
