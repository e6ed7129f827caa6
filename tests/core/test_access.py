"""Who is admitted, where, and as what; everything fails closed."""

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.core.access import (
    AccessState,
    Admission,
    Admit,
    Challenge,
    Group,
    Invitation,
    PendingPairing,
    Policy,
    Refusal,
    Refuse,
    Role,
    Sender,
    WrongCodes,
    admit,
    approvers,
    approvers_of,
    is_addressed,
    is_in_book,
    may_address,
    may_approve,
    may_approve_for,
    may_reach,
    role_in,
    with_group_moved,
    with_sender,
    with_welcomed,
    without_sender,
)
from telegram_channel.core.ids import ChatId, MessageId, SenderId
from telegram_channel.core.messages import ChatKind, RepliedTo
from tests.values import NOON, later, message, place

ANN, BOB, EVE = SenderId("1001"), SenderId("1002"), SenderId("1003")
TEAM = ChatId("-100")


def person(sender: SenderId, role: Role = Role.SENDER, since_s: float = 0) -> Sender:
    return Sender(sender, role, "Somebody", later(since_s), "pair")


def book(*people: Sender, policy: Policy = Policy.ALLOWLIST, groups: tuple[Group, ...] = ()) -> AccessState:
    return AccessState(
        policy,
        MappingProxyType({one.sender: one for one in people}),
        MappingProxyType({group.chat: group for group in groups}),
    )


def waiting(sender: str, **more: object) -> PendingPairing:
    made = PendingPairing(SenderId(sender), "Stranger", NOON, "hash", "salt", later(600), sent=True)
    return replace(made, **more)  # type: ignore[arg-type]  # the tests name the fields


# Alone with the bot.


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("chat", ["1001", "-100"])
def test_the_empty_book_admits_nobody(policy: Policy, chat: str) -> None:
    """MUST A1: the empty access state admits nobody, whatever the policy and the chat."""
    assert not isinstance(admit(AccessState(policy), place(chat), NOON, addressed=True), Admit)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("policy", Policy)
def test_a_known_person_is_admitted_in_their_role_under_every_policy(role: Role, policy: Policy) -> None:
    assert admit(book(person(ANN, role), policy=policy), place(), NOON, addressed=False) == Admit(role)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy.PAIRING, Challenge(reminder=False)),
        (Policy.ALLOWLIST, Refuse(Refusal.UNKNOWN_SENDER)),
        (Policy.CLOSED, Refuse(Refusal.CLOSED)),
    ],
)
def test_what_an_unknown_person_gets_depends_on_the_policy(policy: Policy, expected: Admission) -> None:
    assert admit(book(person(BOB), policy=policy), place(sender=ANN), NOON, addressed=True) == expected


def test_a_policy_nobody_knows_refuses() -> None:
    state = AccessState(cast(Policy, "open"))
    assert isinstance(admit(state, place(), NOON, addressed=True), Refuse)


@pytest.mark.parametrize("kind", [ChatKind.CHANNEL, cast(ChatKind, "secret")])
def test_a_chat_of_another_kind_is_refused_even_for_the_owner(kind: ChatKind) -> None:
    """MUST A2: unknown kinds of chat admit nobody."""
    state = book(person(ANN, Role.OWNER))
    assert admit(state, place(kind=kind), NOON, addressed=True) == Refuse(Refusal.UNSUITABLE_CHAT)
    assert role_in(state, place(kind=kind)) is None


def test_a_private_chat_that_is_not_its_senders_own_is_refused() -> None:
    strange = place(chat=BOB, sender=ANN, kind=ChatKind.PRIVATE)
    state = book(person(ANN, Role.OWNER), person(BOB))
    assert admit(state, strange, NOON, addressed=True) == Refuse(Refusal.UNSUITABLE_CHAT)
    assert role_in(state, strange) is None


@pytest.mark.parametrize(
    ("mine", "expected"),
    [
        (waiting("1001"), Challenge(reminder=True)),
        (waiting("1001", reminder_owed=True), Refuse(Refusal.REMINDED)),
        (waiting("1001", reminded=True), Refuse(Refusal.REMINDED)),
        (waiting("1001", sent=False), Refuse(Refusal.CODE_ON_ITS_WAY)),
        (waiting("1001", sent=False, code_hash="", expires_at=None), Refuse(Refusal.CODE_ON_ITS_WAY)),
        (waiting("1001", reminded=True, expires_at=NOON), Challenge(reminder=False)),
        (waiting("1001", expires_at=None, asked_at=later(-600)), Challenge(reminder=False)),
    ],
)
def test_somebody_who_waits_is_reminded_once_and_then_not_heard(mine: PendingPairing, expected: Admission) -> None:
    """MUST A3: a stranger gets one code and one reminder, then silence until the code expires."""
    state = replace(AccessState(), pending=(mine,))
    assert admit(state, place(), NOON, addressed=False) == expected


def test_a_fourth_stranger_is_refused_until_one_of_three_codes_expires() -> None:
    """MUST A4: at most three pairing codes are pending at a time."""
    three = tuple(waiting(str(number)) for number in (1, 2, 3))
    state = replace(AccessState(), pending=three)
    assert admit(state, place(), NOON, addressed=False) == Refuse(Refusal.TOO_MANY_PENDING)
    assert admit(state, place(), later(600), addressed=False) == Challenge(reminder=False)


def test_somebody_locked_out_is_not_challenged_until_the_lockout_ends() -> None:
    state = AccessState(wrong_codes=MappingProxyType({ANN: WrongCodes((NOON,), later(60))}))
    assert admit(state, place(), later(59), addressed=False) == Refuse(Refusal.LOCKED_OUT)
    assert admit(state, place(), later(60), addressed=False) == Challenge(reminder=False)


# In groups.

GROUP = Group(TEAM, "Team", NOON, frozenset({BOB}))


def test_a_group_that_was_not_opted_in_is_refused_even_for_the_owner() -> None:
    state = book(person(ANN, Role.OWNER))
    assert admit(state, place(TEAM), NOON, addressed=True) == Refuse(Refusal.UNKNOWN_GROUP)


@pytest.mark.parametrize(
    ("sender", "addressed", "expected"),
    [
        (ANN, True, Admit(Role.OWNER)),
        (ANN, False, Refuse(Refusal.NOT_ADDRESSED)),
        (BOB, True, Admit(Role.SENDER)),
        (BOB, False, Refuse(Refusal.NOT_ADDRESSED)),
        (EVE, True, Refuse(Refusal.UNKNOWN_SENDER)),
        (EVE, False, Refuse(Refusal.UNKNOWN_SENDER)),
    ],
)
def test_a_group_hears_admitted_people_who_address_the_bot(
    sender: SenderId, addressed: bool, expected: Admission
) -> None:
    """MUST A5: in a group only admitted senders are heard, and only when they address the bot."""
    state = book(person(ANN, Role.OWNER), groups=(GROUP,))
    assert admit(state, place(TEAM, sender), NOON, addressed=addressed) == expected


def test_a_group_may_be_set_to_hear_everything_its_people_say() -> None:
    state = book(groups=(replace(GROUP, mention_only=False),))
    assert admit(state, place(TEAM, BOB), NOON, addressed=False) == Admit(Role.SENDER)
    assert admit(state, place(TEAM, EVE), NOON, addressed=True) == Refuse(Refusal.UNKNOWN_SENDER)


def test_a_stranger_in_a_group_is_never_challenged() -> None:
    """MUST A6: nobody is offered pairing in a group."""
    state = book(groups=(replace(GROUP, mention_only=False),), policy=Policy.PAIRING)
    assert isinstance(admit(state, place(TEAM, EVE), NOON, addressed=True), Refuse)
    assert isinstance(admit(state, place("-999", EVE), NOON, addressed=True), Refuse)


def test_a_sender_of_one_group_is_nobody_elsewhere() -> None:
    """MUST A7: a person let in by a group talks in that group only and never approves."""
    other = Group(ChatId("-200"), "Other", NOON, mention_only=False)
    state = book(groups=(GROUP, other))
    assert role_in(state, place(TEAM, BOB)) is Role.SENDER
    assert role_in(state, place("-200", BOB)) is None
    assert role_in(state, place(BOB, BOB)) is None
    assert admit(state, place(BOB, BOB), NOON, addressed=True) == Refuse(Refusal.UNKNOWN_SENDER)
    assert not may_approve(state, BOB)
    assert not may_address(state, ChatId(BOB))


@pytest.mark.parametrize(
    ("text", "patterns", "expected"),
    [
        ("hey claude, look", ("claude",), True),
        ("Claude: look", ("claude",), True),
        ("CLAUDE", ("Claude",), True),
        ("claudette is here", ("claude",), False),
        ("my_claude", ("claude",), False),
        ("ask the bot now", ("the bot",), True),
        ("ask @helper now", ("@helper",), True),
        ("c++? yes", ("c++",), True),
        ("a.b", ("a.b",), True),
        ("axb", ("a.b",), False),
        ("STRASSE", ("straße",), True),
        ("cafe\u0301 time", ("caf\u00e9",), True),
        ("Привет, Клод!", ("клод",), True),
        ("anything", ("",), False),
        ("anything", (" ",), False),
        ("anything", (), False),
        ("", ("claude",), False),
    ],
)
def test_a_pattern_calls_the_bot_as_a_whole_word_in_any_letter_case(
    text: str, patterns: tuple[str, ...], expected: bool
) -> None:
    assert is_addressed(replace(GROUP, patterns=patterns), message(text, chat=TEAM)) is expected


def test_a_mention_or_an_answer_to_the_bot_addresses_it_and_an_answer_to_others_does_not() -> None:
    assert is_addressed(GROUP, message("hm", chat=TEAM, mentions_bot=True))
    assert is_addressed(GROUP, message("hm", chat=TEAM, reply_to=RepliedTo(MessageId("5"), from_bot=True)))
    assert not is_addressed(GROUP, message("hm", chat=TEAM, reply_to=RepliedTo(MessageId("5"))))


@given(text=st.text(max_size=50), pattern=st.text(max_size=8))
def test_no_text_and_no_pattern_breaks_the_comparison(text: str, pattern: str) -> None:
    assert is_addressed(replace(GROUP, patterns=(pattern,)), message(text, chat=TEAM)) in (True, False)


# What the book says about people.


def test_only_owners_and_approvers_approve_owners_first_then_by_seniority() -> None:
    """MUST A8: may talk is not may approve."""
    people = (
        person(SenderId("1"), Role.APPROVER, 5),
        person(SenderId("2"), Role.SENDER, 0),
        person(SenderId("3"), Role.OWNER, 9),
        person(SenderId("4"), Role.APPROVER, 1),
    )
    state = book(*people)
    assert [one.sender for one in approvers(state)] == ["3", "4", "1"]
    assert [may_approve(state, SenderId(number)) for number in "12345"] == [True, False, True, True, False]


SHOP = ("shop 2", "/home/ann/shop", "login")
"""A session, as decisions about it are told of one."""


@pytest.mark.parametrize(
    ("role", "only", "reaches"),
    [
        (Role.SENDER, (), True),
        (Role.SENDER, ("shop",), True),
        (Role.SENDER, ("blog", "shop/login"), True),
        (Role.SENDER, ("blog",), False),
        (Role.APPROVER, ("shop",), True),
        (Role.APPROVER, ("blog",), False),
        (Role.OWNER, ("blog",), True),
    ],
)
def test_a_limited_person_reaches_and_approves_for_the_named_sessions_only(
    role: Role, only: tuple[str, ...], reaches: bool
) -> None:
    """MUST A26: somebody limited to certain sessions reaches, and approves for, no other; an owner is never
    limited.
    """
    state = book(replace(person(ANN, role), only=frozenset(only)))
    assert may_reach(state, ANN, *SHOP) is reaches
    assert may_approve_for(state, ANN, *SHOP) is (reaches and role.may_approve)
    assert [one.sender for one in approvers_of(state, *SHOP)] == ([ANN] if reaches and role.may_approve else [])
    assert may_approve(state, ANN) is role.may_approve


def test_of_an_unknown_session_only_the_unlimited_are_sure() -> None:
    everybody = (person(ANN, Role.OWNER), person(BOB, Role.APPROVER), person(EVE, Role.APPROVER))
    state = book(*(replace(one, only=frozenset({"shop"}) if one.sender == EVE else frozenset()) for one in everybody))
    assert [one.sender for one in approvers_of(state, "", "")] == [ANN, BOB]
    assert [may_reach(state, one, "", "") for one in (ANN, BOB, EVE)] == [True, True, False]


def test_who_is_in_no_book_reaches_nothing_and_who_is_let_in_by_a_group_what_the_group_reaches() -> None:
    """MUST A27: the limit of somebody on the allowlist holds in groups as well; a group's own senders have none."""
    state = book(groups=(GROUP,))
    assert may_reach(state, BOB, *SHOP)
    assert not may_approve_for(state, BOB, *SHOP)
    assert not may_reach(state, EVE, *SHOP)
    assert not may_reach(AccessState(), BOB, *SHOP)
    assert not may_reach(with_sender(state, replace(person(BOB), only=frozenset({"blog"}))), BOB, *SHOP)


def test_an_owner_has_no_limit_in_the_book_either() -> None:
    state = with_sender(AccessState(), replace(person(ANN, Role.OWNER), only=frozenset({"shop"})))
    assert state.senders[ANN].only == frozenset()


def test_claude_may_write_only_where_the_book_lets_somebody_in() -> None:
    """MUST A9: outbound is decided by the same book as inbound."""
    state = replace(book(person(ANN), groups=(GROUP,)), pending=(waiting("1003"),))
    assert may_address(state, ChatId(ANN))
    assert may_address(state, TEAM)
    assert not may_address(state, ChatId(EVE))
    assert not may_address(state, ChatId("-999"))
    assert not may_address(AccessState(), ChatId(ANN))


def test_the_first_owner_closes_the_door_and_a_later_one_leaves_it_as_the_operator_set_it() -> None:
    """MUST A10: once there is an owner the policy becomes allowlist."""
    first = with_sender(AccessState(), person(ANN, Role.OWNER))
    assert first.policy is Policy.ALLOWLIST
    reopened = replace(first, policy=Policy.PAIRING)
    assert with_sender(reopened, person(BOB, Role.OWNER)).policy is Policy.PAIRING
    assert with_sender(AccessState(Policy.CLOSED), person(ANN, Role.OWNER)).policy is Policy.CLOSED
    assert with_sender(AccessState(), person(ANN, Role.SENDER)).policy is Policy.PAIRING


def test_letting_somebody_in_settles_what_was_pending_for_them_alone() -> None:
    state = replace(
        AccessState(),
        pending=(waiting(ANN), waiting(BOB)),
        wrong_codes=MappingProxyType({ANN: WrongCodes((NOON,)), BOB: WrongCodes((NOON,))}),
    )
    after = with_sender(state, person(ANN))
    assert [one.sender for one in after.pending] == [BOB]
    assert set(after.wrong_codes) == {BOB}


def test_putting_somebody_out_forgets_them_everywhere() -> None:
    state = replace(book(person(ANN), person(BOB), groups=(GROUP,)), pending=(waiting(BOB),))
    after = without_sender(state, BOB)
    assert set(after.senders) == {ANN}
    assert after.groups[TEAM].senders == frozenset()
    assert after.pending == ()
    assert role_in(after, place(TEAM, BOB)) is None
    assert is_in_book(state, BOB)
    assert not is_in_book(after, BOB)


def test_nobody_who_was_invited_as_less_becomes_the_first_owner_after_everybody_was_put_out() -> None:
    link = Invitation("hash", "salt", Role.SENDER, NOON, NOON + timedelta(hours=1))
    state = replace(book(person(ANN), person(BOB)), invitations=(link,))
    assert without_sender(state, BOB).invitations == (link,)
    assert without_sender(without_sender(state, BOB), ANN).invitations == ()
    assert without_sender(replace(AccessState(), invitations=(link,)), ANN).invitations == (link,)


def test_a_group_keeps_its_rules_when_it_becomes_a_supergroup() -> None:
    """MUST A11: a group that migrates stays opted in under its new id, and only there."""
    state = book(groups=(GROUP,))
    moved = with_group_moved(state, TEAM, ChatId("-200"))
    assert dict(moved.groups) == {"-200": replace(GROUP, chat=ChatId("-200"))}
    assert with_group_moved(moved, TEAM, ChatId("-200")) is moved
    assert with_group_moved(state, TEAM, TEAM) is state


def test_a_migration_opts_no_new_group_in_and_loosens_no_rule() -> None:
    state = book(groups=(GROUP,))
    assert with_group_moved(state, ChatId("-7"), ChatId("-8")) is state
    strict = Group(ChatId("-200"), "Strict", NOON)
    both = book(groups=(replace(GROUP, mention_only=False), strict))
    assert dict(with_group_moved(both, TEAM, ChatId("-200")).groups) == {"-200": strict}


def test_a_greeting_is_remembered_once() -> None:
    state = book(person(ANN))
    after = with_welcomed(state, ANN)
    assert after.senders[ANN].welcomed
    assert with_welcomed(after, ANN) is after
    assert with_welcomed(after, EVE) is after


def test_the_values_show_no_hash_and_no_salt() -> None:
    shown = repr(waiting(ANN, code_hash="f00d", salt="cafe"))
    assert "f00d" not in shown
    assert "cafe" not in shown


def test_a_code_lives_as_long_as_it_says() -> None:
    one = waiting(ANN)
    assert one.is_live(later(600) - timedelta(microseconds=1))
    assert not one.is_live(later(600))
