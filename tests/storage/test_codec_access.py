"""A book from before people could be limited to certain sessions is read as it was meant: nobody was."""

import json

import pytest

from telegram_channel.core.access import AccessState, Invitation, Policy, Role, Sender, may_reach
from telegram_channel.core.ids import SenderId
from telegram_channel.storage.codec import ACCESS
from telegram_channel.storage.shapes import CodecError
from tests.values import NOON, later

_TIME = "2026-11-20T12:00:00.000000+00:00"
_SENDER = f'{{"sender":"7","role":"approver","name":"Ann","since":"{_TIME}","by":"invite","welcomed":true}}'
_INVITATION = (
    f'{{"code_hash":"h","salt":"s","role":"sender","made_at":"{_TIME}",'
    '"expires_at":"2026-11-20T13:00:00.000000+00:00"}'
)
OLD = (
    f'{{"v":1,"data":{{"policy":"allowlist","senders":{{"7":{_SENDER}}},"groups":{{}},"pending":[],'
    f'"invitations":[{_INVITATION}],"wrong_codes":{{}}}}}}'
)
ANN = Sender(SenderId("7"), Role.APPROVER, "Ann", NOON, "invite", welcomed=True)


def test_who_was_let_in_before_there_were_limits_has_none() -> None:
    """MUST S33: state written by an older version is read as it was meant, and nothing of it is lost."""
    state = ACCESS.decode(OLD)
    assert state == AccessState(
        Policy.ALLOWLIST, {ANN.sender: ANN}, invitations=(Invitation("h", "s", Role.SENDER, NOON, later(3600)),)
    )
    assert may_reach(state, ANN.sender, "", "")
    assert ACCESS.decode(ACCESS.encode(state)) == state


def test_a_limit_is_stored_in_one_order_and_comes_back() -> None:
    text = ACCESS.encode(ACCESS.decode(OLD)).replace('"only":[]', '"only":["blog","shop"]')
    state = ACCESS.decode(text)
    assert state.senders[ANN.sender].only == state.invitations[0].only == {"blog", "shop"}
    assert ACCESS.encode(state) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"welcomed":true', '"welcomed":true,"only":[]'),
        ('"made_at"', '"only":["shop"],"made_at"'),
        (f'"senders":{{"7":{_SENDER}}}', '"senders":[]'),
        (f'"senders":{{"7":{_SENDER}}}', '"senders":{"7":null}'),
        (f'"senders":{{"7":{_SENDER}}},', ""),
        (f'"invitations":[{_INVITATION}]', '"invitations":{}'),
        (f'"invitations":[{_INVITATION}]', '"invitations":""'),
        (f'"invitations":[{_INVITATION}]', '"invitations":[[]]'),
        (f'"invitations":[{_INVITATION}],', ""),
        ('"v":1', '"v":2'),
    ],
)
def test_an_older_book_is_read_as_strictly_as_the_present_one(before: str, after: str) -> None:
    """MUST S2: a stored value with an unknown, missing or extra field is refused."""
    assert before in OLD
    with pytest.raises(CodecError):
        ACCESS.decode(OLD.replace(before, after))


@pytest.mark.parametrize("wrong", [None, "shop", {"shop": 1}, [1], [None]])
def test_a_limit_that_is_no_limit_makes_the_book_unreadable(wrong: object) -> None:
    """MUST S3: an access book is understood as a whole or not at all."""
    document = json.loads(ACCESS.encode(ACCESS.decode(OLD)))
    document["data"]["senders"]["7"]["only"] = wrong
    with pytest.raises(CodecError):
        ACCESS.decode(json.dumps(document))
