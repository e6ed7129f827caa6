"""A tool's input is laid out in pieces, the most telling first, and every field of it is in one of them.

Where the present content of a file is known, a change to it is shown as a diff with line numbers. Everything
invisible is spelled out, and what should be one line cannot leave it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from telegram_channel.core.diff import replacement, unified
from telegram_channel.core.visible import visible

ONE_LINE = ("File", "Path", "Address")
"""Labels of what is one line by nature."""
_COMMANDS = {"Bash": "bash", "PowerShell": "powershell"}
"""Tools whose input is a command, and the language it is in."""
SHELL_LANGUAGES = frozenset(_COMMANDS.values())

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a tool's input, already visible."""

    text: str
    label: str = ""
    language: str = ""
    abridged: bool = False
    """Whether it tells what the input does instead of repeating all of it."""


def lay_out(tool: str, description: str, text: str, before: str | None = None) -> list[Block]:
    """The input `text` of a tool in pieces; `before` is what the file that it changes holds now, where known.

    `description` stands beside it already and is not repeated.
    """
    try:
        fields = read_fields(text)
        if fields is not None:
            return _by_field(tool, description, fields, before)
    except RecursionError:  # nested too deep to be written in lines: letter by letter, then
        pass
    return [Block(_visible(text))] if text.strip() else []


def _by_field(tool: str, description: str, fields: Fields, before: str | None) -> list[Block]:
    layout = _LAYOUTS.get(tool)
    laid_out = layout(fields, before) if layout else None
    blocks, used = laid_out or _path_first(fields)
    rest = {name: value for name, value in fields.items() if name not in used}
    if rest.get("description") == description:
        del rest["description"]
    return [*blocks, *([Block(_json(rest), "Also" if blocks else "", "json")] if rest else [])]


def read_fields(text: str) -> Fields | None:
    """The fields of a JSON object; None when it is anything else, cut short, empty, or says one thing twice."""
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value else None


def command_of(tool: str, text: str) -> str | None:
    """The command that a tool's input is; None for tools that run none."""
    fields = read_fields(text) if tool in _COMMANDS else None
    command = fields.get("command") if fields else None
    return command if isinstance(command, str) else None


def changed_file(tool: str, text: str) -> str | None:
    """The path of the file whose content a tool's input replaces or edits; None for every other input."""
    fields = read_fields(text) if tool in _CHANGES else None
    if fields is None or _CHANGES[tool](fields, None) is None:
        return None
    path = fields.get("file_path")
    return path if isinstance(path, str) and path.strip() else None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key occurs twice")
    return fields


def _json(value: object) -> str:
    """Indented JSON: a line end inside a value stays inside its quotes, so no value can fake another field."""
    return _visible(json.dumps(value, indent=2, ensure_ascii=False))


def _visible(text: str) -> str:
    """As `visible`, and much faster for long text, most lines of which are plain."""
    return "\n".join(map(visible, text.split("\n")))


_Laid = tuple[list[Block], frozenset[str]]
_Layout = Callable[[Fields, str | None], _Laid | None]
"""Fields and the present file → blocks and the fields they show; None when the fields are not what this tool has."""


def _texts(fields: Fields, *names: str) -> list[str] | None:
    values = [fields.get(name) for name in names]
    texts = [value for value in values if isinstance(value, str)]
    return texts if len(texts) == len(names) else None


def _pieces(*pieces: tuple[str, str, str]) -> _Layout:
    """A layout of whole fields: name, label and language of each, where the tool has all of them as text."""
    names = tuple(name for name, _, _ in pieces)

    def layout(fields: Fields, _before: str | None) -> _Laid | None:
        texts = _texts(fields, *names)
        if not texts:
            return None
        blocks = [_whole(text, label, language) for text, (_, label, language) in zip(texts, pieces, strict=True)]
        return blocks, frozenset(names)

    return layout


def _whole(text: str, label: str, language: str = "") -> Block:
    """A field as it is; what should be one line (a path, an address) cannot leave it."""
    return Block(visible(text, lines=False) if label in ONE_LINE else _visible(text), label, language)


def _write(fields: Fields, before: str | None) -> _Laid | None:
    texts = _texts(fields, "file_path", "content")
    if not texts:
        return None
    path, content = texts
    if before is None:  # there may be a file all the same: nothing here may call it a new one
        change = _whole(content, "All the file will hold")
    elif before == content:
        change = _whole(content, "All the file will hold, and holds already")
    else:
        change = Block(unified(before, content), "Change to the file", "diff", abridged=True)
    return [_whole(path, "File"), change], frozenset({"file_path", "content"})


def _edit(fields: Fields, before: str | None) -> _Laid | None:
    texts = _texts(fields, "file_path", "old_string", "new_string")
    if not texts:
        return None
    path, old, new = texts
    after = _edited(before, old, new, fields.get("replace_all"))
    change = _file_change(before, after) or Block(replacement(old, new), "Change", "diff", abridged=True)
    return [_whole(path, "File"), change], frozenset({"file_path", "old_string", "new_string"})


def _multi_edit(fields: Fields, before: str | None) -> _Laid | None:
    texts, edits = _texts(fields, "file_path"), fields.get("edits")
    if not texts or not isinstance(edits, list) or not edits:
        return None
    parts: list[str] = []
    after = before
    for number, edit in enumerate(edits, 1):
        change = _texts(edit, "old_string", "new_string") if isinstance(edit, dict) else None
        if not change or not isinstance(edit, dict) or set(edit) - {"old_string", "new_string", "replace_all"}:
            return None
        every = ", every occurrence" if edit.get("replace_all") else ""
        parts.append(f"@@ {number} of {len(edits)}{every} @@\n{replacement(*change)}")
        after = _edited(after, change[0], change[1], edit.get("replace_all"))
    whole = _file_change(before, after) or Block("\n".join(parts), "Changes", "diff", abridged=True)
    return [_whole(texts[0], "File"), whole], frozenset({"file_path", "edits"})


def _edited(text: str | None, old: str, new: str, every: object) -> str | None:
    """The text after an edit; None unless it is certain what the edit does to it."""
    if text is None or not old or not new:  # of a line that is deleted, the client may take the line end as well
        return None
    times = text.count(old)
    return text.replace(old, new) if times == 1 or (times and every is True) else None


def _file_change(before: str | None, after: str | None) -> Block | None:
    """What happens to the whole file; None where that is not known, or nothing happens to it."""
    if before is None or after is None or before == after:
        return None
    return Block(unified(before, after), "Change to the file", "diff", abridged=True)


def _path_first(fields: Fields) -> _Laid:
    """Any other tool: the file or address it is about, then everything else as JSON."""
    for name, label in (("file_path", "File"), ("notebook_path", "File"), ("path", "Path"), ("url", "Address")):
        if texts := _texts(fields, name):
            return [_whole(texts[0], label)], frozenset({name})
    return [], frozenset()


_CHANGES: Mapping[str, _Layout] = {"Write": _write, "Edit": _edit, "MultiEdit": _multi_edit}
_LAYOUTS: Mapping[str, _Layout] = {
    **{tool: _pieces(("command", "", language)) for tool, language in _COMMANDS.items()},
    **_CHANGES,
    "NotebookEdit": _pieces(("notebook_path", "File", ""), ("new_source", "Content", "")),
    "WebFetch": _pieces(("url", "Address", "")),
    "WebSearch": _pieces(("query", "Search for", "")),
    "Task": _pieces(("prompt", "Task", "")),
    "Agent": _pieces(("prompt", "Task", "")),
}
