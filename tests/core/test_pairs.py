"""A hook's call belongs to a request only when everything that can be compared is the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.hooks import ToolCall
from telegram_channel.core.pairs import belongs, new_request_id, request_of
from telegram_channel.core.permission import PermissionRequest, is_request_id


def asked(preview: str, tool: str = "Bash") -> PermissionRequest:
    return PermissionRequest("abcde", tool, "", preview)


def elided(text: str, head: int, tail: int) -> str:
    """As the client shortens a text."""
    return f"{text[:head]}⋯ {len(text) - head - tail} code points elided ⋯{text[len(text) - tail :]}"


LONG = "".join(chr(ord("a") + number % 26) for number in range(5000))
GAP = "⋯ 3 code points elided ⋯"


@pytest.mark.parametrize(
    ("preview", "real"),
    [
        ('{"command": "ls"}', '{"command":"ls"}'),
        ('{"a": 1, "b": [true, null, {"c": "x"}]}', '{"b":[true,null,{"c":"x"}],"a":1}'),
        (json.dumps({"command": elided(LONG, 1700, 1700)}, ensure_ascii=False), json.dumps({"command": LONG})),
        (json.dumps({"edits": [{"old_string": elided(LONG, 9, 5)}]}), json.dumps({"edits": [{"old_string": LONG}]})),
        (json.dumps({"a": GAP + elided(LONG, 9, 5)}), json.dumps({"a": "xyz" + elided(LONG, 9, 5)})),
        (elided(json.dumps({"a": LONG}), 100, 100), json.dumps({"a": LONG})),
        (elided(f'{{"a":"{LONG}","ä":1}}', 100, 100), json.dumps({"a": LONG, "ä": 1})),
        ("", "{}"),
        ("no JSON", "no JSON"),
        ('"text"', '"text"'),
    ],
)
def test_a_call_with_the_same_input_belongs_to_the_request(preview: str, real: str) -> None:
    assert belongs(asked(preview), ToolCall("Bash", real))
    assert not belongs(asked(preview), ToolCall("Bash2", real))


@pytest.mark.parametrize(
    ("preview", "real"),
    [
        ('{"command": "ls"}', '{"command": "ls "}'),
        ('{"command": "ls"}', '{"command": "ls", "timeout": 5}'),
        ('{"command": "ls", "timeout": 5}', '{"command": "ls"}'),
        ('{"a": true}', '{"a": 1}'),
        ('{"a": 1}', '{"a": 1.0}'),
        ('{"a": "1"}', '{"a": 1}'),
        ('{"a": null}', "{}"),
        ('{"a": [1, 2]}', '{"a": [2, 1]}'),
        ('{"a": [1]}', '{"a": [1, 1]}'),
        ('{"a": 1e999}', '{"a": 1e998}'),
        ('{"a": NaN}', '{"a": 0}'),
        ('{"a": 1, "a": 2}', '{"a": 2}'),
        ('{"a": 2}', '{"a": 1, "a": 2}'),
        ('{"a": "ab⋯ 2 code points elided ⋯ef"}', '{"a": "abcef"}'),
        ('{"a": "ab⋯ 0 code points elided ⋯ef"}', '{"a": "abef"}'),
        ('{"a": "ab⋯ 2 code points elided ⋯ef"}', '{"a": "Xbcdef"}'),
        ('{"a": "ab⋯ 2 code points elided ⋯ef"}', '{"a": "abcdeX"}'),
        ('{"a⋯ 1 code points elided ⋯": 1}', '{"ab": 1}'),
        ('{"command": "ls', '{"command": "ls"}'),
        ("", '{"a": 1}'),
        ("x", "y"),
        ("[" * 100_000, "[" * 100_001),
        ('{"a": 1}', "[" * 100_000),
    ],
)
def test_whatever_differs_or_cannot_be_compared_does_not_belong(preview: str, real: str) -> None:
    """MUST V19: a hook's call enriches only the request whose tool and input it certainly is."""
    assert not belongs(asked(preview), ToolCall("Bash", real))


FIELDS = st.dictionaries(st.text(max_size=5), st.text(max_size=80) | st.integers() | st.booleans(), max_size=4)


@st.composite
def shortened(draw: st.DrawFn) -> tuple[dict[str, Any], str, int, int]:
    """An input, the name of one field of it, and how many of its code points stay at either end."""
    fields: dict[str, Any] = {**draw(FIELDS), "command": draw(st.text(min_size=3, max_size=200))}
    size = len(fields["command"])
    head = draw(st.integers(1, size - 2))
    return fields, "command", head, draw(st.integers(1, size - 1 - head))


@given(shortened())
def test_a_field_without_its_middle_still_belongs(case: tuple[dict[str, Any], str, int, int]) -> None:
    fields, name, head, tail = case
    preview = {**fields, name: elided(fields[name], head, tail)}
    assert belongs(asked(json.dumps(preview)), ToolCall("Bash", json.dumps(fields)))


@given(shortened(), st.data())
def test_one_other_letter_at_either_end_does_not_belong(
    case: tuple[dict[str, Any], str, int, int], data: st.DataObject
) -> None:
    fields, name, head, tail = case
    text: str = fields[name]
    preview = {**fields, name: elided(text, head, tail)}
    at = data.draw(st.integers(0, head - 1) | st.integers(len(text) - tail, len(text) - 1))
    letter = "y" if text[at] == "x" else "x"
    other = {**fields, name: text[:at] + letter + text[at + 1 :]}
    assert not belongs(asked(json.dumps(preview)), ToolCall("Bash", json.dumps(other)))
    longer = {**fields, name: text[:head] + "z" + text[head:]}
    assert not belongs(asked(json.dumps(preview)), ToolCall("Bash", json.dumps(longer)))


@given(st.text(), st.text())
def test_no_text_breaks_the_comparison(preview: str, real: str) -> None:
    assert belongs(asked(preview), ToolCall("Bash", real)) in (True, False)
    assert belongs(asked(preview), ToolCall("Bash", preview)) or not preview


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ('{"command": "ls", "description": "Look"}', "Look"),
        ('{"command": "ls", "description": 5}', ""),
        ('{"command": "ls"}', ""),
        ("no JSON", ""),
    ],
)
def test_a_call_makes_a_request_that_it_belongs_to(text: str, description: str) -> None:
    call = ToolCall("Bash", text)
    request = request_of(call, "abcde")
    assert request == PermissionRequest("abcde", "Bash", description, text)
    assert belongs(request, call)


@given(st.binary(min_size=4, max_size=16))
def test_an_id_of_ours_can_be_typed_like_one_of_the_clients(entropy: bytes) -> None:
    assert is_request_id(new_request_id(entropy))


def test_ids_differ_as_their_bytes_do_and_use_every_letter() -> None:
    ids = {new_request_id(number.to_bytes(4, "big")) for number in range(25**2)}
    assert len(ids) == 25**2
    assert set("".join(ids)) == set("abcdefghijkmnopqrstuvwxyz")


def test_too_few_random_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="random bytes"):
        new_request_id(b"abc")
