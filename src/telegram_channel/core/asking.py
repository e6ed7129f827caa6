"""Questions with buttons: the labels Claude offers, and how a press is told from any other button's.

A press comes back to the session as an event that carries the label; the data only says which button.
"""

import re

from telegram_channel.core.outgoing import Button, ButtonRows
from telegram_channel.errors import ToolError

MOST_BUTTONS = 100
"""Buttons below one message (source: Bot API refuses more as "reply markup too long")."""
MOST_IN_A_ROW = 8
"""Buttons side by side: Telegram moves what is beyond to the next row."""
LONGEST_LABEL = 64
"""Characters of a label; phones cut off what is longer."""

_DATA = re.compile(r"ask:[0-9]{1,3}:[0-9]{1,3}", re.ASCII)


def is_question_data(data: str) -> bool:
    """Whether a button with this data is one of Claude's own."""
    return _DATA.fullmatch(data) is not None


def question_buttons(labels: object) -> ButtonRows:
    """Buttons from what Claude gave: rows of labels, or a plain list of labels, one below the other.

    Raises:
        ToolError: it has another shape, or would not fit below a message.
    """
    rows = [_labels_of(row) for row in labels] if isinstance(labels, list) else None
    if not rows:
        raise ToolError('buttons must be rows of labels, like [["Yes", "No"], ["Later"]].')
    if sum(len(row) for row in rows) > MOST_BUTTONS:
        raise ToolError(f"buttons may be at most {MOST_BUTTONS} in all: ask a question with fewer answers.")
    return tuple(
        tuple(Button(label, f"ask:{across}:{along}") for along, label in enumerate(row))
        for across, row in enumerate(rows)
    )


def _labels_of(row: object) -> list[str]:
    labels = [row] if isinstance(row, str) else row
    if not isinstance(labels, list) or not labels:
        raise ToolError('Each row of buttons must be a list of labels, like ["Yes", "No"].')
    if len(labels) > MOST_IN_A_ROW:
        raise ToolError(f"A row holds at most {MOST_IN_A_ROW} buttons: spread them over more rows.")
    return [_label(label) for label in labels]


def _label(label: object) -> str:
    if not isinstance(label, str) or not label.strip() or "\n" in label.strip():
        raise ToolError("Each button needs a label: a text of one line.")
    if len(label.strip()) > LONGEST_LABEL:
        raise ToolError(f"The label {label.strip()[:20]!r}… is longer than {LONGEST_LABEL} characters: shorten it.")
    return label.strip()
