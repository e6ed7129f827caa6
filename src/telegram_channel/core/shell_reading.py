"""Says which commands a command line would run, without running any of it.

Follows what a shell does by itself: variables, `cd`, pipes, here-documents, `eval`, `sh -c`, `xargs`,
wrappers such as `sudo`, and the output of `echo`, `printf`, `base64 -d` and the like where it is run or
used again. Every branch is taken. What a program of another language does is not followed: its text is
handed back as code.
"""

import re
from dataclasses import dataclass, field, replace

from telegram_channel.core.shell_output import decoded, printed, written
from telegram_channel.core.shell_scan import Kind, scan
from telegram_channel.core.shell_words import ANY, MOST_RESULTS, SPLIT, Results, Words, joined, named

MOST_CHARACTERS = 60_000
"""How much text is read for one command line, everything nested included."""
MOST_INVOCATIONS = 600
_DEEPEST = 10
_MOST_VARIANTS = 8
_MOST_FOLDERS = 6
_LONGEST_FOLDER = 1_024
"""Characters of a directory's name; many a `cd` would make one that takes seconds to look at."""
_FURTHEST = 14
"""Where, at the latest, the command of a wrapper begins."""

SHELLS = named("sh bash zsh dash ksh mksh ash fish rbash busybox powershell pwsh cmd")
EVALUATING = named("eval iex invoke-expression")
SOURCING = frozenset(("source", "."))
WRAPPERS = named(
    "sudo doas env nohup time timeout gtimeout nice ionice stdbuf setsid command builtin exec noglob nocorrect xargs "
    "parallel watch chronic caffeinate strace ltrace flock unshare nsenter chroot chrt taskset systemd-run script "
    "unbuffer busybox toybox uv uvx poetry pdm hatch rye pixi conda mamba pipx npx start-process start then else "
    "do runuser su ssh docker podman kubectl tmux screen entr gdb perf coproc"
)
"""Commands whose arguments may be another command."""
LANGUAGES = re.compile(
    r"(python|pypy|node|bun|deno|perl|ruby|php|lua|tclsh|expect|osascript|swift|groovy|rscript|julia|ipython|"
    r"awk|gawk|mawk|nawk|vim?|nvim|ex|ed|emacs|make|gmake|sqlite3|jq|sed)[\d.]*(\.exe)?"
)
MENTIONING = named(
    "echo printf grep egrep fgrep zgrep rg ag ack git gh glab hub cat bat less more head tail ls wc file stat diff "
    "colordiff cmp comm sort uniq cut tr fold nl tac tree du df test [ [[ true false : touch mkdir which type man "
    "ruff mypy pre-commit for case select export local declare typeset readonly alias write-output write-host "
    "select-string codespell"
)
"""Commands whose arguments are texts or files, never commands."""
_FOLLOWED = MENTIONING | SHELLS | EVALUATING | SOURCING
_OPENING = named("if then else elif while until do ! { time coproc")
_LATER = named("at batch crontab")
_CRON_TIME = re.compile(r"(?m)^[ \t]*(?:@\w+|\S+(?:[ \t]+\S+){4})[ \t]+")
_ASSIGNING = frozenset(("export", "declare", "typeset", "local", "readonly", "env", "set-variable"))
_PLAIN_OPTION = re.compile(r"-[0rtp]+|--null|--no-run-if-empty|-n\d+|[A-Z_]+=.*", re.DOTALL)
"""Options without an argument of their own, and assignments."""
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(?:\[[^\]]*\])?(\+?)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One command that would run."""

    words: tuple[Results, ...]
    """The command's name and arguments; each may have several readings."""
    targets: tuple[Results, ...] = ()
    """Files of its redirections."""
    folders: tuple[str, ...] = ()
    """Where it may run."""
    piped: bool = False
    """Whether its output goes to another command."""
    inner: bool = False
    """Whether it is the end of another command, so that its arguments were seen already."""

    @property
    def heads(self) -> tuple[str, ...]:
        """The names the command may have: without directory, in lower case."""
        return tuple(name_of(one) for one in self.words[0]) if self.words else ()


def plainly_wrapped(words: tuple[Results, ...]) -> int:
    """Where a command begins that only mentions, right behind one that runs another; 0 when it is not so."""
    for at, word in enumerate(words[1:_FURTHEST], 1):
        if set(map(name_of, word)) <= MENTIONING:
            return at
        if not _PLAIN_OPTION.fullmatch(word[0]):
            return 0
    return 0


def name_of(word: str) -> str:
    """The last part of a path, in lower case."""
    return re.split(r"[/\\]", word)[-1].lower().removesuffix(".exe")


@dataclass(slots=True)
class Reading:
    """What was found in one command line."""

    folders: tuple[str, ...]
    """Where it may begin, and then where it may be."""
    variables: dict[str, Results]
    invocations: list[Invocation] = field(default_factory=list)
    code: list[tuple[str, str]] = field(default_factory=list)
    """Texts in another language, each with the name of its interpreter."""
    incomplete: bool = False
    """Whether there was more than is looked at."""
    read_variables: set[str] = field(default_factory=set)
    _left: int = MOST_CHARACTERS
    _depth: int = 0
    _fed: list[str] = field(default_factory=list)
    _aliases: dict[str, str] = field(default_factory=dict)
    _given: Results = ()

    def run(self, text: str, given: Results = ()) -> Results:
        """Read a text as the shell would run it; returns what it may write. `given` is its input."""
        self._left -= len(text) + 1
        if self._left < 0 or self._depth >= _DEEPEST or len(self.invocations) > MOST_INVOCATIONS:
            self.incomplete = True
            return (ANY,)
        self._depth += 1
        outer, self._given = self._given, given or self._given
        outputs = self._commands(text)
        self._given = outer
        self._depth -= 1
        return outputs

    def _commands(self, text: str) -> Results:
        words = Words(self._output, self._feed, self.variables, self.read_variables)
        command: list[Results] = []
        targets: list[Results] = []
        inputs: Results = ()
        outputs: list[Results] = []
        redirection = ""
        for token in scan(text):
            if self._left < 0:
                self.incomplete = True
                return (ANY,)
            if token.kind is Kind.OPERATOR:
                piped = token.text in ("|", "|&")
                inputs = (*inputs, *self._taken())
                output = self._command(command, targets, inputs, piped=piped)
                outputs += [output] if command else []
                command, targets, redirection = [], [], ""
                if piped:
                    inputs = output or _together(outputs)
                    self._given = inputs or self._given
                else:
                    inputs = ()
            elif token.kind is Kind.REDIRECTION:
                redirection = token.text
            elif token.kind is not Kind.WORD:
                literal = token.kind is Kind.LITERAL_BODY
                inputs = (*inputs, *((token.text,) if literal else words.within_quotes(token.text)))
            elif redirection:
                results = words.results(token.text)
                if redirection.endswith("<<<"):
                    inputs = (*inputs, *results)
                else:
                    targets.append(results)
                redirection = ""
            elif not command and (assigned := _ASSIGNMENT.fullmatch(token.text)):
                self._assigned(words, assigned)
            else:
                command += words.of(token.text)
        outputs.append(self._command(command, targets, (*inputs, *self._taken()), piped=False))
        self.incomplete = self.incomplete or words.too_deep
        return _together(outputs)

    def _assigned(self, words: Words, found: re.Match[str]) -> None:
        raw = found[3]
        if raw.startswith("("):
            elements = [one for token in scan(raw[1:].removesuffix(")")) for one in words.of(token.text)]
            values = joined([one for element in elements for one in (element, (" ",))])
        else:
            values = tuple(one.replace(SPLIT, " ") for one in words.results(raw))
        words.assign(found[1], values, appended=bool(found[2]))

    def _output(self, text: str) -> Results:
        return tuple(one.strip("\n") for one in self.run(text)) or (ANY,)

    def _feed(self, text: str) -> None:
        self._fed += self.run(text)

    def _taken(self) -> Results:
        fed, self._fed = tuple(self._fed), []
        return fed

    def _command(self, words: list[Results], targets: list[Results], inputs: Results, *, piped: bool) -> Results:
        while words and set(words[0]) <= _OPENING:
            words = words[1:]
        variants = _variants(words) if words else [()] if targets else []
        outputs: list[str] = []
        for variant in variants:
            one = Invocation(variant, tuple(targets), self.folders, piped)
            outputs += self._invoke(one, inputs or self._given)
        return tuple(dict.fromkeys(outputs))[:MOST_RESULTS]

    def _invoke(self, call: Invocation, inputs: Results) -> Results:
        """Take note of one command and follow what it runs; returns what it may write."""
        if self._left < 0 or len(self.invocations) > MOST_INVOCATIONS:
            self.incomplete = True
            return (ANY,)
        self._left -= 4 * len(call.words)
        self.invocations.append(call)
        if not call.words:
            return (ANY,)
        outputs: list[str] = []
        for head in dict.fromkeys(call.heads):
            outputs += self._follow(head, call, inputs)
        return tuple(dict.fromkeys(outputs))[:MOST_RESULTS]

    def _follow(self, head: str, call: Invocation, inputs: Results) -> Results:
        arguments = call.words[1:]
        self._remember(head, arguments, inputs)
        if text := self._aliases.get(head):
            self.run(" ".join([text, *(_quoted(word[0]) for word in arguments)]))
        if head in SHELLS or head in SOURCING:
            self._shell(head, arguments, inputs)
        elif head in EVALUATING:
            for text in (*joined([one for word in arguments for one in (word, (" ",))]), *inputs):
                self.run(text.replace(SPLIT, " "))
        if LANGUAGES.fullmatch(head):
            self.code += [(head, text) for word in arguments for text in word if len(text) > 3]
            self.code += [(head, text) for text in inputs if text != ANY]
        if head in _LATER:
            for text in inputs:
                self.run(text)
                self.run(_CRON_TIME.sub("", text))
        if head in WRAPPERS:
            self._wrapped(head, call, inputs)
        elif head not in _FOLLOWED and not LANGUAGES.fullmatch(head):
            self._unknown(call, inputs)
        elif head == "git":
            for text in (one.partition("!")[2] for word in arguments for one in word if re.match(r"[\w.]+=!", one)):
                self.run(text)
        return written(head, arguments, inputs)

    def _shell(self, head: str, arguments: tuple[Results, ...], inputs: Results) -> None:
        """A shell: its text is the argument after `-c`, or its input."""
        texts = inputs
        for at, word in enumerate(arguments):
            if any(re.fullmatch(r"[-+]\w*c|/[ck]|-co\w*", one, re.IGNORECASE) for one in word):
                following = arguments[at + 1 :]
                self._left -= 4 * len(following)
                if self._left < 0:
                    self.incomplete = True
                    return
                for place, value in enumerate(following[1:]):
                    self.variables[str(place)] = value
                self.variables["@"] = self.variables["*"] = joined(
                    [one for value in following[2:] for one in (value, (" ",))]
                )
                texts = (*texts, *(following[0] if following else ()))
                if head in ("cmd", "powershell", "pwsh"):
                    texts = (*texts, *joined([one for value in following for one in (value, (" ",))]))
            elif any(one.lower().startswith(("-e", "/e")) for one in word) and at + 1 < len(arguments):
                texts = (*texts, *(said for one in arguments[at + 1] for said in decoded(one)))
        for text in texts:
            self.run(text.replace(SPLIT, " "))

    def _wrapped(self, head: str, call: Invocation, inputs: Results) -> None:
        """A command that runs another one: any of its first arguments may be where that begins."""
        words = list(call.words)
        adding = head in ("xargs", "parallel")
        if adding:
            words = _with_arguments(words, inputs)
            inputs = ()
        elif call.inner:
            return
        if mentioned := plainly_wrapped(tuple(words)):
            self._nested(replace(call, words=tuple(words[mentioned:]), inner=not adding), inputs)
            return
        for at in range(1, min(len(words), _FURTHEST)):
            if words[at][0].startswith("-") or _ASSIGNMENT.fullmatch(words[at][0]):
                continue
            rest = tuple(words[at:])
            self._nested(replace(call, words=rest, targets=(), inner=not adding), inputs)
        self._texts(call.words)

    def _unknown(self, call: Invocation, inputs: Results) -> None:
        """A command nobody knows: a shell among its arguments counts, and so does a text that is a command line."""
        head = call.heads[0]
        for at, word in enumerate(call.words[1:40], 1):
            name = name_of(word[0])
            if head == "find":
                starts = any(one in ("-exec", "-execdir", "-ok", "-okdir") for one in call.words[at - 1])
            else:
                starts = name in SHELLS or name in EVALUATING or LANGUAGES.fullmatch(name) is not None
            if starts:
                rest = tuple(tuple(one.replace("{}", ANY) for one in value) for value in call.words[at:])
                self._nested(replace(call, words=rest, targets=()), inputs)
                break
        self._texts(call.words)

    def _nested(self, call: Invocation, inputs: Results) -> None:
        if self._depth >= _DEEPEST:
            self.incomplete = True
            return
        self._depth += 1
        self._invoke(call, inputs)
        self._depth -= 1

    def _texts(self, words: tuple[Results, ...]) -> None:
        for text in (one for word in words[1:] for one in word):
            if any(blank in text for blank in " \t\n;|&"):
                self.run(re.sub(r"^-[\w-]*=", "", text))

    def _remember(self, head: str, arguments: tuple[Results, ...], inputs: Results) -> None:
        """What a command changes for the ones after it."""
        if head in ("cd", "pushd", "chdir", "set-location", "sl"):
            places = [one for word in arguments for one in word if not one.startswith("-")]
            new = [_below(folder, place) for place in places for folder in self.folders]
            short = [one for one in new if len(one) <= _LONGEST_FOLDER]
            self.incomplete = self.incomplete or len(short) < len(new)
            self.folders = tuple(dict.fromkeys((*short, *self.folders)))[:_MOST_FOLDERS]
        elif head == "alias" or head in _ASSIGNING:
            for found in (_ASSIGNMENT.fullmatch(one) for word in arguments for one in word):
                if found and head == "alias":
                    self._aliases[found[1].lower()] = found[3]
                elif found:
                    self.variables[found[1]] = (found[3], *self.variables.get(found[1], ()))[:MOST_RESULTS]
        elif head == "hash" and len(arguments) > 2 and arguments[0][0] == "-p":
            self._aliases[arguments[2][0].lower()] = _quoted(arguments[1][0])
        elif head == "for" and arguments:
            self._give(arguments[0], tuple(one for word in arguments[2:] for one in word))
        elif head in ("read", "mapfile", "readarray") and inputs:
            pieces = tuple(piece for text in inputs for piece in (text, *text.split("\n"), *text.split()))
            for word in arguments:
                self._give(word, pieces)
        elif head == "printf" and len(arguments) > 2 and arguments[0][0] == "-v":
            self._give(arguments[1], printed(arguments[2:]))
        elif head == "set":
            rest = [word for word in arguments if not word[0].startswith("-")]
            for at, word in enumerate(rest, 1):
                self.variables[str(at)] = word
            if rest:
                whole = joined([one for word in rest for one in (word, (" ",))])
                self.variables["@"] = self.variables["*"] = whole

    def _give(self, names: Results, values: Results) -> None:
        for name in names:
            if values and name.isidentifier():
                self.variables[name] = tuple(dict.fromkeys((*values, *self.variables.get(name, ()))))[:MOST_RESULTS]


def _variants(words: list[Results]) -> list[tuple[Results, ...]]:
    """The commands that a list of words may be, once unquoted expansions have fallen into words."""
    variants: list[tuple[Results, ...]] = [()]
    for word in words:
        whole = tuple(one for one in word if SPLIT not in one)
        ways: list[tuple[Results, ...]] = [(whole,)] if whole and whole != ("",) else []
        ways += [tuple((piece,) for piece in one.split(SPLIT) if piece) for one in word if SPLIT in one]
        if not ways:
            ways = [((("",),) if word == ("",) else ())]
        variants = [(*variant, *way) for variant in variants for way in ways][:_MOST_VARIANTS]
    return [variant for variant in variants if variant]


def _together(outputs: list[Results]) -> Results:
    """What several commands write one after the other: together, and each alone."""
    known = [one for one in outputs if one and one != (ANY,)]
    if len(known) < 2:
        return known[0] if known else (ANY,) if outputs else ()
    whole = joined([piece for one in known for piece in (one, ("\n",))])
    return tuple(dict.fromkeys((*whole, *(text for one in known for text in one))))[:MOST_RESULTS]


def _below(folder: str, place: str) -> str:
    return place if place.startswith(("/", "~")) else f"{folder}/{place}"


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _with_arguments(words: list[Results], inputs: Results) -> list[Results]:
    """The words of an `xargs` together with those it adds from its input."""
    mark = ""
    for at, word in enumerate(words):
        if found := re.fullmatch(r"-[iI](.*)|--replace=?(.*)", word[0]):
            mark = found[1] or found[2] or (words[at + 1][0] if word[0] == "-I" and at + 1 < len(words) else "{}")
    values = tuple(text.replace("\n", " ").strip() for text in inputs) or (ANY,)
    if mark or words[0][0].endswith("parallel"):
        mark = mark or "{}"
        return [joined([tuple(one.replace(mark, value) for value in values for one in word)]) for word in words]
    return [*words, *((piece,) for text in values for piece in text.split()[:40])]
