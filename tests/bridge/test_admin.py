"""The operator's verbs: one step each, audited, and a remedy for whatever cannot be done."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest

from telegram_channel.bridge import admin, admin_groups
from telegram_channel.bridge.listing import audit_listing, listing
from telegram_channel.core.access import AccessState, Policy, Role
from telegram_channel.core.ids import BotId, ChatId, SenderId
from telegram_channel.core.pairing import (
    RULES,
    Paired,
    PairingCode,
    issue_code,
    mark_code_sent,
    redeem_invitation,
    request_pairing,
)
from telegram_channel.core.pairing_code import ENTROPY_BYTES
from telegram_channel.errors import AccessError
from telegram_channel.storage.memory import MemoryStore
from tests.values import NOON, later, place

ANN, BOB, EVE, OWNER = SenderId("1001"), SenderId("1002"), SenderId("1003"), SenderId("1004")
TEAM = ChatId("-100")
CODE = PairingCode.for_pairing(b"\x05" * ENTROPY_BYTES)
WRONG = "CCCC-CCCC"


def entropy() -> Callable[[int], bytes]:
    """Bytes that differ from call to call, and are the same in every run."""
    calls = iter(range(1_000_000))
    return lambda count: hashlib.shake_256(str(next(calls)).encode()).digest(count)


def limit(*names: str) -> frozenset[str]:
    return frozenset(names)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(BotId("7"))


async def ask(store: MemoryStore, sender: SenderId = ANN, code: PairingCode = CODE) -> None:
    """Somebody wrote to the bot and was sent a code."""

    def change(state: AccessState) -> tuple[AccessState, None, tuple[()]]:
        state, _ = request_pairing(state, place(sender, sender), NOON)
        state, _ = issue_code(state, sender, code, "salt", NOON)
        return mark_code_sent(state, sender), None, ()

    await store.access.transact(change)


async def actions(store: MemoryStore) -> list[tuple[str, str, str, str]]:
    return [(row.actor, row.action, row.subject, row.detail) for row in await store.audit.rows()]


async def test_pairing_lets_the_first_person_in_as_owner_and_the_audit_says_so(store: MemoryStore) -> None:
    """MUST A20: every access change is audited in the same step."""
    await ask(store)
    result = await admin.pair(store.access, CODE.shown.lower(), NOON)
    assert (result.person.sender, result.person.role, result.closed_door) == (ANN, Role.OWNER, True)
    state = await store.access.read()
    assert state.policy is Policy.ALLOWLIST
    assert await actions(store) == [
        ("operator", "pair", ANN, "owner"),
        ("bridge", "policy", "allowlist", "there is an owner now"),
    ]


async def test_a_wrong_code_is_refused_counted_and_audited(store: MemoryStore) -> None:
    await ask(store)
    for left in (4, 3, 2, 1):
        with pytest.raises(AccessError) as refusal:
            await admin.pair(store.access, WRONG, NOON)
        assert f"After {left} more" in refusal.value.remedy
    with pytest.raises(AccessError, match="too many wrong codes: none is looked at until 12:10 UTC"):
        await admin.pair(store.access, WRONG, NOON)
    with pytest.raises(AccessError, match="too many"):
        await admin.pair(store.access, CODE.shown, NOON)
    assert [action for _, action, _, _ in await actions(store)] == ["wrong_code"] * 4 + ["lockout"]
    assert (await store.access.read()).senders == {}


@pytest.mark.parametrize("typed", ["", "hello", PairingCode.for_invitation(b"\x05" * ENTROPY_BYTES).letters])
async def test_what_is_no_pairing_code_is_explained_and_not_counted(store: MemoryStore, typed: str) -> None:
    await ask(store)
    with pytest.raises(AccessError, match="not a pairing code") as refusal:
        await admin.pair(store.access, typed, NOON)
    assert f"{RULES.code_length} letters" in refusal.value.remedy
    assert await actions(store) == []


async def test_denying_turns_somebody_away_for_a_while(store: MemoryStore) -> None:
    await ask(store)
    denied = await admin.deny(store.access, CODE.shown, NOON)
    assert denied.until == later(3600)
    assert await actions(store) == [("operator", "deny", ANN, "")]
    with pytest.raises(AccessError, match="No request"):
        await admin.deny(store.access, CODE.shown, NOON)


async def test_an_invitation_made_here_is_taken_in_the_chat(store: MemoryStore) -> None:
    await admin.allow(store.access, BOB, NOON, Role.OWNER)
    made = await admin.invite(store.access, Role.APPROVER, entropy(), NOON)
    assert not made.makes_owner

    def take(state: AccessState) -> tuple[AccessState, object, tuple[()]]:
        return *redeem_invitation(state, place(), made.code.letters, NOON), ()

    result = await store.access.transact(take)
    assert isinstance(result, Paired)
    assert result.person.role is Role.APPROVER
    assert (await actions(store))[-1] == ("operator", "invite", "approver", "")


async def test_an_invitation_into_an_empty_book_says_that_it_makes_the_owner(store: MemoryStore) -> None:
    assert (await admin.invite(store.access, Role.SENDER, entropy(), NOON)).makes_owner


async def test_a_closed_book_gives_no_invitations_and_says_how_to_open_it(store: MemoryStore) -> None:
    await admin.set_policy(store.access, Policy.CLOSED, NOON)
    with pytest.raises(AccessError) as refusal:
        await admin.invite(store.access, Role.SENDER, entropy(), NOON)
    assert "policy allowlist" in refusal.value.remedy
    assert (await store.access.read()).invitations == ()


async def test_invitations_are_limited_and_can_be_taken_back(store: MemoryStore) -> None:
    random = entropy()
    for _ in range(RULES.most_invitations):
        await admin.invite(store.access, Role.SENDER, random, NOON)
    with pytest.raises(AccessError, match="10 invitations are open") as refusal:
        await admin.invite(store.access, Role.SENDER, random, NOON)
    assert "--revoke" in refusal.value.remedy
    assert await admin.revoke_invitations(store.access, NOON) == 10
    assert (await store.access.read()).invitations == ()
    assert await admin.revoke_invitations(store.access, NOON) == 0
    assert (await actions(store))[-1] == ("operator", "invite_revoke", "all", "10")


async def test_allowing_lets_a_sender_in_and_says_that_nobody_owns_the_bot(store: MemoryStore) -> None:
    result = await admin.allow(store.access, ANN, NOON, name="Ann")
    assert (result.person.role, result.was, result.has_owner, result.closed_door) == (Role.SENDER, None, False, False)
    assert (await store.access.read()).policy is Policy.PAIRING


async def test_allowing_the_first_owner_closes_the_door(store: MemoryStore) -> None:
    result = await admin.allow(store.access, ANN, NOON, Role.OWNER)
    assert (result.closed_door, result.has_owner) == (True, True)
    assert (await store.access.read()).policy is Policy.ALLOWLIST


async def test_allowing_somebody_again_changes_only_what_was_asked_for(store: MemoryStore) -> None:
    await admin.allow(store.access, ANN, NOON, Role.OWNER, "Ann")
    again = await admin.allow(store.access, ANN, later(5))
    assert (again.person.role, again.was, again.person.since) == (Role.OWNER, Role.OWNER, NOON)
    assert len(await actions(store)) == 2
    changed = await admin.allow(store.access, ANN, later(5), Role.APPROVER)
    assert (changed.person.role, changed.was, changed.person.name, changed.has_owner) == (
        Role.APPROVER,
        Role.OWNER,
        "Ann",
        False,
    )


async def test_removing_reaches_groups_too_and_may_leave_no_owner(store: MemoryStore) -> None:
    await admin.allow(store.access, ANN, NOON, Role.OWNER)
    await admin_groups.group_add(store.access, TEAM, NOON, senders=[ANN, BOB])
    result = await admin.remove(store.access, ANN, NOON)
    assert (result.groups, result.has_owner, result.people) == ((TEAM,), False, 0)
    assert (await store.access.read()).groups[TEAM].senders == {BOB}
    assert (await admin.remove(store.access, BOB, NOON)).person is None
    assert (await actions(store))[-2:] == [
        ("operator", "remove", ANN, "owner"),
        ("operator", "remove", BOB, "groups"),
    ]


async def test_a_role_is_changed_and_the_same_role_again_is_nothing(store: MemoryStore) -> None:
    await admin.allow(store.access, ANN, NOON)
    result = await admin.set_role(store.access, ANN, Role.OWNER, NOON)
    assert (result.was, result.person.role, result.closed_door) == (Role.SENDER, Role.OWNER, True)
    before = len(await actions(store))
    assert (await admin.set_role(store.access, ANN, Role.OWNER, NOON)).was is Role.OWNER
    assert len(await actions(store)) == before


async def test_a_limit_is_set_replaced_kept_and_lifted_and_the_audit_says_so(store: MemoryStore) -> None:
    first = await admin.allow(store.access, ANN, NOON, Role.APPROVER, only=["shop", " SHOP", "blog"])
    assert (first.person.only, first.was_only) == (limit("shop", "blog"), limit())
    kept = await admin.set_role(store.access, ANN, Role.SENDER, NOON)
    assert (kept.person.only, kept.was_only) == (limit("shop", "blog"), limit("shop", "blog"))
    assert (await admin.allow(store.access, ANN, NOON, name="Ann")).person.only == limit("shop", "blog")
    replaced = await admin.set_role(store.access, ANN, Role.SENDER, NOON, only=["shop/login"])
    assert (replaced.was, replaced.person.only) == (Role.SENDER, limit("shop/login"))
    before = len(await actions(store))
    await admin.set_role(store.access, ANN, Role.SENDER, NOON, only=["shop/login "])
    assert len(await actions(store)) == before
    lifted = await admin.set_role(store.access, ANN, Role.SENDER, NOON, only=[""])
    assert (lifted.person.only, lifted.was_only) == (limit(), limit("shop/login"))
    assert [(action, detail) for _, action, _, detail in await actions(store)] == [
        ("allow", 'approver, only "blog", "shop"'),
        ("role", 'sender, only "blog", "shop"'),
        ("allow", 'sender, only "blog", "shop"'),
        ("role", 'sender, only "shop/login"'),
        ("role", "sender, everywhere"),
    ]


@pytest.mark.parametrize("verb", ["allow", "role"])
async def test_making_a_limited_person_an_owner_lifts_the_limit(store: MemoryStore, verb: str) -> None:
    await admin.allow(store.access, ANN, NOON, only=["shop"])
    result = await (
        admin.allow(store.access, ANN, NOON, Role.OWNER)
        if verb == "allow"
        else admin.set_role(store.access, ANN, Role.OWNER, NOON)
    )
    assert (result.person.only, result.was_only) == (limit(), limit("shop"))
    assert (await store.access.read()).senders[ANN].only == limit()
    assert ("operator", verb, ANN, "owner, everywhere") in await actions(store)


async def test_a_limited_invitation_limits_whoever_takes_it_and_never_makes_an_owner(store: MemoryStore) -> None:
    """MUST A28: whoever takes a limited invitation is limited from the first moment, and is no owner."""
    with pytest.raises(AccessError, match="the first one in is the owner"):
        await admin.invite(store.access, Role.SENDER, entropy(), NOON, only=["shop"])
    await admin.allow(store.access, BOB, NOON, Role.OWNER)
    made = await admin.invite(store.access, Role.APPROVER, entropy(), NOON, only=["shop"])
    assert (made.makes_owner, made.invitation.only) == (False, limit("shop"))
    assert (await actions(store))[-1] == ("operator", "invite", 'approver, only "shop"', "")
    state = await store.access.read()
    # Even in a book that was emptied in some other way.
    for book in (state, replace(state, senders=MappingProxyType({}))):
        _, result = redeem_invitation(book, place(), made.code.letters, NOON)
        assert isinstance(result, Paired)
        assert (result.person.role, result.person.only) == (Role.APPROVER, limit("shop"))


async def test_setting_the_same_policy_again_writes_nothing(store: MemoryStore) -> None:
    first = await admin.set_policy(store.access, Policy.CLOSED, NOON)
    assert (first.was, first.policy) == (Policy.PAIRING, Policy.CLOSED)
    await admin.set_policy(store.access, Policy.CLOSED, NOON)
    assert await actions(store) == [("operator", "policy", "closed", "")]


async def test_a_group_is_opted_in_added_to_and_opted_out(store: MemoryStore) -> None:
    first = await admin_groups.group_add(store.access, TEAM, NOON, title="Team", senders=[BOB], patterns=["claude"])
    assert first.is_new
    assert first.group.mention_only
    more = await admin_groups.group_add(store.access, TEAM, later(9), senders=[EVE], mention_only=False)
    assert not more.is_new
    group = more.group
    assert (group.title, group.since, group.senders, group.patterns, group.mention_only) == (
        "Team",
        NOON,
        frozenset({BOB, EVE}),
        ("claude",),
        False,
    )
    less = await admin_groups.group_remove(store.access, TEAM, NOON, senders=[BOB], patterns=["claude"])
    assert isinstance(less, admin_groups.GroupSet)
    assert (less.group.senders, less.group.patterns) == (frozenset({EVE}), ())
    assert isinstance(await admin_groups.group_remove(store.access, TEAM, NOON), admin_groups.GroupGone)
    assert (await store.access.read()).groups == {}
    assert [action for _, action, _, _ in await actions(store)] == ["group_add", "group_add", "group_rm", "group_rm"]


async def test_adding_to_a_group_what_it_has_writes_nothing(store: MemoryStore) -> None:
    await admin_groups.group_add(store.access, TEAM, NOON, senders=[BOB], patterns=["claude", "claude "])
    await admin_groups.group_add(store.access, TEAM, later(1), senders=[BOB], patterns=["claude"])
    assert len(await actions(store)) == 1


WRONG_USES: dict[str, Callable[[MemoryStore], object]] = {
    "remove a stranger": lambda store: admin.remove(store.access, EVE, NOON),
    "change a stranger's role": lambda store: admin.set_role(store.access, EVE, Role.OWNER, NOON),
    "change the role of a group's sender": lambda store: admin.set_role(store.access, BOB, Role.OWNER, NOON),
    "opt an unknown group out": lambda store: admin_groups.group_remove(store.access, ChatId("-9"), NOON),
    "take a stranger from a group": lambda store: admin_groups.group_remove(store.access, TEAM, NOON, senders=[EVE]),
    "take an unknown word": lambda store: admin_groups.group_remove(store.access, TEAM, NOON, patterns=["x"]),
    "add an empty word": lambda store: admin_groups.group_add(store.access, TEAM, NOON, patterns=[" "]),
    "add too many words": lambda store: admin_groups.group_add(
        store.access, TEAM, NOON, patterns=[f"word{number}" for number in range(21)]
    ),
    "limit a new owner": lambda store: admin.allow(store.access, EVE, NOON, Role.OWNER, only=["shop"]),
    "limit an owner": lambda store: admin.allow(store.access, OWNER, NOON, only=["shop"]),
    "limit somebody by making them owner": lambda store: admin.set_role(
        store.access, OWNER, Role.OWNER, NOON, only=["shop"]
    ),
    "limit whoever is invited as owner": lambda store: admin.invite(
        store.access, Role.OWNER, entropy(), NOON, only=["shop"]
    ),
    "limit to too many": lambda store: admin.allow(
        store.access, EVE, NOON, only=[f"project{number}" for number in range(51)]
    ),
    "limit to something endless": lambda store: admin.allow(store.access, EVE, NOON, only=["x" * 256]),
    "pair with nobody waiting": lambda store: admin.pair(store.access, CODE.shown, NOON),
    "deny with nobody waiting": lambda store: admin.deny(store.access, CODE.shown, NOON),
}


@pytest.mark.parametrize("use", WRONG_USES)
async def test_a_wrong_use_changes_nobody_and_says_what_to_do(store: MemoryStore, use: str) -> None:
    await admin_groups.group_add(store.access, TEAM, NOON, senders=[BOB], patterns=["claude"])
    await admin.allow(store.access, OWNER, NOON, Role.OWNER)
    before = await store.access.read()
    with pytest.raises(AccessError) as refusal:
        await WRONG_USES[use](store)  # type: ignore[misc]  # every use is awaitable; their results differ
    assert refusal.value.remedy
    after = await store.access.read()
    assert (after.senders, after.groups, after.policy) == (before.senders, before.groups, before.policy)


async def test_the_role_of_a_groups_sender_is_explained(store: MemoryStore) -> None:
    await admin_groups.group_add(store.access, TEAM, NOON, senders=[BOB])
    with pytest.raises(AccessError, match="by a group only") as refusal:
        await admin.set_role(store.access, BOB, Role.APPROVER, NOON)
    assert f"access allow {BOB} --role approver" in refusal.value.remedy


async def test_the_listing_is_plain_data_without_a_single_hash_or_code(store: MemoryStore) -> None:
    """MUST A21: no code, hash or salt is ever listed."""
    await ask(store)
    await admin.allow(store.access, BOB, NOON, Role.OWNER, "Bob")
    await admin.allow(store.access, EVE, NOON, Role.SENDER, "Eve", only=["shop", "blog"])
    made = await admin.invite(store.access, Role.SENDER, entropy(), NOON, only=["shop"])
    await admin_groups.group_add(store.access, TEAM, NOON, title="Team", senders=[EVE], patterns=["claude"])
    state = await store.access.read()
    data = listing(state, NOON)
    assert data["policy"] == "allowlist"
    assert [(one["id"], one["role"], one["only"]) for one in data["senders"]] == [
        (BOB, "owner", []),
        (EVE, "sender", ["blog", "shop"]),
    ]
    assert [one["only"] for one in data["invitations"]] == [["shop"]]
    assert data["groups"][0] == {
        "id": TEAM,
        "title": "Team",
        "since": "2026-11-20T12:00:00Z",
        "senders": [EVE],
        "mention_only": True,
        "patterns": ["claude"],
    }
    assert [one["id"] for one in data["pending"]] == [ANN]
    assert data["invitations"][0]["expires_at"] == "2026-11-20T13:00:00Z"
    shown = str(data) + str(audit_listing(await store.audit.rows()))
    for secret in (
        CODE.letters,
        CODE.shown,
        made.code.letters,
        *(one.code_hash for one in state.pending),
        *(one.code_hash for one in state.invitations),
        *(one.salt for one in state.invitations),
    ):
        assert secret not in shown


async def test_the_listing_leaves_out_what_expired_and_names_who_is_locked_out(store: MemoryStore) -> None:
    await ask(store)
    await admin.deny(store.access, CODE.shown, NOON)
    await ask(store, BOB)
    await admin.invite(store.access, Role.SENDER, entropy(), NOON)
    data = listing(await store.access.read(), later(1800))
    assert data["pending"] == []
    assert data["locked_out"] == [{"who": ANN, "until": "2026-11-20T13:00:00Z"}]
    assert len(data["invitations"]) == 1
    late = listing(await store.access.read(), later(3600))
    assert (late["invitations"], late["locked_out"]) == ([], [])
