"""Refuses tool calls by which the model would change who has access, or get at our token and state.

Access is the operator's business: a message from the chat may talk the model into anything, so what the
model runs is looked at before it runs. A mere mention is no offence: what counts is what would be run, and
which files would be opened. What it cannot see is listed in docs/guard.md. Nothing that the operator types
passes here.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from telegram_channel.core.guarded_commands import SECRET_VARIABLES, Commands, Finding
from telegram_channel.core.guarded_paths import Places, Where, names, parts_of
from telegram_channel.core.guarded_text import Texts
from telegram_channel.core.hooks import RefuseTool, ToolCall
from telegram_channel.core.shell_output import decoded, unhexed
from telegram_channel.core.shell_reading import Reading
from telegram_channel.core.shell_words import ONE, STAR, braced, named, without_marks

OWN_TOOLS = "mcp__plugin_telegram_telegram__"
"""Our own tools decide for themselves what may be sent."""

_COMMAND_FIELDS = frozenset(("command", "cmd", "commands", "command_line", "commandline", "shell_command"))
_CODE_FIELDS = frozenset(("code", "script", "source_code", "expression", "javascript"))
_TEXT_FIELDS = named(
    "content new_string old_string new_source prompt description text body message title query subject plan "
    "old_str new_str file_text insert_text question summary header label todos edits_text"
)
"""Fields that hold what is written or said, never what is opened."""
_WRITING = frozenset(("Write", "Edit", "MultiEdit", "NotebookEdit"))
_SKILL = re.compile(r"/?telegram(@[\w.-]+)?:(access|configure)\b", re.IGNORECASE)
_LONGEST_OTHER = 4_096
_MOST_VALUES = 5_000
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_DECODING = re.compile(r"base64|base32|b64|openssl|atob|encodedcommand|buffer\.from|\s-e(nc|c)?\s", re.IGNORECASE)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}[\s,:]?){8,}")
_UNHEXING = re.compile(r"xxd|unhex|fromhex|hexlify|\bhex\b|pack", re.IGNORECASE)
_MOST_DECODED = 40
_LONGEST_DECODED = 20_000
_HIDDEN_TOO = re.compile(r"dotglob|globdots|glob_dots|-H\b|--hidden|GLOB_DOTS", re.IGNORECASE)

_ONLY = "Only the operator can do that, in the terminal with /telegram:access; do not try another way."
_REASONS: Mapping[Finding, str] = {
    Finding.COMMAND: f"This call would run the Telegram bridge's own access or configure command. {_ONLY}",
    Finding.STATE: (
        "This call reaches into the Telegram bridge's own directory (its token, access list and messages), which "
        f"stays closed to you; only files below its downloads directory, named by full path, are open. {_ONLY}"
    ),
    Finding.ABOVE: (
        "This call would take a whole directory that contains the Telegram bridge's token and access list. "
        f"Name narrower directories instead. {_ONLY}"
    ),
    Finding.TOKEN: f"This call would show or use the Telegram bot's token, which stays closed to you. {_ONLY}",
    Finding.PROGRAM: f"This call would change the Telegram bridge's program, or which bot a project has. {_ONLY}",
    Finding.UNREADABLE: (
        "This call is too long or too nested to be checked, and it names the Telegram bridge's commands or state. "
        f"Split it into plain commands. {_ONLY}"
    ),
}


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides about single tool calls of the model, from their text alone."""

    state_dir: str
    """The directory of token, access list, messages and logs; absolute."""
    home: str
    cwd: str
    """Where the session runs: the project."""
    extra: tuple[str, ...] = ()
    """Other spellings of the state directory, such as its real path."""
    token_in_environment: bool = False
    """Whether the model's own shell has the token in its environment, so that a bare `env` would show it."""
    bot: str = ""
    """The bot's id, when it is known: other bots' addresses are nobody's business then."""
    program_dirs: tuple[str, ...] = ()
    """What the bridge's program and a project's choice of a bot are read from; reading there is fine."""
    _places: Places = field(init=False, repr=False, compare=False)
    _program: Places = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", self._placed((self.state_dir, *self.extra)))
        object.__setattr__(self, "_program", self._placed(self.program_dirs))

    def _placed(self, directories: tuple[str, ...]) -> Places:
        roots = []
        for parts in (parts_of(one, self.cwd, self.home) for one in directories if one):
            roots.append(parts)
            if parts and re.fullmatch(r"[a-z]:", parts[0]):  # how Unix shells on Windows spell a drive
                roots += [(parts[0][0], *parts[1:]), ("mnt", parts[0][0], *parts[1:])]
        return Places(tuple(dict.fromkeys(one for one in roots if one)), self.home)

    def refusal(self, call: ToolCall) -> RefuseTool | None:
        """Why a call must not happen; None when there is no objection. Never raises."""
        if call.tool.startswith(OWN_TOOLS):
            return None
        try:
            found = self._found(call)
        except RecursionError:
            found = self._texts().coarsely(call.input)
        return RefuseTool(_REASONS[found]) if found else None

    def _texts(self) -> Texts:
        return Texts(self._places, self.bot)

    def _found(self, call: ToolCall) -> Finding | None:
        fields = call.fields()
        if not fields:
            return self._texts().coarsely(call.input) if len(call.input) > len("{}") else None
        if call.tool in ("Skill", "SlashCommand"):
            invoked = [value for value in fields.values() if isinstance(value, str)]
            return Finding.COMMAND if any(_SKILL.match(one.strip()) for one in invoked) else None
        if call.tool in ("Glob", "Grep") and (found := self._searched(call.tool, fields)):
            return found
        for name, value in _values(fields, pattern_is_text=call.tool in ("Glob", "Grep")):
            if found := self._value(call.tool, name, value):
                return found
        return None

    def _value(self, tool: str, name: str, value: str) -> Finding | None:
        if name in _COMMAND_FIELDS:
            return self._shell(value, powershell="powershell" in tool.lower())
        if name in _CODE_FIELDS:
            return self._texts().in_code("", value)
        if "\n" in value or (len(value) > _LONGEST_OTHER and not name.endswith("path")):
            return None
        if "://" in value[:12] and (found := self._texts().in_address(value)):
            return found
        value = without_marks(value)
        where = self._places.where(value, (self.cwd,))
        if where is Where.INSIDE or _other_process(parts_of(value, self.cwd, self.home)):
            return Finding.STATE
        if tool in _WRITING and self._program.where(value, (self.cwd,)) is Where.INSIDE:
            return Finding.PROGRAM
        return None

    def _searched(self, tool: str, fields: Mapping[str, object]) -> Finding | None:
        """A search whose directory and pattern together lead into the state directory."""
        beginning = str(fields.get("path") or self.cwd)
        pattern = fields.get("pattern" if tool == "Glob" else "glob")
        if self._places.where(without_marks(beginning), (self.cwd,)) is Where.INSIDE:
            return Finding.STATE
        for text in _unbraced(pattern) if isinstance(pattern, str) else ():
            aimed = _globbed(text)
            parts = parts_of(aimed, beginning, self.home)
            spelled = [one for root in self._places.roots for one in parts if names(one, root[-1])]
            where = self._places.where(aimed, (beginning,), hidden=True)
            if where is Where.INSIDE and (spelled or tool == "Grep"):
                return Finding.STATE
            within = self._places.where(without_marks(beginning), (self.cwd,)) is Where.ABOVE
            if tool == "Grep" and within and (spelled or (parts and self._state_file(parts[-1]))):
                return Finding.STATE
        if tool == "Grep" and Commands(self._places, self._program, self.home, self.cwd).is_near(beginning):
            return Finding.ABOVE
        return None

    @staticmethod
    def _state_file(part: str) -> bool:
        return any(names(part, name) for name in ("token", "state.db", "settings.toml"))

    def _shell(self, text: str, *, powershell: bool) -> Finding | None:
        """What a command line would do."""
        text = without_marks(text)
        readings = [_from_powershell(text) if powershell else text]
        if _DECODING.search(text):
            encoded = _ENCODED.findall(text)[:_MOST_DECODED]
            readings += [said for one in encoded for said in decoded(one[:_LONGEST_DECODED])]
        if _UNHEXING.search(text):
            readings += [unhexed(one[:_LONGEST_DECODED]) for one in _HEX.findall(text)[:_MOST_DECODED]]
        for at, one in enumerate(readings):
            if found := self._read(one, literal=not at):
                return found
        return None

    def _read(self, text: str, *, literal: bool) -> Finding | None:
        reading = Reading((self.cwd,), self._variables())
        reading.run(text)
        texts = self._texts()
        commands = Commands(
            self._places,
            self._program,
            self.home,
            self.cwd,
            token_in_environment=self.token_in_environment,
            hidden=_HIDDEN_TOO.search(text) is not None,
        )
        for one in reading.invocations:
            if found := commands.judge(one) or texts.in_arguments(one):
                return found
        if reading.read_variables & SECRET_VARIABLES:
            return Finding.TOKEN
        for head, code in reading.code:
            if found := texts.in_code(head, code):
                return found
        if not literal:
            return texts.in_code("", text)
        return texts.coarsely(text) and Finding.UNREADABLE if reading.incomplete else None

    def _variables(self) -> dict[str, tuple[str, ...]]:
        """What the shell's own variables hold before any command."""
        state = self.state_dir.replace("\\", "/")
        return {
            "HOME": (self.home,),
            "USERPROFILE": (self.home,),
            "PWD": (self.cwd,),
            "CLAUDE_PROJECT_DIR": (self.cwd,),
            "IFS": (" \t\n",),
            "TELEGRAM_STATE_DIR": (state,),
            "XDG_STATE_HOME": (state.rstrip("/").rpartition("/")[0],),
            "LOCALAPPDATA": (f"{self.home}/AppData/Local",),
        }


def _values(fields: Mapping[str, object], *, pattern_is_text: bool) -> Iterator[tuple[str, str]]:
    """Every string that may name something, however deep, with the name of its field in lower case."""
    waiting: list[tuple[str, object]] = list(fields.items())
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        name, value = waiting.pop()
        name = name.lower()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            if name in _COMMAND_FIELDS and name != "commands" and all(isinstance(one, str) for one in value):
                yield name, shlex.join(value)
                continue
            waiting += [(name, one) for one in value]
        elif isinstance(value, str) and name not in _TEXT_FIELDS and not (pattern_is_text and name == "pattern"):
            arguments = fields.get("args") if name in _COMMAND_FIELDS else None
            if isinstance(arguments, list):
                value = " ".join([value, *(shlex.quote(one) for one in arguments if isinstance(one, str))])
            yield name, value


def _other_process(parts: tuple[str, ...]) -> bool:
    """What shows the environment or the memory of a process."""
    return len(parts) > 2 and parts[0] == "proc" and parts[-1] in ("environ", "mem")


def _unbraced(pattern: str) -> list[str]:
    return braced(re.sub(r"['\"\\$`]", "", pattern))


def _globbed(pattern: str) -> str:
    pattern = re.sub(r"\[[^\]]*\]", ONE, without_marks(pattern))
    return pattern.replace("*", STAR).replace("?", ONE)


def _from_powershell(text: str) -> str:
    """A PowerShell line in the words of a Unix shell, as far as names and paths go."""
    text = re.sub(r"`(.)", r"\1", text).replace("\\", "/")
    text = re.sub(r"\$\{?env:(\w+)\}?", r"${\1}", text, flags=re.IGNORECASE)
    text = re.sub(r"(['\"])\s*\+\s*\1", "", text)
    text = re.sub(r"\(\s*(['\"][^'\"()]*['\"])\s*\)", r"\1", text)
    text = re.sub(r"(^|[;|]\s*)(['\"][^'\"]*['\"])\s*\|", r"\1echo \2 |", text)
    text = re.sub(r"(?m)(^|[;|(]\s*)\$(\w+)\s*=\s*", r"\1\2=", text)
    return re.sub(r"(^|[;|({]\s*)[&.]\s*(?=['\"$(\w])", r"\1", text)
