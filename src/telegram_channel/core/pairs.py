"""A request and a hook's call are one only when tool and input agree in everything that can be compared.

The channel's request shows a preview of the input, the hook gives the whole of it, and nothing names both.
A wrong pair would show one input and allow another: whatever is in doubt is no pair.
"""

import json
import math
import re
from collections.abc import Iterator

from telegram_channel.core.hooks import ToolCall
from telegram_channel.core.permission import PermissionRequest

LEFT_OUT = re.compile(r"⋯ (\d{1,9}) code points elided ⋯", re.ASCII)
"""What the client puts in the middle of a long text in place of what it leaves out (source: channel contract)."""

_ID_LETTERS = "abcdefghijkmnopqrstuvwxyz"
_ID_LENGTH = 5
_FEWEST_ENTROPY_BYTES = 4


def belongs(request: PermissionRequest, call: ToolCall) -> bool:
    """Whether the channel's request is about the hook's call; False wherever that is not certain.

    Every field of the preview must be in the input and the other way round, each with the same value. A text
    that the client shortened must begin and end like the real one, and the number of code points it says it
    left out must be true.
    """
    try:
        return request.tool_name == call.tool and _is_preview(request.input_preview, call.input)
    except RecursionError:
        return False


def _is_preview(preview: str, text: str) -> bool:
    """Whether the preview may be one of this input."""
    try:
        real = _read(text)
    except ValueError:
        return preview == text
    try:
        shown = _read(preview)
    except ValueError:
        return _agrees_as_text(preview, text, real)
    return _agrees(shown, real)


def _read(text: str) -> object:
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key occurs twice")
    return fields


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    """A number as the client holds it; numbers beyond its range would all look alike."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is too large")
    return number


def _agrees(shown: object, real: object) -> bool:
    """Whether a value of the preview may stand for this one; texts inside may be shortened."""
    if isinstance(shown, str) and isinstance(real, str):
        return _is_shortening(shown, real)
    if isinstance(shown, dict) and isinstance(real, dict):
        return shown.keys() == real.keys() and all(_agrees(value, real[name]) for name, value in shown.items())
    if isinstance(shown, list) and isinstance(real, list):
        return len(shown) == len(real) and all(map(_agrees, shown, real))
    return type(shown) is type(real) and shown == real


def _agrees_as_text(preview: str, text: str, real: object) -> bool:
    """Whether a preview that is no JSON is the input's JSON text, shortened as a whole, or shows that it is empty."""
    if not preview.strip():
        return real == {}
    return any(_is_shortening(preview, written) for written in (text, *_spellings(real)))


def _spellings(real: object) -> Iterator[str]:
    """The ways in which the client may have written the input, were its text not handed on as it was."""
    yield json.dumps(real, ensure_ascii=False, separators=(",", ":"))
    yield json.dumps(real, ensure_ascii=False, indent=2)


def _is_shortening(shown: str, real: str) -> bool:
    """Whether `shown` is `real`, whole or with one piece of its middle left out and counted."""
    if shown == real:
        return True
    for gap in LEFT_OUT.finditer(shown):
        head, tail, left_out = shown[: gap.start()], shown[gap.end() :], int(gap[1])
        adds_up = left_out > 0 and len(real) == len(head) + left_out + len(tail)
        if adds_up and real.startswith(head) and real.endswith(tail):
            return True
    return False


def request_of(call: ToolCall, request_id: str) -> PermissionRequest:
    """The request that a call is, where the hook alone tells of it: the whole input is its own preview."""
    description = call.fields().get("description")
    return PermissionRequest(request_id, call.tool, description if isinstance(description, str) else "", call.input)


def new_request_id(entropy: bytes) -> str:
    """Five letters a-z without l, as the channel contract makes them, from random bytes.

    Raises:
        ValueError: fewer than four bytes were given, which would favour some ids.
    """
    if len(entropy) < _FEWEST_ENTROPY_BYTES:
        raise ValueError(f"an id needs at least {_FEWEST_ENTROPY_BYTES} random bytes")
    number, letters = int.from_bytes(entropy), []
    for _ in range(_ID_LENGTH):
        number, letter = divmod(number, len(_ID_LETTERS))
        letters.append(_ID_LETTERS[letter])
    return "".join(letters)
