"""Markdown in, text and entities out: always, whatever the source, and nothing a reader needs is dropped.

A wrapper around telegramify-markdown, which reads CommonMark well and drops or alters a few things that
matter in talk about code. Those are marked as literal text before it sees them:

* raw HTML (`List<String>`, `<T extends Foo>`), which it deletes;
* `a || b || c`, which it takes for a spoiler;
* `$HOME/$USER`, which it takes for mathematics, unless a LaTeX command is in it;
* bars in the code of a table's cell, which make cells that the table has no column for;
* `[warning]: deprecated`, which CommonMark takes for the definition of a link and shows nowhere.

Link targets that a phone could not open (`src/app.py`, `http://localhost:3000`) are spelled out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pyromark
from telegramify_markdown.config import RenderConfig
from telegramify_markdown.converter import STANDARD_OPTIONS, convert

from telegram_channel.core.text import utf16_len
from telegram_channel.tg.entities import LINK, Entity, utf16_offsets

_MOST_PASSES = 40
"""Marking one thing literal can uncover another; a source that needs more passes is shown as it is."""


class NotMarkdown(Exception):
    """The source cannot be read as Markdown; show it as it is."""


def convert_markdown(source: str) -> tuple[str, list[Entity]]:
    """The text and its entities, which may overlap and are not capped.

    Raises:
        NotMarkdown: the library failed, for whatever reason.
    """
    try:
        text, found = convert(_spell_out_in_tables(_literal(source)), latex_escape=False, config=_CONFIG)
    except (
        Exception
    ) as error:  # the library's failures are not part of its contract, and plain text is always possible
        raise NotMarkdown(type(error).__name__) from None
    entities = [
        Entity(entity.type, entity.offset, entity.length, entity.url, _language(entity.language))
        for entity in found
        if entity.type != "custom_emoji"  # only bots with a paid name may use them
    ]
    return _spell_out(text, entities)


def _config() -> RenderConfig:
    config = RenderConfig.isolated()
    symbols = config.markdown_symbol
    symbols.heading_level_1 = symbols.heading_level_2 = symbols.heading_level_3 = symbols.heading_level_4 = ""
    symbols.unordered_list_item = "•"
    symbols.task_completed, symbols.task_uncompleted = "☑", "☐"
    config.cite_expandable = False
    return config


_CONFIG = _config()
_LANGUAGE = re.compile(r"[\w+#.-]{1,32}")


def _language(info: str | None) -> str | None:
    match = _LANGUAGE.match(info or "")
    return match[0] if match else None


@dataclass(frozen=True, slots=True)
class _Node:
    """One event of the parser: what it is, its data, and which bytes of the source it covers."""

    kind: str
    data: Any
    start: int
    end: int


def _nodes(source: str) -> list[_Node]:
    return [
        _Node(*_named(payload), span["start"], span["end"])
        for payload, span in pyromark.events_with_range(source, options=STANDARD_OPTIONS)
    ]


def _named(payload: Any) -> tuple[str, Any]:
    """The event's name and data; a start tag goes by the name of its element."""
    if isinstance(payload, str):
        return payload, None
    ((name, data),) = payload.items()
    if name == "Start":
        return (data, None) if isinstance(data, str) else next(iter(data.items()))
    return name, data


_Edit = tuple[int, bytes]
"""Bytes to insert before a byte offset of the source."""


def _literal(source: str) -> str:
    """The source with everything that would be dropped or misread marked as literal text."""
    for _ in range(_MOST_PASSES):
        raw, nodes = source.encode("utf-8"), _nodes(source)
        edits = list(_html(raw, nodes)) or list(_definitions(raw, nodes)) or list(_dollars(raw, nodes))
        edits = edits or list(_double_bars(raw, nodes)) or list(_surplus_cells(raw, nodes))
        if not edits:
            return source
        source = _edited(raw, edits)
    raise NotMarkdown("too deeply entangled")


def _edited(raw: bytes, edits: Sequence[_Edit]) -> str:
    parts, at = [], 0
    for offset, inserted in sorted(set(edits)):
        parts += [raw[at:offset], inserted]
        at = offset
    return b"".join([*parts, raw[at:]]).decode("utf-8")


def _html(raw: bytes, nodes: Sequence[_Node]) -> Iterator[_Edit]:
    """A backslash before each raw tag. Of a block only its first: the rest may hold code, seen next time."""
    for node in nodes:
        if node.kind in ("InlineHtml", "HtmlBlock") and (at := raw.find(b"<", node.start, node.end)) >= 0:
            yield at, b"\\"


_DEFINITION = re.compile(rb"^[ \t>*+\-\d.)]*?(\[)([^\]\n]+)\]:\s*<?([^\s>]+)", re.MULTILINE)
_ADDRESS = re.compile(rb"[a-z][a-z0-9+.-]*:|[/#.]", re.IGNORECASE)


def _definitions(raw: bytes, nodes: Sequence[_Node]) -> Iterator[_Edit]:
    """A backslash before each link definition that leads nowhere or that nothing refers to."""
    shown = _ranges(nodes, _LEAVES)
    for match in _DEFINITION.finditer(raw):
        is_shown = any(start <= match.start(1) < end for start, end in shown)
        is_used = raw.lower().count(b"[" + match[2].lower() + b"]") > 1
        if not is_shown and not (is_used and _ADDRESS.match(match[3])):
            yield match.start(1), b"\\"


def _dollars(raw: bytes, nodes: Sequence[_Node]) -> Iterator[_Edit]:
    """Backslashes before the dollar signs of mathematics that holds no LaTeX command."""
    for node in nodes:
        if node.kind in ("InlineMath", "DisplayMath") and not re.search(r"\\[A-Za-z]{2}", str(node.data)):
            width = 1 if node.kind == "InlineMath" else 2
            for offset in (*range(node.start, node.start + width), *range(node.end - width, node.end)):
                if raw[offset : offset + 1] == b"$":
                    yield offset, b"\\"


def _double_bars(raw: bytes, nodes: Sequence[_Node]) -> Iterator[_Edit]:
    """Something between the bars of `||` outside code: a space where bars part cells, else a backslash."""
    if b"||" not in raw:
        return
    code = _ranges(nodes, ("Code", "CodeBlock"))
    spaced = _ranges(nodes, ("Table", "InlineMath", "DisplayMath"))
    for match in re.finditer(rb"\|(?=\|)", raw):
        at = match.start()
        if not any(start <= at < end for start, end in code):
            yield at + 1, b" " if any(start <= at < end for start, end in spaced) else b"\\"


_CODE_WITH_BAR = re.compile(rb"(`+)(?:(?!\1).)*?\|.*?\1")
_BAR = re.compile(rb"(?<!\\)\|")


def _surplus_cells(raw: bytes, nodes: Sequence[_Node]) -> Iterator[_Edit]:
    """Backslashes before bars of a row with too many cells: those in code, else those of the last cells."""
    for row in (node for node in nodes if node.kind == "TableRow"):
        cells_end = max(
            (node.end for node in nodes if node.kind == "TableCell" and row.start <= node.start < row.end),
            default=row.start,
        )
        rest = raw[cells_end : row.end].rstrip()
        if not rest.strip(b"| \t"):
            continue
        in_code = [
            bar for match in _CODE_WITH_BAR.finditer(raw, row.start, row.end) for bar in _bars(raw, *match.span())
        ]
        yield from in_code or _bars(raw, cells_end, cells_end + len(rest) - rest.endswith(b"|"))


def _bars(raw: bytes, start: int, end: int) -> list[_Edit]:
    return [(bar.start(), b"\\") for bar in _BAR.finditer(raw, start, end)]


_LEAVES = ("Text", "Code", "CodeBlock", "InlineMath", "DisplayMath", "Link", "Image", "InlineHtml", "HtmlBlock")


def _ranges(nodes: Sequence[_Node], kinds: Sequence[str]) -> list[tuple[int, int]]:
    return [(node.start, node.end) for node in nodes if node.kind in kinds]


_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def _spell_out_in_tables(source: str) -> str:
    """Addresses behind the links of tables: a table is shown as a block of text, which holds no links."""
    if "|" not in source or "](" not in source:
        return source
    nodes = _nodes(source)
    tables = _ranges(nodes, ("Table",))
    edits: list[_Edit] = []
    for node in nodes:
        if node.kind in ("Link", "Image") and any(start <= node.start < end for start, end in tables):
            url = str(node.data.get("dest_url", ""))
            if url and url.encode("utf-8") not in source.encode("utf-8")[node.start : node.start + len(url) + 1]:
                shown = _PUNCTUATION.sub(r"\\\1", url)
                edits.append((node.end, f" ({shown})".encode()))
    return _edited(source.encode("utf-8"), edits)


def _opens(url: str) -> bool:
    """Whether a phone can open it; Telegram drops other targets without a word."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "tg":
        return True
    return parts.scheme in ("http", "https") and "." in host.strip(".") and not re.search(r"\s", url)


def _spell_out(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Every link that opens nothing becomes its label and the target in brackets."""
    dead = [entity for entity in entities if entity.type == LINK and not _opens(entity.url or "")]
    if not dead:
        return text, entities
    offsets = utf16_offsets(text)
    index = {units: at for at, units in enumerate(offsets)}
    living = [entity for entity in entities if entity not in dead]
    for entity in sorted(dead, key=lambda entity: -entity.end):
        target = (entity.url or "").removeprefix("mailto:")
        label = text[index[entity.offset] : index[entity.end]]
        if target and target != label:
            added = f" ({target})"
            text = text[: index[entity.end]] + added + text[index[entity.end] :]
            living = [_pushed(other, entity.end, utf16_len(added)) for other in living]
    return text, living


def _pushed(entity: Entity, position: int, units: int) -> Entity:
    if entity.offset >= position:
        return replace(entity, offset=entity.offset + units)
    return replace(entity, length=entity.length + units) if entity.end > position else entity
