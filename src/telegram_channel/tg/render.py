"""A body becomes messages: text and entities within Telegram's limits, whatever was written.

Nothing here fails: what cannot be read as Markdown is shown as it is.
"""

from dataclasses import dataclass, replace

from telegram_channel.core.replies import WHOLE_ANSWER_ATTACHED, must_be_attached, source_of
from telegram_channel.core.text import Body, Markdown, Plain, Span, Style, utf16_len
from telegram_channel.tg.entities import Entity, Rendered, most_valuable, trimmed
from telegram_channel.tg.limits import TEXT_UNITS
from telegram_channel.tg.markdown import NotMarkdown, convert_markdown
from telegram_channel.tg.splitting import first_part, split

_ALWAYS_ATTACHED_CHARACTERS = 16 * TEXT_UNITS
"""A longer source is attached without counting its parts: only the preview of it is ever rendered."""

_PREVIEWED_CHARACTERS = 4 * TEXT_UNITS
"""So much of the source gives one full message, even where half of it is link targets."""

_CUT = "\n…"

_ENTITY_OF = {
    Style.BOLD: "bold",
    Style.ITALIC: "italic",
    Style.CODE: "code",
    Style.PRE: "pre",
    Style.QUOTE: "blockquote",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The text messages of one answer, and the whole of it as a file when they show only its beginning."""

    parts: tuple[Rendered, ...]
    document: bytes | None = None


def render(body: Body) -> Rendered:
    """The text and its entities, tidy and without white space around them, however long."""
    match body:
        case Markdown(source):
            return _markdown(cleaned(source))
        case Plain(text):
            return trimmed(cleaned(text), ())
        case _:
            return _styled(body.spans)


def plan(body: Body) -> Plan:
    """The messages for an answer: all its parts, or a preview and the whole as a file."""
    source = source_of(body)
    if len(source) > _ALWAYS_ATTACHED_CHARACTERS:
        return _preview(_beginning(body), source)
    rendered = render(body)
    parts = split(rendered)
    if must_be_attached(len(parts)):
        # Rather a few words less bold than an answer that has to be opened to be read.
        parts = tuple(_without_surplus(part) for part in split(rendered, most_entities=len(rendered.entities)))
    return _preview(rendered, source) if must_be_attached(len(parts)) else Plan(parts)


def in_one_message(body: Body, limit_units: int = TEXT_UNITS) -> Rendered | None:
    """The body as one message, less important entities left out beyond the limit; None when it is too long."""
    rendered = render(body)
    if utf16_len(rendered.text) > limit_units:
        return None
    return _without_surplus(rendered)


def cut_to_one_message(body: Body) -> Rendered:
    """As much of the beginning as fits one message, `…` after what was cut; of a long source no more is read."""
    rendered = _beginning(body)
    if utf16_len(rendered.text) > TEXT_UNITS or len(source_of(body)) > _PREVIEWED_CHARACTERS:
        first = first_part(rendered, TEXT_UNITS - utf16_len(_CUT), len(rendered.entities))
        rendered = replace(first, text=first.text + _CUT)
    return _without_surplus(rendered)


def _without_surplus(rendered: Rendered) -> Rendered:
    return replace(rendered, entities=most_valuable(rendered.entities))


def cleaned(text: str) -> str:
    """The text with `\\n` as its only line end and without halves of surrogate pairs, which nobody can send."""
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _markdown(source: str) -> Rendered:
    try:
        rendered = trimmed(*convert_markdown(source))
    except NotMarkdown:
        return trimmed(source, ())
    return trimmed(source, ()) if rendered.is_blank else rendered


def _styled(spans: tuple[Span, ...]) -> Rendered:
    text, entities, units = "", [], 0
    for span in spans:
        words = cleaned(span.text)
        length = utf16_len(words)
        if kind := _ENTITY_OF.get(span.style):
            entities.append(Entity(kind, units, length, language=span.language or None))
        text += words
        units += length
    return trimmed(text, entities)


def _beginning(body: Body) -> Rendered:
    match body:
        case Markdown(source):
            return render(Markdown(source[:_PREVIEWED_CHARACTERS]))
        case Plain(text):
            return render(Plain(text[:_PREVIEWED_CHARACTERS]))
        case _:
            return render(body)


def _preview(rendered: Rendered, source: str) -> Plan:
    closing = f"\n\n{WHOLE_ANSWER_ATTACHED}"
    first = first_part(rendered, TEXT_UNITS - utf16_len(closing), len(rendered.entities))
    first = _without_surplus(first)
    return Plan((replace(first, text=first.text + closing),), cleaned(source).encode("utf-8"))
