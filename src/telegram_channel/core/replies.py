"""How an answer that needs several messages is laid out: at most four, else a preview and the whole as a file."""

from telegram_channel.core.text import Body, Markdown, Plain

MOST_PARTS = 4
"""An answer of more text messages than this becomes the first of them and a file with the whole answer."""

ANSWER_FILE = "answer.md"
"""The name under which the whole answer is attached."""

WHOLE_ANSWER_ATTACHED = "… the whole answer is in the attached file."
"""The last line of the preview."""


def source_of(body: Body) -> str:
    """The text of a body as its author wrote it: what the attached file holds."""
    match body:
        case Markdown(source):
            return source
        case Plain(text):
            return text
        case _:
            return body.plain()


def must_be_attached(parts: int) -> bool:
    """Whether an answer of so many text messages is sent as a preview and a file."""
    return parts > MOST_PARTS
