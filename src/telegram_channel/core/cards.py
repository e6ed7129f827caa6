"""A permission card shows what will really happen: the command, path or change itself, at once and whole.

What Claude or a file wrote stands only inside code blocks and quotes, with everything invisible spelled out,
so that it can fake no line of the card. What does not fit is left out visibly and goes, whole, into a file.
What the client itself left out can be shown by nobody, so the card says that it is missing.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from telegram_channel.core.notices import decision
from telegram_channel.core.outgoing import OutFile
from telegram_channel.core.permission import PermissionRequest, Prompt, is_request_id
from telegram_channel.core.text import Span, Style, Styled, styled, utf16_len, utf16_prefix
from telegram_channel.core.visible import visible, visible_line

MOST_CARD_UNITS = 3_500
"""UTF-16 units of a card. The rest up to Telegram's 4,096 is kept for the line that closes it."""
_MOST_TOOL_UNITS = 120
_MOST_DESCRIPTION_UNITS = 400
_MOST_PROJECT_UNITS = 64
_MOST_INLINE_UNITS = 200
"""Longer values get a block of their own."""
_GAP_UNITS = 80
"""Room for the line that says how much was left out of a block."""
_WHOLE_CODE_POINTS = 3_400
"""Of a longer field the client hands over the beginning and the end only (source: channel contract)."""
_LEFT_OUT = re.compile(r"⋯ \d+ code points elided ⋯")
"""What the client puts in between."""
_SHORTENED = (
    "\n⚠️ Something may be missing, here and in any file: Claude Code hands over only the beginning and the end of "
    "what is long. The terminal shows all of it."
)
_REORDERED = "\n⚠️ It holds letters that are written from right to left, so parts of it may appear in another order."


@dataclass(frozen=True, slots=True)
class CardText:
    """What is sent to an approver; `attachment` holds everything when the card could not."""

    body: Styled
    attachment: OutFile | None = None


@dataclass(frozen=True, slots=True)
class _Block:
    """One piece of the tool's input, already visible."""

    text: str
    label: str = ""
    language: str = ""


Fields = Mapping[str, object]


def card(request: PermissionRequest, project: str = "") -> CardText:
    """The card of a request; `project` names the session that asks, where it has a name."""
    body, whole = _shown(request, project)
    ending = styled("\n\nAnswer with a button, or write ", *_how_to_write(request.request_id), ".")
    attachment = None if whole else OutFile(_file_name(request), content=_file(request, project))
    return CardText(Styled((*body, *(ending if is_request_id(request.request_id) else ()))), attachment)


def outcome(prompt: Prompt, project: str = "", *, restarted: bool = False) -> Styled:
    """The card of a prompt that takes no answer any more: what was asked, and what became of it."""
    body, _ = _shown(prompt.request, project)
    return Styled((*body, Span("\n\n"), Span(decision(prompt, restarted=restarted), Style.BOLD)))


def _how_to_write(request_id: str) -> tuple[Span, ...]:
    return Span(f"yes {request_id}", Style.CODE), Span(" or "), Span(f"no {request_id}", Style.CODE)


def _shown(request: PermissionRequest, project: str) -> tuple[tuple[Span, ...], bool]:
    """The card without its last line, and whether everything is on it."""
    top = [Span("🔐 Claude wants to use "), Span(visible_line(request.tool_name, _MOST_TOOL_UNITS), Style.CODE)]
    if project:
        top += [Span(" in "), Span(visible_line(project, _MOST_PROJECT_UNITS), Style.CODE)]
    if request.description.strip():
        top += [Span("\n"), Span(visible_line(request.description, _MOST_DESCRIPTION_UNITS), Style.QUOTE)]
    whole = _fits(request.tool_name, _MOST_TOOL_UNITS) and _fits(request.description, _MOST_DESCRIPTION_UNITS)
    blocks = _blocks(request)
    what, warnings = "The whole request", []
    if _is_shortened(request):
        what, warnings = "What Claude Code handed over", [Span(_SHORTENED, Style.BOLD)]
    if any(_is_reordered(block) for block in blocks):
        warnings.append(Span(_REORDERED, Style.BOLD))
    note = f"\n{what} is in the attached file {_file_name(request)}."
    ending_units = 100  # the line that says how to answer, with its empty line
    room = MOST_CARD_UNITS - ending_units - _units([*top, *warnings]) - utf16_len(note)
    rendered = [span for block in blocks for span in _rendered(block)]
    if _units(rendered) > room:
        whole = False
        rendered = _shortened(blocks, room)
    return (*top, *rendered, *(() if whole else (Span(note, Style.ITALIC),)), *warnings), whole


def _is_shortened(request: PermissionRequest) -> bool:
    """Whether the client may have left something out before we saw it."""
    fields = _fields(request.input_preview)
    texts = [request.input_preview] if fields is None else [text for text in fields.values() if isinstance(text, str)]
    return any(len(text) > _WHOLE_CODE_POINTS or _LEFT_OUT.search(text) for text in texts)


def _is_reordered(block: _Block) -> bool:
    """Whether what is carried out may look different from what it is: phones turn such letters around."""
    is_carried_out = block.label in _ONE_LINE or block.language in ("bash", "powershell")
    return is_carried_out and any(unicodedata.bidirectional(char) in ("R", "AL") for char in block.text)


def _fits(text: str, units: int) -> bool:
    return utf16_len(visible(text.strip(), lines=False)) <= units


def _units(spans: list[Span]) -> int:
    return sum(utf16_len(span.text) for span in spans)


def _rendered(block: _Block) -> list[Span]:
    label = f"\n{block.label}: " if block.label else "\n"
    if not block.text.strip():
        return [Span(label), Span(json.dumps(block.text), Style.CODE)]  # quotes show where nothing else would
    if block.label in _ONE_LINE and utf16_len(block.text) <= _MOST_INLINE_UNITS:
        return [Span(label), Span(block.text, Style.CODE)]
    return [Span(label.rstrip(" ") + ("\n" if block.label else "")), Span(block.text, Style.PRE, block.language)]


def _shortened(blocks: list[_Block], room: int) -> list[Span]:
    """The blocks, cut so that they fill `room` and no more; small ones stay whole."""
    labels = sum(len(block.label) + 4 for block in blocks)
    shares = _shares([utf16_len(block.text) for block in blocks], room - labels - _GAP_UNITS * len(blocks))
    spans: list[Span] = []
    for block, share in zip(blocks, shares, strict=True):
        size = utf16_len(block.text)
        if size <= share:
            spans += _rendered(block)
            continue
        head = utf16_prefix(block.text, share * 3 // 4)
        tail = utf16_prefix(block.text[::-1], share - share * 3 // 4)[::-1]
        left_out = len(block.text) - len(head) - len(tail)
        start = f"\n{block.label}:\n" if block.label else "\n"
        spans += [
            Span(start),
            Span(head, Style.PRE, block.language),
            Span(f"\n… {left_out:,} characters are left out here …\n", Style.ITALIC),
            Span(tail, Style.PRE, block.language),
        ]
    return spans


def _shares(sizes: list[int], room: int) -> list[int]:
    """How many units each block gets: what it needs if it is small, an equal part of the rest if not."""
    shares = [0] * len(sizes)
    left = max(0, room)
    for done, index in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        shares[index] = min(sizes[index], left // (len(sizes) - done))
        left -= shares[index]
    return shares


def _file_name(request: PermissionRequest) -> str:
    return f"request-{request.request_id}.txt" if is_request_id(request.request_id) else "request.txt"


def _file(request: PermissionRequest, project: str) -> bytes:
    """Everything that was asked, readable, with nothing left out."""
    lines = [f"Tool: {visible(request.tool_name, lines=False)}"]
    if project:
        lines.append(f"Project: {visible(project, lines=False)}")
    lines.append(f"Description: {visible(request.description)}")
    for block in _blocks(request):
        lines += ["", f"{block.label or 'Input'}:", block.text]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _blocks(request: PermissionRequest) -> list[_Block]:
    """The input in pieces, the most telling first; every field of it is in one of them."""
    fields = _fields(request.input_preview)
    if fields is None:
        return [_Block(visible(request.input_preview))] if request.input_preview.strip() else []
    layout = _LAYOUTS.get(request.tool_name)
    laid_out = layout(fields) if layout else _path_first(fields)
    blocks, used = laid_out or _path_first(fields)
    rest = {name: value for name, value in fields.items() if name not in used}
    if rest.get("description") == request.description:
        del rest["description"]  # it is on the card already
    return [*blocks, *([_Block(_json(rest), "Also" if blocks else "", "json")] if rest else [])]


def _fields(preview: str) -> Fields | None:
    """The fields of a JSON object; None when it is anything else, cut short, or says one thing twice."""
    try:
        value = json.loads(preview, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value else None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key occurs twice")
    return fields


def _json(value: object) -> str:
    """Indented JSON: a line end inside a value stays inside its quotes, so no value can fake another field."""
    return visible(json.dumps(value, indent=2, ensure_ascii=False))


_Layout = Callable[[Fields], tuple[list[_Block], frozenset[str]] | None]
"""Fields → blocks and the fields they show; None when the fields are not what this tool has."""


def _texts(fields: Fields, *names: str) -> list[str] | None:
    values = [fields.get(name) for name in names]
    texts = [value for value in values if isinstance(value, str)]
    return texts if len(texts) == len(names) else None


def _pieces(*pieces: tuple[str, str, str]) -> _Layout:
    """A layout of whole fields: name, label and language of each, where the tool has all of them as text."""
    names = tuple(name for name, _, _ in pieces)

    def layout(fields: Fields) -> tuple[list[_Block], frozenset[str]] | None:
        texts = _texts(fields, *names)
        if not texts:
            return None
        blocks = [_whole(text, label, language) for text, (_, label, language) in zip(texts, pieces, strict=True)]
        return blocks, frozenset(names)

    return layout


def _whole(text: str, label: str, language: str = "") -> _Block:
    """A field as it is; what should be one line (a path, an address) cannot leave it."""
    return _Block(visible(text, lines=label not in _ONE_LINE), label, language)


_ONE_LINE = ("File", "Path", "Address")


def _edit(fields: Fields) -> tuple[list[_Block], frozenset[str]] | None:
    texts = _texts(fields, "file_path", "old_string", "new_string")
    if not texts:
        return None
    path, old, new = texts
    return [_whole(path, "File"), _Block(_change(old, new), "Change", "diff")], frozenset(
        {"file_path", "old_string", "new_string"}
    )


def _multi_edit(fields: Fields) -> tuple[list[_Block], frozenset[str]] | None:
    texts, edits = _texts(fields, "file_path"), fields.get("edits")
    if not texts or not isinstance(edits, list) or not edits:
        return None
    parts: list[str] = []
    for number, edit in enumerate(edits, 1):
        change = _texts(edit, "old_string", "new_string") if isinstance(edit, dict) else None
        if not change or not isinstance(edit, dict) or set(edit) - {"old_string", "new_string", "replace_all"}:
            return None
        every = ", every occurrence" if edit.get("replace_all") else ""
        parts.append(f"@@ {number} of {len(edits)}{every} @@\n{_change(*change)}")
    return [_whole(texts[0], "File"), _Block("\n".join(parts), "Changes", "diff")], frozenset({"file_path", "edits"})


def _path_first(fields: Fields) -> tuple[list[_Block], frozenset[str]]:
    """Any other tool: the file or address it is about, then everything else as JSON."""
    for name, label in (("file_path", "File"), ("notebook_path", "File"), ("path", "Path"), ("url", "Address")):
        if texts := _texts(fields, name):
            return [_whole(texts[0], label)], frozenset({name})
    return [], frozenset()


_LAYOUTS: Mapping[str, _Layout] = {
    "Bash": _pieces(("command", "", "bash")),
    "PowerShell": _pieces(("command", "", "powershell")),
    "Write": _pieces(("file_path", "File", ""), ("content", "Content", "")),
    "Edit": _edit,
    "MultiEdit": _multi_edit,
    "NotebookEdit": _pieces(("notebook_path", "File", ""), ("new_source", "Content", "")),
    "WebFetch": _pieces(("url", "Address", "")),
    "WebSearch": _pieces(("query", "Search for", "")),
    "Task": _pieces(("prompt", "Task", "")),
    "Agent": _pieces(("prompt", "Task", "")),
}
_CONTEXT_LINES = 3


def _change(old: str, new: str) -> str:
    """Old and new text as a diff: `-` and `+` lines, between a few lines that both share.

    Every line starts with a letter of ours, so none can pass for another.
    """
    before, after = visible(old).split("\n"), visible(new).split("\n")
    shortest = min(len(before), len(after))
    head = next((at for at in range(shortest) if before[at] != after[at]), shortest)
    most_tail = shortest - head
    tail = next((at for at in range(most_tail) if before[-1 - at] != after[-1 - at]), most_tail)
    skipped_head, skipped_tail = max(0, head - _CONTEXT_LINES), max(0, tail - _CONTEXT_LINES)
    end = len(before) - tail
    return "\n".join(
        [
            *_skipped(skipped_head),
            *(f" {line}" for line in before[skipped_head:head]),
            *(f"-{line}" for line in before[head:end]),
            *(f"+{line}" for line in after[head : len(after) - tail]),
            *(f" {line}" for line in before[end : len(before) - skipped_tail]),
            *_skipped(skipped_tail),
        ]
    )


def _skipped(lines: int) -> list[str]:
    return [f"@@ {lines} unchanged lines @@"] if lines else []
