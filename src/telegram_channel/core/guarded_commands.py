"""Judges single commands: ours that change access, and those that open, copy or show what is guarded."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from telegram_channel.core.guarded_paths import STATE_FILES, Places, Where, names, parts_of
from telegram_channel.core.shell_reading import LANGUAGES, MENTIONING, WRAPPERS, Invocation, name_of, plainly_wrapped
from telegram_channel.core.shell_words import ANY, MARKS, ONE, STAR, Results, named

SECRET_VARIABLES = frozenset(("TELEGRAM_BOT_TOKEN", "TELEGRAM_OPTION_BOT_TOKEN"))
"""Variables of the environment that hold the token."""


class Finding(Enum):
    """What is wrong with a call."""

    COMMAND = auto()
    """It runs a command that is the operator's alone."""
    STATE = auto()
    """It opens what is in the state directory."""
    ABOVE = auto()
    """It takes a directory with the state directory in it."""
    TOKEN = auto()
    """It shows the token, or uses it."""
    PROGRAM = auto()
    """It changes the installed program."""
    UNREADABLE = auto()
    """It names what is guarded and cannot be read to its end."""


_OURS = ("telegram-channel", "telegram_channel")
_PROGRAMS = {
    ("launcher", "run.py"),
    ("telegram_channel", "__main__.py"),
    ("cli", "access.py"),
    ("cli", "configure.py"),
}
_ENTERING = re.compile(r"telegram_channel['\".]*(?:\)|__main__|cli\b)|run_(?:module|path)\W+\S*telegram[-_]channel")
"""Code that starts the program, with the words that follow as its arguments."""
_FORBIDDEN = ("access", "configure")
_HARMLESS = named("status doctor demo serve --help -h help --version -V")
_FURTHEST = 4
"""The launcher takes its data directory before the command; an option or two may stand there, too."""

_PATTERN_FIRST = named("grep egrep fgrep zgrep rg ag ack sed awk gawk mawk nawk jq select-string")
_ONLY_TEXT = named("echo printf true false : write-output write-host man")
_LINKING = named("ln link mklink mount bindfs cd pushd chdir set-location sl popd")
_TAKING = named(
    "tar bsdtar zip 7z 7za rsync scp mv cp rm chmod chown chgrp ln cpio pax restic borg duplicity rclone sftp ditto "
    "copy-item move-item remove-item compress-archive robocopy xcopy mount bindfs shred srm setfacl inotifywait"
)
_WITH_RECURSION = named("cp scp rm chmod chown chgrp copy-item remove-item setfacl")
_TO_LAST = named("cp mv rsync scp install rclone copy-item move-item robocopy xcopy ln")
_SEARCHING = named("grep egrep fgrep rg ag ack zgrep ugrep")
_CHANGING = named(
    "rm mv cp tee ln install rsync chmod chown touch dd tar unzip truncate patch pip uv sed perl mkdir rmdir"
)
_PS_ENVIRONMENT = re.compile(r"[a-zA-Z]*e[a-zA-Z]*|-[a-zA-Z]*E[a-zA-Z]*")
"""With BSD options `e` shows environments; `-E` does on macOS."""
_REFERRED = [f"={name}" for name in SECRET_VARIABLES]
"""`declare -n` makes another name for a variable."""
_SHOWING = frozenset(("env", "printenv", "gprintenv"))


@dataclass(frozen=True, slots=True)
class Commands:
    """Judges commands against the guarded places."""

    places: Places
    program: Places
    home: str
    cwd: str
    token_in_environment: bool = False
    hidden: bool = False
    """Whether wildcards may stand for names with a leading dot."""

    def judge(self, call: Invocation) -> Finding | None:
        """What is wrong with one command, None when nothing is."""
        if call.words and self._is_ours(call):
            return Finding.COMMAND
        opened = None if call.inner else self._opens(call)
        return opened or self._takes(call) or self._shows(call)

    def _is_ours(self, call: Invocation) -> bool:
        heads = call.heads
        mention = all(head in MENTIONING for head in heads)
        if set(heads) & WRAPPERS and plainly_wrapped(call.words):
            return False
        words = call.words[:1] if mention else call.words[:400]
        return any(
            (_names_us(one, first=not at) or self._is_launcher(one, call)) and _subcommand(call.words[at + 1 :])
            for at, word in enumerate(words)
            for one in word
        )

    def _is_launcher(self, text: str, call: Invocation) -> bool:
        """Whether a word is one of the programs in `launcher/` or of the package, seen from where it runs."""
        if name_of(text) in ("run.py", "__main__.py", "access.py", "configure.py"):
            ends = {parts_of(text, folder, self.home)[-2:] for folder in call.folders}
            return not ends.isdisjoint(_PROGRAMS)
        return _ENTERING.search(text) is not None and any(LANGUAGES.fullmatch(head) for head in call.heads)

    def _opens(self, call: Invocation) -> Finding | None:
        """Whether an argument or redirection is a guarded file."""
        heads = call.heads
        linking = any(head in _LINKING for head in heads)
        changing = any(head in _CHANGING for head in heads)
        folders = (*call.folders, *_other_folders(call))
        for text in _candidates(call, heads):
            where = self.places.where(text, folders, hidden=self.hidden)
            if where is Where.INSIDE or (where is Where.DOWNLOADS and linking):
                return Finding.STATE
            if changing and self.program.roots and self.program.where(text, folders) is Where.INSIDE:
                return Finding.PROGRAM
        for target in (one for word in call.targets for one in word):
            if self.places.where(target, folders, hidden=self.hidden) is Where.INSIDE:
                return Finding.STATE
            if self.program.roots and self.program.where(target, folders) is Where.INSIDE:
                return Finding.PROGRAM
        return None

    def is_near(self, path: str, folders: tuple[str, ...] = ()) -> bool:
        """Whether a directory contains the state directory and hardly anything that belongs to the work at hand."""
        if self.places.where(path, folders or (self.cwd,), hidden=self.hidden) is not Where.ABOVE:
            return False
        parts = parts_of(path, (folders or (self.cwd,))[0], self.home)
        work = (parts_of(self.home, "/", self.home), parts_of(self.cwd, "/", self.home))
        return not any(one[: len(parts)] == parts for one in work)

    def _takes(self, call: Invocation) -> Finding | None:
        """Whether it copies, removes or searches a directory that contains the state directory."""
        for head in call.heads:
            arguments = call.words[1:]
            folders = (*_other_folders(call), *call.folders)
            if head in _TAKING and _goes_deep(head, arguments):
                plain = [word for word in arguments if not word[0].startswith("-")]
                into = any(re.fullmatch(r"-[a-zA-Z]*t|--target-directory.*", word[0]) for word in arguments)
                if head in _TO_LAST and len(plain) > 1 and not into:
                    plain = plain[:-1]
                if any(self._is_above(one, folders) for word in plain for one in word):
                    return Finding.ABOVE
            elif head in _SEARCHING:
                places = [one for word in arguments for one in word if not one.startswith("-")][1:]
                if any(self.is_near(one, (folder,)) for one in places or ["."] for folder in call.folders):
                    return Finding.ABOVE
            elif head == "git":
                trees = [
                    one.partition("=")[2] for word in arguments for one in word if one.startswith("--work-tree=")
                ]
                if any(self._is_above(one, call.folders) for one in trees):
                    return Finding.ABOVE
            elif head == "find" and (found := self._finds(call, arguments)):
                return found
        return None

    def _is_above(self, path: str, folders: tuple[str, ...]) -> bool:
        return path not in (ANY, "") and self.places.where(path, folders, hidden=self.hidden) is Where.ABOVE

    def _finds(self, call: Invocation, arguments: tuple[Results, ...]) -> Finding | None:
        """A `find` over a directory above that does more than list, or is aimed at our files."""
        texts = [word[0] for word in arguments]
        starts = []
        for text in texts:
            if text.startswith(("-", "(", "!")):
                break
            starts.append(text)
        if not any(self._is_above(one, call.folders) for one in starts or ["."]):
            return None
        acts = call.piped or any(re.match(r"-(exec|ok|delete|fprint|fls)", one) for one in texts)
        aims = [
            texts[at + 1].replace("*", STAR).replace("?", ONE)
            for at, one in enumerate(texts[:-1])
            if re.fullmatch(r"-i?(name|path|wholename|regex)", one)
        ]
        roots = [root[-1] for root in self.places.roots]
        for aim in (one.lower() for one in aims):
            if any(names(part, name) for part in aim.split("/") for name in roots):
                return Finding.STATE
            if acts and any(names(aim.rpartition("/")[2], name) for name in STATE_FILES):
                return Finding.STATE
        near = any(self.is_near(one, call.folders) for one in starts)
        return Finding.ABOVE if acts and near and not aims else None

    def _shows(self, call: Invocation) -> Finding | None:
        """Whether it shows the token out of an environment."""
        arguments = [one for word in call.words[1:] for one in word]
        for text in (*arguments, *(one for word in call.targets for one in word)):
            parts = parts_of(text, (call.folders or (self.cwd,))[0], self.home) if "proc" in text.lower() else ()
            if len(parts) > 2 and parts[0] == "proc" and _is_telling(parts, self.token_in_environment):
                return Finding.TOKEN
        for head in call.heads:
            plain = [one for one in arguments if not one.startswith("-") and "=" not in one]
            if head in _SHOWING and SECRET_VARIABLES & set(arguments):
                return Finding.TOKEN
            if (
                head in ("declare", "typeset", "export", "set", "compgen")
                and any(one in SECRET_VARIABLES for one in plain)
                and any(re.fullmatch(r"-\w*p\w*", one) for one in arguments)
            ):
                return Finding.TOKEN
            if head in ("declare", "typeset", "local") and any(one.endswith(tuple(_REFERRED)) for one in arguments):
                return Finding.TOKEN
            if head == "ps" and any(_PS_ENVIRONMENT.fullmatch(one) for one in arguments):
                return Finding.TOKEN
            if self.token_in_environment and _dumps(head, arguments, plain):
                return Finding.TOKEN
        return None


def _names_us(text: str, *, first: bool) -> bool:
    """Whether a word is our program: by name, by path, as a module, or by a pattern that spells enough of it."""
    folded = text.replace("\\", "/").lower().rstrip("/")
    name = name_of(folded)
    if name in _OURS or name == f"{_OURS[0]}.py":
        return True
    if re.search(r"(^|/)launcher/(run\.py|\.)?$", folded) or (first and folded.endswith("launcher/run.py")):
        return True
    if re.fullmatch(r"-?m?telegram_channel(\.__main__|\.cli(\.\w+)?)?", folded):
        return True
    if re.search(r"(^|/)telegram_channel(/__main__\.py|/cli|/cli/\w+\.py)$", folded):
        return True
    if re.match(r"telegram[-_]channel(\[[\w,]*\])?(@|==|>=|~=)", name):
        return True
    marks = MARKS & set(name)
    wild = first and bool(marks) and ANY not in name and bool(set(name) - MARKS)
    return bool(marks) and any(names(name, ours, 1 if wild else 3) for ours in _OURS)


def _subcommand(following: tuple[Results, ...]) -> bool:
    """Whether the words after our program begin a command that is the operator's."""
    for at, word in enumerate(following[:_FURTHEST]):
        for one in word:
            for text in re.split(r"[,\s'\"()\[\]]+", one):
                if text in _FORBIDDEN or (one[:1] != "-" and any(names(text, name) for name in _FORBIDDEN)):
                    return True
            if at < 2 and one == ANY:
                return True
            if at < 2 and MARKS & set(one) and ANY in one and any(names(one, name, 1) for name in _FORBIDDEN):
                return True
        if set(word) <= _HARMLESS:
            return False
    return False


def _candidates(call: Invocation, heads: tuple[str, ...]) -> Iterator[str]:
    """Everything in a command's arguments that may be the name of a file."""
    if heads and all(head in _ONLY_TEXT for head in heads):
        return
    skipped = any(head in _PATTERN_FIRST for head in heads) or (heads[:1] == ("git",) and _is_grep(call))
    for at, word in enumerate(call.words):
        for one in word:
            if at and skipped and not one.startswith("-"):
                continue
            if heads[:1] == ("git",) and at and re.fullmatch(r"-\w*m|--message|--grep|-S|-G", call.words[at - 1][0]):
                continue
            yield from _pieces(one)
        if at and not word[0].startswith("-"):
            skipped = False


def _is_grep(call: Invocation) -> bool:
    return any(word[0] in ("grep", "log") for word in call.words[1:4])


def _pieces(text: str) -> Iterator[str]:
    """A word, and the parts of it that an option, an address or a list may hold."""
    if not text or (len(text) > 4_000 and "/" not in text):
        return
    yield text
    if text.startswith("-") and len(text) > 3:
        yield text[2:]
    if re.search(r"[=@:,;]", text):
        yield from re.split(r"file:|[=@:,;]", text)[:40]


def _other_folders(call: Invocation) -> tuple[str, ...]:
    """Directories that an option makes the command work in."""
    found = []
    for at, word in enumerate(call.words[1:], 1):
        text = word[0]
        following = call.words[at + 1][0] if at + 1 < len(call.words) else ""
        if text in ("-C", "--directory", "--chdir", "-D", "--cwd", "--root") and following:
            found.append(following)
        elif match := re.match(r"(?:-C|--(?:directory|chdir|cwd|root)=)(.+)", text):
            found.append(match[1])
    absolute = [
        one if one.startswith(("/", "~")) else f"{folder}/{one}" for one in found for folder in call.folders[:2]
    ]
    return tuple(absolute)


def _goes_deep(head: str, arguments: tuple[Results, ...]) -> bool:
    texts = [word[0] for word in arguments]
    if head in _WITH_RECURSION:
        return any(re.fullmatch(r"-[a-zA-Z]*[rRa][a-zA-Z]*|--(recursive|archive)", one) for one in texts)
    if head in ("tar", "bsdtar") and texts:
        flags = next((one for one in texts if re.fullmatch(r"-?[a-zA-Z]+", one)), "")
        return not re.search(r"[xt]", flags) or any(one in ("--create", "-c") for one in texts)
    return True


def _is_telling(parts: tuple[str, ...], token_in_environment: bool) -> bool:
    """Whether a file below /proc shows the environment, the memory or an open file of a process."""
    own = parts[1] in ("self", "thread-self", "$$")
    if names(parts[-1], "environ") or parts[-1] == "environ":
        return token_in_environment or not own
    return not own and (parts[-1] in ("mem", "map_files") or ("fd" in parts and parts[-1] != "fd"))


def _dumps(head: str, arguments: list[str], plain: list[str]) -> bool:
    """Whether a command writes the whole environment."""
    if head in _SHOWING:
        return not plain and "-i" not in arguments and not any(one in ("--help", "--version") for one in arguments)
    if head in ("export", "declare", "typeset"):
        return not plain and not any("=" in one for one in arguments) and "-f" not in arguments
    if head == "set":
        return not arguments
    return head in ("get-childitem", "gci", "dir", "ls") and any(one.lower().startswith("env:") for one in arguments)
