"""What is stored is read back exactly, or not at all."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegram_channel.core.access import AccessState, Policy
from telegram_channel.core.ids import ChatId, MessageId, PromptId, SenderId, SessionId
from telegram_channel.core.inbox import Fetch, FetchState
from telegram_channel.core.permission import (
    Behavior,
    Card,
    Closing,
    How,
    PermissionRequest,
    Prompt,
    Verdict,
)
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.codec import (
    ACCESS,
    AUDIT,
    CHOICE,
    FETCH,
    HEALTH,
    INBOUND,
    ORDER,
    PROMPT,
    QUARANTINED,
    QUESTION,
    REASON,
    SESSION,
    TOPIC,
    WISHES,
    Document,
    DocumentTooNew,
)
from telegram_channel.storage.shapes import CodecError, shape_of
from tests.storage import strategies
from tests.values import NOON, later

EVERYTHING: list[tuple[Document[Any], st.SearchStrategy[Any]]] = [
    (ACCESS, strategies.access_states),
    (AUDIT, strategies.audit_rows),
    (CHOICE, strategies.texts),
    (FETCH, strategies.fetches),
    (HEALTH, strategies.reports),
    (INBOUND, strategies.deliverables),
    (ORDER, strategies.orders),
    (PROMPT, strategies.prompts),
    (QUARANTINED, strategies.quarantined),
    (QUESTION, strategies.questions),
    (REASON, strategies.texts),
    (SESSION, strategies.sessions),
    (TOPIC, strategies.topics),
    (WISHES, strategies.wishes),
]
by_kind = pytest.mark.parametrize(("document", "values"), EVERYTHING, ids=[one.name for one, _ in EVERYTHING])

# The present versions as they are on people's disks. A change of one is a new version with an upgrade, and the text
# as it was goes to OLDER.
GOLDEN = [
    (
        ACCESS,
        '{"v":2,"data":{"policy":"allowlist","senders":{"7":{"sender":"7","role":"owner","name":"Ann",'
        '"since":"2026-11-20T12:00:00.000000+00:00","by":"pair","welcomed":true,"only":["shop","till"]}},"groups":{"-100":{"chat":"-100",'
        '"title":"Crew","since":"2026-11-20T12:00:00.000000+00:00","senders":["8","9"],"mention_only":true,'
        '"patterns":["bot"]}},"pending":[{"sender":"8","name":"Bob","asked_at":"2026-11-20T12:00:00.000000+00:00",'
        '"code_hash":"ab","salt":"cd","expires_at":null,"reminder_owed":false,"reminded":true,"sent":true}],'
        '"invitations":[{"code_hash":"ef","salt":"01","role":"sender","made_at":"2026-11-20T12:00:00.000000+00:00",'
        '"expires_at":"2026-11-20T12:10:00.000000+00:00","only":[]}],"wrong_codes":{"operator":{"times":'
        '["2026-11-20T12:00:00.000000+00:00"],"locked_until":null}}}}',
    ),
    (
        INBOUND,
        '{"v":1,"data":{"message":{"update":1,"place":{"chat":"7","chat_kind":"private","sender":"7",'
        '"sender_name":"Ann","chat_title":"","thread":null,"username":"ann"},"message":"5",'
        '"sent_at":"2026-11-20T12:00:00.000000+00:00","text":"hej","attachment":{"kind":"photo","file":"f",'
        '"unique":"u","name":null,"mime":"image/jpeg","size_bytes":10,"duration_s":null},"album":null,'
        '"reply_to":{"message":"4","text":"before","from_bot":true,"attachment":null},"quote":null,'
        '"forwarded_from":null,"edited":false,"mentions_bot":false,"details":{"latitude":"1"}}}}',
    ),
    (
        INBOUND,
        '{"v":1,"data":{"press":{"update":2,"place":{"chat":"-1","chat_kind":"group","sender":"7",'
        '"sender_name":"Ann","chat_title":"Crew","thread":"3","username":null},"press":"p","data":"d",'
        '"message":"5","label":"Yes"}}}',
    ),
    (
        INBOUND,
        '{"v":1,"data":{"reaction":{"update":3,"place":{"chat":"7","chat_kind":"private","sender":"7",'
        '"sender_name":"Ann","chat_title":"","thread":null,"username":null},"message":"5",'
        '"at":"2026-11-20T12:00:00.000000+00:00","added":["👍"],"removed":[]}}}',
    ),
    (FETCH, '{"v":1,"data":{"state":"wanted","file":"f","path":"","cause":"","slow":false}}'),
    (
        PROMPT,
        '{"v":2,"data":{"prompt":"p1","session":"s1","request":{"request_id":"abcde","tool_name":"Bash",'
        '"description":"Run","input_preview":"{}"},"asked_at":"2026-11-20T12:00:00.000000+00:00",'
        '"cards":[{"chat":"7","message":"9"}],"verdict":{"behavior":"allow","by":"7","by_name":"Ann","how":"command",'
        '"at":"2026-11-20T12:00:05.000000+00:00","always":0,"reason":"no"},"closing":null,"told_session":true,'
        '"cards_closed":false,"details":{"tool_input":"{}","suggestions":[{"words":"Always","raw":"{}"}],'
        '"agent":"a"}}}',
    ),
    (
        ORDER,
        '{"v":1,"data":{"kind":"stop","session":"s1","by":"7","by_name":"Ann",'
        '"at":"2026-11-20T12:00:00.000000+00:00","chat":"7","message":"9","thread":null,"answered":false}}',
    ),
    (WISHES, '{"v":1,"data":{"progress":true,"stream":false}}'),
    (
        SESSION,
        '{"v":2,"data":{"session":"s1","pid":7,"started_at":"2026-11-20T12:00:00.000000+00:00",'
        '"last_seen_at":"2026-11-20T12:00:05.000000+00:00","name":"shop","is_channel":false,"receives":true,'
        '"project":"/home/ann/shop","branch":"main"}}',
    ),
    (CHOICE, '{"v":1,"data":"s1"}'),
    (
        TOPIC,
        '{"v":1,"data":{"chat":"-100","thread":"3","project":"/home/ann/shop","session":null,"name":"shop",'
        '"is_open":false}}',
    ),
    (
        QUESTION,
        '{"v":1,"data":{"chat":"-100","thread":null,"message":"9","asked_at":"2026-11-20T12:00:00.000000+00:00"}}',
    ),
]

_PROMPT_1 = (
    '{{"v":1,"data":{{"prompt":"p1","session":"s1","request":{{"request_id":"abcde","tool_name":"Bash",'
    '"description":"Run","input_preview":"{{}}"}},"asked_at":"2026-11-20T12:00:00.000000+00:00",'
    '"cards":[{{"chat":"7","message":"9"}}],"verdict":{verdict},"closing":{closing},"told_session":true,'
    '"cards_closed":false}}}}'
)
_VERDICT_1 = '{"behavior":"allow","by":"7","by_name":"Ann","how":"text","at":"2026-11-20T12:00:05.000000+00:00"}'
_ASKED = Prompt(
    PromptId("p1"),
    SessionId("s1"),
    PermissionRequest("abcde", "Bash", "Run", "{}"),
    NOON,
    (Card(ChatId("7"), MessageId("9")),),
    told_session=True,
)
_ALLOWED = replace(_ASKED, verdict=Verdict(Behavior.ALLOW, SenderId("7"), "Ann", How.TEXT, later(5)))

_SESSION_1 = (
    '{{"v":1,"data":{{"session":"s1","pid":7,"started_at":"2026-11-20T12:00:00.000000+00:00",'
    '"last_seen_at":"2026-11-20T12:00:05.000000+00:00","name":"shop","is_channel":{is_channel}}}}}'
)
_REGISTERED = SessionRecord(SessionId("s1"), 7, NOON, later(5), "shop", is_channel=True, receives=True)

_ACCESS_1 = (
    '{"v":1,"data":{"policy":"allowlist","senders":{"7":{"sender":"7","role":"owner","name":"Ann",'
    '"since":"2026-11-20T12:00:00.000000+00:00","by":"pair","welcomed":true}},"groups":{"-100":{"chat":"-100",'
    '"title":"Crew","since":"2026-11-20T12:00:00.000000+00:00","senders":["8","9"],"mention_only":true,'
    '"patterns":["bot"]}},"pending":[{"sender":"8","name":"Bob","asked_at":"2026-11-20T12:00:00.000000+00:00",'
    '"code_hash":"ab","salt":"cd","expires_at":null,"reminder_owed":false,"reminded":true,"sent":true}],'
    '"invitations":[{"code_hash":"ef","salt":"01","role":"sender","made_at":"2026-11-20T12:00:00.000000+00:00",'
    '"expires_at":"2026-11-20T12:10:00.000000+00:00"}],"wrong_codes":{"operator":{"times":'
    '["2026-11-20T12:00:00.000000+00:00"],"locked_until":null}}}}'
)
_BOOK = ACCESS.decode(GOLDEN[0][1])
_UNLIMITED = {SenderId("7"): replace(_BOOK.senders[SenderId("7")], only=frozenset())}

# Texts that older releases wrote, and what they mean today. Only ever append.
OLDER: list[tuple[Document[Any], str, Any]] = [
    (ACCESS, _ACCESS_1, replace(_BOOK, senders=_UNLIMITED)),
    (PROMPT, _PROMPT_1.format(verdict="null", closing="null"), _ASKED),
    (PROMPT, _PROMPT_1.format(verdict="null", closing='"elsewhere"'), replace(_ASKED, closing=Closing.ELSEWHERE)),
    (PROMPT, _PROMPT_1.format(verdict=_VERDICT_1, closing="null"), _ALLOWED),
    (SESSION, _SESSION_1.format(is_channel="true"), _REGISTERED),
    (SESSION, _SESSION_1.format(is_channel="false"), replace(_REGISTERED, is_channel=False, receives=False)),
]


def objects(value: Any, kind: type) -> Iterator[Any]:
    """Every object or list in a JSON value, from the outside in."""
    if isinstance(value, kind):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from objects(one, kind)


@by_kind
def test_every_value_comes_back_equal(document: Document[Any], values: st.SearchStrategy[Any]) -> None:
    @given(values)
    @settings(max_examples=60, deadline=None)
    def check(value: Any) -> None:
        text = document.encode(value)
        text.encode("utf-8")
        again = document.decode(text)
        assert again == value
        assert document.encode(again) == text

    check()


@by_kind
def test_a_document_with_anything_added_or_missing_is_refused(
    document: Document[Any], values: st.SearchStrategy[Any]
) -> None:
    """MUST S2: a stored value with an unknown, missing or extra field is refused."""

    @given(values, st.data())
    @settings(max_examples=60, deadline=None)
    def check(value: Any, data: st.DataObject) -> None:
        parsed = json.loads(document.encode(value))
        damaged = data.draw(st.sampled_from(list(objects(parsed, dict))))
        fixed = {
            "chat",
            "sender",
            "place",
            "v",
            "policy",
            "state",
            "at",
            "update",
            "prompt",
            "request",
            "kind",
            "role",
        }
        if fixed & damaged.keys() and data.draw(st.booleans()):
            del damaged[data.draw(st.sampled_from(sorted(fixed & damaged.keys())))]
        else:
            damaged["\x00unknown"] = {"\x00": 0}
        with pytest.raises(CodecError):
            document.decode(json.dumps(parsed))

    check()


@pytest.mark.parametrize(("document", "text"), GOLDEN)
def test_the_present_version_stays_as_it_is(document: Document[Any], text: str) -> None:
    assert document.encode(document.decode(text)) == text


@pytest.mark.parametrize(("document", "text", "value"), OLDER)
def test_an_older_version_is_read_as_it_was_meant(document: Document[Any], text: str, value: Any) -> None:
    """MUST S33: state written by an older version is read as it was meant, and nothing of it is lost."""
    assert document.decode(text) == value
    assert document.decode(document.encode(value)) == value


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"cards_closed":false', '"cards_closed":false,"details":null'),
        ('"how":"text"', '"how":"text","always":null'),
        ('"how":"text"', '"how":"text","reason":"","always":null'),
        ('"how":"text"', '"how":"text","more":1'),
        ('"how":"text",', ""),
        ('"closing":null,', ""),
        ('"verdict":' + _VERDICT_1 + ",", ""),
        (_VERDICT_1, "[]"),
        (_VERDICT_1, '"allow"'),
        ('"v":1', '"v":2'),
    ],
)
def test_an_older_version_is_read_as_strictly_as_the_present_one(before: str, after: str) -> None:
    """MUST S2: a stored value with an unknown, missing or extra field is refused."""
    old = _PROMPT_1.format(verdict=_VERDICT_1, closing="null")
    assert before in old
    with pytest.raises(CodecError):
        PROMPT.decode(old.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"is_channel":true', '"is_channel":true,"receives":true'),
        ('"is_channel":true', '"is_channel":true,"receives":true,"project":"","branch":""'),
        ('"is_channel":true', '"is_channel":1'),
        ('"is_channel":true', '"is_channel":true,"more":1'),
        (',"is_channel":true', ""),
        ('"name":"shop",', ""),
        ('"v":1', '"v":2'),
    ],
)
def test_an_older_process_is_read_as_strictly_as_a_present_one(before: str, after: str) -> None:
    """MUST S2: a stored value with an unknown, missing or extra field is refused."""
    old = _SESSION_1.format(is_channel="true")
    assert before in old
    with pytest.raises(CodecError):
        SESSION.decode(old.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"welcomed":true', '"welcomed":true,"only":[]'),
        (
            '"expires_at":"2026-11-20T12:10:00.000000+00:00"',
            '"expires_at":"2026-11-20T12:10:00.000000+00:00","only":[]',
        ),
        ('"by":"pair",', ""),
        ('"v":1', '"v":2'),
    ],
)
def test_an_older_book_is_read_as_strictly_as_the_present_one(before: str, after: str) -> None:
    """MUST S3: an access book is understood as a whole or not at all."""
    assert before in _ACCESS_1
    with pytest.raises(CodecError):
        ACCESS.decode(_ACCESS_1.replace(before, after))


@pytest.mark.parametrize("document", [ACCESS, PROMPT, SESSION], ids=["access", "prompt", "session"])
@pytest.mark.parametrize("data", ["null", "[]", "7", '""', "{}", '{"verdict":null}', '{"is_channel":true}'])
def test_what_was_no_older_version_either_is_refused(document: Document[Any], data: str) -> None:
    with pytest.raises(CodecError):
        document.decode(f'{{"v":1,"data":{data}}}')


@pytest.mark.parametrize(
    "text",
    [
        None,
        b"{}",
        17,
        "",
        "nonsense",
        "null",
        "[]",
        "{}",
        '{"v":1}',
        '{"data":{}}',
        '{"v":1,"data":{},"more":0}',
        '{"v":"1","data":{}}',
        '{"v":true,"data":{}}',
        '{"v":1,"data":[]}',
        '{"v":1,"data":{"policy":"open"}}',
        '{"v":0,"data":{}}',
        "[" * 100_000,
        '{"v":1,"data":NaN}',
        '{"v":' + "9" * 5000 + "}",
    ],
    ids=repr,
)
def test_what_is_no_document_is_refused(text: object) -> None:
    with pytest.raises(CodecError):
        ACCESS.decode(text)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("policy",), "open"),
        (("policy",), "PAIRING"),
        (("policy",), None),
        (("policy",), ["pairing"]),
        (("senders", "7", "role"), "admin"),
        (("senders", "7", "sender"), "8"),
        (("senders", "7", "welcomed"), 1),
        (("senders", "7", "only"), None),
        (("senders", "7", "only"), "shop"),
        (("senders", "7", "only"), [7]),
        (("senders", "7", "since"), "yesterday"),
        (("senders", "7", "since"), "2026-11-20T12:00:00"),
        (("senders", "7", "since"), 1763640000),
        (("groups", "-100", "chat"), "-101"),
        (("groups", "-100", "senders"), "8"),
        (("groups", "-100", "senders"), [8]),
        (("groups", "-100", "patterns"), {}),
        (("senders",), []),
        (("pending",), None),
    ],
)
def test_a_book_with_one_wrong_value_is_no_book(path: tuple[str, ...], wrong: object) -> None:
    """MUST S3: an access book is understood as a whole or not at all."""
    document = json.loads(GOLDEN[0][1])
    holder = document["data"]
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = wrong
    with pytest.raises(CodecError) as caught:
        ACCESS.decode(json.dumps(document))
    assert caught.value.where[:2] == ("access", path[0])


def test_an_error_names_the_place_and_never_the_value() -> None:
    """MUST S4: an error about stored state never repeats what somebody wrote."""
    document = json.loads(GOLDEN[1][1])
    document["data"]["message"]["place"]["sender_name"] = ["my secret words"]
    with pytest.raises(CodecError) as caught:
        INBOUND.decode(json.dumps(document))
    assert str(caught.value) == "inbound.message.place.sender_name: must be str"
    document["data"]["message"]["place"] = {"my secret words": 1}
    with pytest.raises(CodecError) as caught:
        INBOUND.decode(json.dumps(document))
    assert "secret" not in str(caught.value)


def test_a_newer_document_is_told_apart_from_a_broken_one() -> None:
    with pytest.raises(DocumentTooNew):
        ACCESS.decode(f'{{"v":{ACCESS.version + 1},"data":{{"anything":1}}}}')


@pytest.mark.parametrize(
    "value",
    [
        AccessState(senders={SenderId("7"): ACCESS.decode(GOLDEN[0][1]).senders[SenderId("7")], SenderId("8"): None}),  # type: ignore[dict-item]  # the point of the test
        AccessState(senders={SenderId("8"): ACCESS.decode(GOLDEN[0][1]).senders[SenderId("7")]}),
        AccessState(policy="pairing"),  # type: ignore[arg-type]  # the point of the test
        AccessState(pending=[]),  # type: ignore[arg-type]  # the point of the test
        "no state at all",
    ],
)
def test_what_could_not_be_read_again_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError, match="access cannot be stored"):
        ACCESS.encode(value)


def test_a_time_without_an_offset_is_not_written() -> None:
    book = ACCESS.decode(GOLDEN[0][1])
    naive = replace(book.senders[SenderId("7")], since=datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match=r"senders\.7\.since: must be an aware datetime"):
        ACCESS.encode(replace(book, senders={SenderId("7"): naive}))


def test_every_time_is_kept_in_utc() -> None:
    shape = shape_of(datetime)
    there = datetime(2026, 11, 20, 13, 30, tzinfo=timezone(timedelta(hours=1, minutes=30)))
    assert shape.encode(there) == "2026-11-20T12:00:00.000000+00:00"
    assert shape.decode("2026-11-20T13:30:00+01:30").tzinfo is UTC


@given(strategies.times, strategies.times)
def test_stored_times_sort_as_the_times_do(one: datetime, other: datetime) -> None:
    shape = shape_of(datetime)
    assert (shape.encode(one) < shape.encode(other)) == (one < other)


def test_an_old_document_takes_every_step_up_to_the_present_one() -> None:
    def rename(data: dict[str, Any]) -> dict[str, Any]:
        return {"state": data["status"], **{name: data[name] for name in ("file", "path", "cause")}}

    def add(data: dict[str, Any]) -> dict[str, Any]:
        return data | {"slow": False}

    document: Document[Fetch] = Document("fetch", shape_of(Fetch), version=3, upgrades={1: rename, 2: add})
    oldest = '{"v":1,"data":{"status":"done","file":null,"path":"x","cause":""}}'
    assert document.decode(oldest) == Fetch(FetchState.DONE, None, "x")
    assert document.decode(document.encode(Fetch())) == Fetch()
    for broken in ('{"v":1,"data":{}}', '{"v":1,"data":null}', '{"v":0,"data":{}}', '{"v":2,"data":{}}'):
        with pytest.raises(CodecError):
            document.decode(broken)


@dataclass(frozen=True)
class WithAny:
    anything: Any


@pytest.mark.parametrize("hint", [float, list[int], dict, Any, WithAny, tuple[int, int], int | str, Callable])
def test_a_type_without_a_strict_form_is_refused_when_the_program_is_loaded(hint: Any) -> None:
    with pytest.raises(TypeError):
        shape_of(hint)


def test_values_that_refuse_to_be_built_are_refused_as_stored_values() -> None:
    @dataclass(frozen=True)
    class Even:
        number: int

        def __post_init__(self) -> None:
            if self.number % 2:
                raise ValueError("odd")

    shape = shape_of(Even)
    assert shape.decode({"number": 2}) == Even(2)
    with pytest.raises(CodecError, match="no valid Even"):
        shape.decode({"number": 3})


def test_the_empty_book_asks_for_pairing_and_holds_nobody() -> None:
    assert ACCESS.decode(ACCESS.encode(AccessState())) == AccessState(policy=Policy.PAIRING)
