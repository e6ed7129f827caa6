"""The channel contract on the wire."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.claude import wire
from telegram_channel.core.events import ChannelEvent
from telegram_channel.core.permission import Behavior, PermissionRequest

ID_LETTERS = string.ascii_lowercase.replace("l", "")
FIELDS = {
    "request_id": "abcde",
    "tool_name": "Bash",
    "description": "Run shell command",
    "input_preview": '{"command": "ls"}',
}


@given(st.text(), st.dictionaries(st.from_regex(r"[a-z0-9_]+", fullmatch=True), st.text()))
def test_an_event_is_the_same_text_after_its_way_over_the_wire(content: str, meta: dict[str, str]) -> None:
    sent = wire.event_params(ChannelEvent(content, meta))
    assert json.loads(json.dumps(sent, ensure_ascii=False).encode()) == {"content": content, "meta": meta}


@given(st.text(st.characters(categories=["Cs", "L"])))
def test_half_a_character_never_stops_an_event(content: str) -> None:
    """MUST C22: text that has no UTF-8 is repaired, not refused."""
    sent = wire.event_params(ChannelEvent(content, {"user": content}))
    repaired = "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= one <= "\udfff" else one for one in content)
    assert sent == {"content": repaired, "meta": {"user": repaired}}
    assert repaired.encode().decode() == repaired


@given(st.text(st.characters(categories=["Cs", "L", "Po", "So"]) | st.sampled_from("\\u😀")))
def test_half_a_character_in_what_comes_is_repaired_and_nothing_else_is_touched(text: str) -> None:
    """MUST C22: text that has no UTF-8 is repaired, not refused."""
    arrived = json.loads(wire.paired(json.dumps({"text": text}).encode()))["text"]
    # Halves that happen to stand side by side are a whole: that is what JSON's escapes mean.
    assert arrived == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@pytest.mark.parametrize(("behavior", "word"), [(Behavior.ALLOW, "allow"), (Behavior.DENY, "deny")])
def test_a_verdict_names_its_request_and_one_of_two_words(behavior: Behavior, word: str) -> None:
    assert wire.verdict_params("abcde", behavior) == {"request_id": "abcde", "behavior": word}


@given(
    st.text(ID_LETTERS + ID_LETTERS.upper(), min_size=5, max_size=5),
    st.text(),
    st.text(),
    st.text(max_size=9000),
)
def test_the_four_fields_of_a_permission_request_arrive_verbatim(
    request_id: str, tool: str, description: str, preview: str
) -> None:
    """MUST C23: a permission request is taken over verbatim."""
    params = {
        "request_id": request_id,
        "tool_name": tool,
        "description": description,
        "input_preview": preview,
        "of_a_newer_client": [1],
    }
    assert wire.permission_request(params) == PermissionRequest(request_id, tool, description, preview)


@pytest.mark.parametrize("missing", list(FIELDS))
def test_a_permission_request_without_one_of_its_fields_is_malformed(missing: str) -> None:
    with pytest.raises(wire.Malformed, match=missing):
        wire.permission_request({name: value for name, value in FIELDS.items() if name != missing})


@pytest.mark.parametrize("name", list(FIELDS))
@pytest.mark.parametrize("value", [None, 7, ["abcde"], {"a": "b"}, True])
def test_a_permission_request_with_a_field_of_another_type_is_malformed(name: str, value: object) -> None:
    with pytest.raises(wire.Malformed, match=name):
        wire.permission_request({**FIELDS, name: value})


IMPOSSIBLE_IDS = ["", "abcd", "abcdef", "abcle", "ABCLE", "abc e", "abcd\n", "ab1de", "äbcde", "abcde\n"]


@pytest.mark.parametrize("request_id", [*IMPOSSIBLE_IDS, "\N{LATIN SMALL LETTER LONG S}bcde"])
def test_an_id_that_could_never_be_typed_as_an_answer_is_malformed(request_id: str) -> None:
    """MUST C24: a permission request with an impossible id is ignored."""
    with pytest.raises(wire.Malformed, match="request_id") as caught:
        wire.permission_request({**FIELDS, "request_id": request_id})
    assert not request_id.strip() or request_id not in str(caught.value)
