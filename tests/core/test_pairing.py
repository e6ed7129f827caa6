"""One-time codes: nobody gets in without a right one, and no code works twice, late, or by guessing."""

import re
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from telegram_channel.core.access import (
    AccessState,
    Policy,
    Refusal,
    Role,
    Sender,
    locked_until,
    with_sender,
    without_sender,
)
from telegram_channel.core.audit import OPERATOR
from telegram_channel.core.ids import SenderId
from telegram_channel.core.messages import ChatKind
from telegram_channel.core.pairing import (
    RULES,
    AlreadyIn,
    CodeIssued,
    CodeOwed,
    Denied,
    Invited,
    LockedOut,
    NoCode,
    NotAsked,
    NotPending,
    NotTaken,
    Paired,
    PairingCode,
    PairingRules,
    ReminderOwed,
    TooManyInvitations,
    WrongCode,
    codes_owed,
    deny_code,
    issue_code,
    make_invitation,
    mark_code_sent,
    mark_reminded,
    prune,
    redeem_code,
    redeem_invitation,
    reminders_owed,
    request_pairing,
    withdraw,
    without_invitations,
)
from telegram_channel.core.pairing_code import ENTROPY_BYTES
from telegram_channel.storage.codec import ACCESS
from tests.values import NOON, later, place

QUICK = PairingRules(code_rounds=1)
"""The real rules without the stretching, which takes time and decides nothing."""
WRONG = "CCCC-CCCC"
ANN, BOB = SenderId("1001"), SenderId("1002")


def entropy(number: int) -> bytes:
    return (number * 0x9E3779B97F4A7C15_9E3779B97F4A7C15).to_bytes(64, "big")[-ENTROPY_BYTES:]


def short(number: int) -> PairingCode:
    return PairingCode.for_pairing(entropy(number))


def long(number: int) -> PairingCode:
    return PairingCode.for_invitation(entropy(number))


def asked(sender: str = "1001", number: int = 1, state: AccessState | None = None) -> tuple[AccessState, PairingCode]:
    """Somebody asked and was sent code `number`."""
    state, _ = request_pairing(state or AccessState(), place(sender, sender), NOON, QUICK)
    state, issued = issue_code(state, SenderId(sender), short(number), "salt", NOON, QUICK)
    assert isinstance(issued, CodeIssued)
    return mark_code_sent(state, SenderId(sender)), short(number)


def invited(state: AccessState | None = None, role: Role = Role.SENDER, number: int = 7) -> AccessState:
    state, made = make_invitation(state or AccessState(), long(number), "salt", role, NOON, QUICK)
    assert isinstance(made, Invited)
    return state


# The code itself.


@given(st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES))
def test_a_code_is_read_back_however_it_is_typed(random: bytes) -> None:
    code = PairingCode.for_pairing(random)
    for typed in (code.shown, code.letters, code.shown.lower(), f" {code.shown} ", " ".join(code.letters)):
        again = PairingCode.typed(typed, RULES.code_length)
        assert again is not None
        assert again.letters == code.letters


@given(st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES))
def test_an_invitation_fits_telegrams_start_parameter(random: bytes) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", PairingCode.for_invitation(random).letters)


def test_the_alphabet_has_no_look_alikes_and_the_codes_enough_bits() -> None:
    for alike in ("0OQ", "1IL", "2Z", "5S", "8B", "UV"):
        assert len(set(RULES.alphabet) & set(alike)) <= 1, alike
    assert len(set(RULES.alphabet)) == len(RULES.alphabet)
    assert len(RULES.alphabet) ** RULES.code_length > 2**35
    assert len(RULES.alphabet) ** RULES.invitation_length > 2**80


def test_the_letters_of_codes_are_evenly_spread() -> None:
    counts = Counter("".join(short(number).letters for number in range(5_000)))
    assert set(counts) == set(RULES.alphabet)
    expected = 5_000 * RULES.code_length / len(RULES.alphabet)
    assert all(0.8 * expected < count < 1.2 * expected for count in counts.values())


def test_a_code_needs_its_randomness() -> None:
    with pytest.raises(ValueError, match="random bytes"):
        PairingCode.for_pairing(b"short")


@pytest.mark.parametrize(
    "typed", ["", "----", "hello", "ABCD-EFG0", "CDFG-346", "CDFG-34677", "C" * 10_000, "\u0661" * 8]
)
def test_what_is_no_code_is_known_to_be_none(typed: str) -> None:
    assert PairingCode.typed(typed, RULES.code_length) is None


def test_a_code_shows_itself_nowhere() -> None:
    """MUST A12: a pairing code is never in a repr, a string or a stored value."""
    code = short(1)
    state, _ = asked()
    for shown in (repr(code), str(code), f"{code}", f"{[code]!r}", repr(state), str(state.pending)):
        assert code.letters not in shown
        assert code.shown not in shown
    assert code.letters not in (state.pending[0].code_hash, state.pending[0].salt)


def test_the_same_code_is_stored_differently_under_another_salt() -> None:
    assert short(1).digest("a", 1) != short(1).digest("b", 1)
    assert short(1).digest("a", 1) != short(1).digest("a", 2)


# Asking.


def test_a_stranger_who_writes_is_owed_a_code_then_one_reminder_then_nothing() -> None:
    state, first = request_pairing(AccessState(), place(), NOON, QUICK)
    assert isinstance(first, CodeOwed)
    assert [one.sender for one in codes_owed(state, NOON)] == [ANN]
    assert request_pairing(state, place(), NOON, QUICK) == (state, NotAsked(Refusal.CODE_ON_ITS_WAY))

    state, _ = issue_code(state, ANN, short(1), "salt", NOON, QUICK)
    state = mark_code_sent(state, ANN)
    assert codes_owed(state, NOON) == ()
    state, second = request_pairing(state, place(), NOON, QUICK)
    assert isinstance(second, ReminderOwed)
    assert [one.sender for one in reminders_owed(state, NOON)] == [ANN]
    assert request_pairing(state, place(), NOON, QUICK) == (state, NotAsked(Refusal.REMINDED))

    state = mark_reminded(state, ANN)
    assert reminders_owed(state, NOON) == ()
    again, third = request_pairing(state, place(), NOON, QUICK)
    assert again is state
    assert third == NotAsked(Refusal.REMINDED)


def test_a_code_that_was_stored_and_not_sent_is_made_anew_and_the_old_one_is_void() -> None:
    """MUST A13: a crash between storing a code and sending it costs nothing but another code."""
    state, _ = request_pairing(AccessState(), place(), NOON, QUICK)
    state, _ = issue_code(state, ANN, short(1), "salt", NOON, QUICK)
    assert [one.sender for one in codes_owed(state, NOON)] == [ANN]
    state, _ = issue_code(state, ANN, short(2), "salt", NOON, QUICK)
    assert isinstance(redeem_code(state, short(1).shown, NOON, QUICK)[1], WrongCode)
    assert isinstance(redeem_code(state, short(2).shown, NOON, QUICK)[1], Paired)


def test_a_new_code_has_to_be_sent_again() -> None:
    state, _ = asked()
    state, _ = issue_code(state, ANN, short(2), "salt", NOON, QUICK)
    assert [one.sender for one in codes_owed(state, NOON)] == [ANN]


def test_an_admitted_person_and_a_person_in_a_group_ask_for_nothing() -> None:
    known = with_sender(AccessState(), Sender(ANN, Role.SENDER, "Ann", NOON, "pair"))
    assert request_pairing(known, place(), NOON) == (known, NotAsked(None))
    state = AccessState()
    assert request_pairing(state, place("-5"), NOON) == (state, NotAsked(Refusal.UNKNOWN_GROUP))


def test_a_long_name_of_a_stranger_is_cut_before_it_is_stored() -> None:
    state, _ = request_pairing(AccessState(), place(name="x" * 5_000), NOON)
    assert len(state.pending[0].name) == RULES.longest_name


def test_a_code_for_nobody_is_not_issued() -> None:
    assert issue_code(AccessState(), ANN, short(1), "salt", NOON, QUICK)[1] == NotPending()
    state, _ = request_pairing(AccessState(), place(), NOON, QUICK)
    assert issue_code(state, ANN, short(1), "salt", later(600), QUICK)[1] == NotPending()


def test_a_request_that_no_code_can_reach_is_forgotten_and_may_come_again() -> None:
    state, _ = request_pairing(AccessState(), place(), NOON, QUICK)
    gone = withdraw(state, ANN)
    assert gone.pending == ()
    assert withdraw(gone, ANN) is gone
    assert isinstance(request_pairing(gone, place(), NOON, QUICK)[1], CodeOwed)


# Redeeming.


def test_the_first_paired_is_owner_and_closes_the_door_and_later_ones_are_senders() -> None:
    """MUST A14: the first paired is owner and the policy becomes allowlist; later ones are senders."""
    state, code = asked()
    state, bobs = asked(BOB, 2, state)
    state, first = redeem_code(state, code.shown, NOON, QUICK)
    assert isinstance(first, Paired)
    assert (first.person.role, first.person.by, first.closed_door) == (Role.OWNER, "pair", True)
    assert state.policy is Policy.ALLOWLIST
    state, second = redeem_code(state, bobs.shown, NOON, QUICK)
    assert isinstance(second, Paired)
    assert (second.person.role, second.closed_door) == (Role.SENDER, False)


def test_a_code_works_once() -> None:
    """MUST A15: a used code never works again."""
    state, code = asked()
    state, _ = redeem_code(state, code.shown, NOON, QUICK)
    assert isinstance(redeem_code(state, code.shown, NOON, QUICK)[1], WrongCode)


def test_a_code_works_to_the_last_moment_of_its_ten_minutes_and_not_after() -> None:
    """MUST A16: an expired code never works."""
    state, code = asked()
    assert isinstance(redeem_code(state, code.shown, later(599.9), QUICK)[1], Paired)
    assert isinstance(redeem_code(state, code.shown, later(600), QUICK)[1], WrongCode)


def test_what_cannot_be_a_code_is_not_counted() -> None:
    state, _ = asked()
    assert redeem_code(state, "hello", NOON, QUICK) == (state, NoCode())
    assert redeem_code(state, long(7).letters, NOON, QUICK) == (state, NoCode())


def test_five_wrong_codes_lock_the_operator_out_and_the_right_one_waits_with_them() -> None:
    """MUST A17: repeated wrong codes lock out, for longer each time; a right one ends the count."""
    state, code = asked()
    left = []
    for _ in range(4):
        state, result = redeem_code(state, WRONG, NOON, QUICK)
        assert isinstance(result, WrongCode)
        left.append(result.left)
    assert left == [4, 3, 2, 1]
    state, result = redeem_code(state, WRONG, NOON, QUICK)
    assert result == LockedOut(later(600))
    assert redeem_code(state, code.shown, later(1), QUICK) == (state, LockedOut(later(600)))
    assert deny_code(state, code.shown, later(1), QUICK) == (state, LockedOut(later(600)))


def test_each_lockout_is_twice_as_long_as_the_one_before_up_to_a_day() -> None:
    lengths = [RULES.lockout_after(wrong) for wrong in range(1, 60)]
    assert [one for one in lengths if one][:4] == [timedelta(minutes=minutes) for minutes in (10, 20, 40, 80)]
    assert max(lengths) == timedelta(hours=24)
    assert RULES.lockout_after(10_000_000) == timedelta(hours=24)


def test_a_right_code_ends_the_count_of_wrong_ones() -> None:
    state, code = asked()
    for _ in range(4):
        state, _ = redeem_code(state, WRONG, NOON, QUICK)
    state, _ = redeem_code(state, code.shown, NOON, QUICK)
    assert OPERATOR not in state.wrong_codes
    assert redeem_code(state, WRONG, NOON, QUICK)[1] == WrongCode(4)


def test_two_people_with_the_same_code_are_both_refused() -> None:
    state, code = asked(ANN, 1)
    state, _ = asked(BOB, 1, state)
    assert isinstance(redeem_code(state, code.shown, NOON, QUICK)[1], WrongCode)


def test_somebody_denied_is_gone_and_cannot_ask_again_for_an_hour() -> None:
    state, code = asked()
    state, denied = deny_code(state, code.shown, NOON, QUICK)
    assert isinstance(denied, Denied)
    assert (denied.pending.sender, denied.until) == (ANN, later(3600))
    assert isinstance(redeem_code(state, code.shown, NOON, QUICK)[1], WrongCode)
    assert request_pairing(state, place(), later(3599), QUICK)[1] == NotAsked(Refusal.LOCKED_OUT)
    assert isinstance(request_pairing(state, place(), later(3600), QUICK)[1], CodeOwed)


def test_the_real_rules_pair_too() -> None:
    state, _ = request_pairing(AccessState(), place(), NOON)
    state, _ = issue_code(state, ANN, short(1), "salt", NOON)
    assert isinstance(redeem_code(state, short(1).shown, NOON)[1], Paired)


# Invitations.


def test_an_invitation_lets_one_person_in_with_its_role_and_is_used_up() -> None:
    """MUST A18: an invitation works once, in a private chat, within its hour."""
    owner = with_sender(AccessState(), Sender(BOB, Role.OWNER, "Bob", NOON, "pair"))
    state = invited(owner, Role.APPROVER)
    state, result = redeem_invitation(state, place(), long(7).letters, later(3599), QUICK)
    assert isinstance(result, Paired)
    assert (result.person.sender, result.person.role, result.person.by) == (ANN, Role.APPROVER, "invite")
    assert state.invitations == ()
    assert isinstance(redeem_invitation(state, place("9", "9"), long(7).letters, NOON, QUICK)[1], WrongCode)


def test_the_first_one_in_by_invitation_is_owner_whatever_it_says_and_closes_the_door() -> None:
    state = invited(AccessState(), Role.SENDER)
    state, result = redeem_invitation(state, place(), long(7).letters, NOON, QUICK)
    assert isinstance(result, Paired)
    assert (result.person.role, result.closed_door, state.policy) == (Role.OWNER, True, Policy.ALLOWLIST)


def test_a_long_name_is_cut_on_this_road_too() -> None:
    _, result = redeem_invitation(invited(), place(name="x" * 5_000), long(7).letters, NOON, QUICK)
    assert isinstance(result, Paired)
    assert len(result.person.name) == RULES.longest_name


def test_an_invitation_works_under_allowlist_and_not_under_closed() -> None:
    state = invited()
    assert isinstance(
        redeem_invitation(replace(state, policy=Policy.ALLOWLIST), place(), long(7).letters, NOON, QUICK)[1], Paired
    )
    closed = replace(state, policy=Policy.CLOSED)
    assert redeem_invitation(closed, place(), long(7).letters, NOON, QUICK) == (closed, NotTaken(Refusal.CLOSED))


def test_an_expired_invitation_never_works() -> None:
    state = invited()
    assert isinstance(redeem_invitation(state, place(), long(7).letters, later(3600), QUICK)[1], WrongCode)


def test_an_invitation_typed_in_a_group_is_neither_taken_nor_counted() -> None:
    state = invited()
    for elsewhere in (place("-5", "1001"), place(kind=ChatKind.CHANNEL)):
        assert redeem_invitation(state, elsewhere, long(7).letters, NOON, QUICK) == (
            state,
            NotTaken(Refusal.UNSUITABLE_CHAT),
        )


def test_somebody_who_is_in_does_not_use_up_an_invitation() -> None:
    owner = Sender(ANN, Role.OWNER, "Ann", NOON, "pair")
    state = invited(with_sender(AccessState(), owner))
    assert redeem_invitation(state, place(), long(7).letters, NOON, QUICK) == (state, AlreadyIn(owner))


def test_a_payload_that_is_no_invitation_is_not_counted() -> None:
    state = invited()
    assert redeem_invitation(state, place(), "help", NOON, QUICK) == (state, NoCode())


def test_wrong_invitations_lock_their_sender_out_and_nobody_else() -> None:
    """MUST A19: a guesser is locked out silently, and only the guesser."""
    state = invited()
    for _ in range(5):
        state, result = redeem_invitation(state, place(), long(8).letters, NOON, QUICK)
    assert isinstance(result, LockedOut)
    assert redeem_invitation(state, place(), long(7).letters, NOON, QUICK) == (state, result)
    assert request_pairing(state, place(), NOON, QUICK) == (state, NotAsked(Refusal.LOCKED_OUT))
    assert locked_until(state, OPERATOR, NOON) is None
    assert isinstance(redeem_invitation(state, place("9", "9"), long(7).letters, NOON, QUICK)[1], Paired)


def test_only_so_many_invitations_are_open_and_all_can_be_taken_back() -> None:
    state = AccessState()
    for number in range(RULES.most_invitations):
        state = invited(state, number=number + 20)
    refused, result = make_invitation(state, long(7), "salt", Role.SENDER, NOON, QUICK)
    assert refused is state
    assert result == TooManyInvitations(RULES.most_invitations)
    assert without_invitations(state).invitations == ()
    later_on, made = make_invitation(state, long(7), "salt", Role.SENDER, later(3600), QUICK)
    assert isinstance(made, Invited)
    assert len(later_on.invitations) == 1


def test_a_short_code_cannot_become_an_invitation() -> None:
    with pytest.raises(ValueError, match="made for invitations"):
        make_invitation(AccessState(), short(1), "salt", Role.SENDER, NOON, QUICK)


# Forgetting.


def test_a_book_with_nothing_stale_is_left_as_it_is() -> None:
    state, _ = asked()
    assert prune(state, NOON, QUICK) is state
    assert prune(state, later(600), QUICK).pending == ()


def test_wrong_codes_are_forgotten_a_day_after_the_lockout() -> None:
    state = AccessState()
    for _ in range(5):
        state, _ = redeem_code(state, WRONG, NOON, QUICK)
    assert prune(state, NOON + timedelta(minutes=10, hours=23), QUICK) is state
    assert prune(state, NOON + timedelta(minutes=10, hours=24), QUICK).wrong_codes == {}


def test_guessers_are_remembered_up_to_a_limit_and_the_operator_always() -> None:
    state, _ = redeem_code(AccessState(), WRONG, NOON, QUICK)
    few = replace(QUICK, most_remembered_guessers=3)
    for number in range(6):
        where = place(str(number + 1), str(number + 1))
        state, _ = redeem_invitation(state, where, long(8).letters, NOON, few)
    assert list(state.wrong_codes) == [OPERATOR, "4", "5", "6"]


def test_a_book_of_a_thousand_people_pairs_the_next() -> None:
    people = {
        SenderId(str(n)): Sender(SenderId(str(n)), Role.SENDER, "P", NOON, "allow") for n in range(10_000, 11_000)
    }
    state = AccessState(senders=MappingProxyType(people))
    state, code = asked(state=state)
    state, result = redeem_code(state, code.shown, NOON, QUICK)
    assert isinstance(result, Paired)
    assert len(state.senders) == 1_001


# Everything at once.


class Pairing(RuleBasedStateMachine):
    """Strangers, operator and clock in any order, against a model that knows every code in clear."""

    def __init__(self) -> None:
        super().__init__()
        self.state = AccessState()
        self.now = NOON
        self.made = 0
        self.codes: dict[str, tuple[SenderId, datetime]] = {}
        """Short codes that should work: whose, until when."""
        self.invitations: dict[str, tuple[Role, datetime]] = {}
        self.spent: list[str] = []
        """Letters of codes that must never work (again)."""
        self.people: dict[SenderId, Role] = {}
        self.policy = Policy.PAIRING
        self.seen: list[object] = []

    senders = st.sampled_from([SenderId(str(number)) for number in range(1, 7)])

    def _next(self) -> int:
        self.made += 1
        return self.made

    def _spend(self, sender: SenderId) -> None:
        """Codes of somebody who is in or out now are worth nothing."""
        gone = [letters for letters, (whose, _) in self.codes.items() if whose == sender]
        for letters in gone:
            self.spent.append(letters)
            del self.codes[letters]

    def _let_in(self, sender: SenderId, role: Role) -> None:
        first_owner = role is Role.OWNER and Role.OWNER not in self.people.values()
        self.people[sender] = role
        if first_owner and self.policy is Policy.PAIRING:
            self.policy = Policy.ALLOWLIST
        self._spend(sender)

    @rule(seconds=st.sampled_from([1, 200, 599, 600, 3600, 100_000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(sender=senders)
    def somebody_writes(self, sender: SenderId) -> None:
        live_before = [one.sender for one in self.state.pending if one.is_live(self.now)]
        self.state, result = request_pairing(self.state, place(sender, sender), self.now, QUICK)
        self.seen.append(result)
        if isinstance(result, CodeOwed):
            assert self.policy is Policy.PAIRING
            assert sender not in self.people
            assert sender not in live_before
            assert len(live_before) < 3
            self._spend(sender)
        if isinstance(result, ReminderOwed):
            assert sender in live_before

    @precondition(lambda self: bool(codes_owed(self.state, self.now)))
    @rule(crash=st.booleans())
    def housekeeping_pays_a_code(self, crash: bool) -> None:
        pending = codes_owed(self.state, self.now)[0]
        code = short(self._next())
        self._spend(pending.sender)
        self.state, issued = issue_code(self.state, pending.sender, code, f"salt{self.made}", self.now, QUICK)
        assert isinstance(issued, CodeIssued)
        self.codes[code.letters] = (pending.sender, self.now + QUICK.code_lifetime)
        if not crash:
            self.state = mark_code_sent(self.state, pending.sender)

    @precondition(lambda self: bool(reminders_owed(self.state, self.now)))
    @rule()
    def housekeeping_pays_a_reminder(self) -> None:
        self.state = mark_reminded(self.state, reminders_owed(self.state, self.now)[0].sender)

    @precondition(lambda self: self.codes)
    @rule(data=st.data(), deny=st.booleans())
    def the_operator_types_a_code_that_was_made(self, data: st.DataObject, deny: bool) -> None:
        letters = data.draw(st.sampled_from(sorted(self.codes)))
        sender, until = self.codes[letters]
        locked = locked_until(self.state, OPERATOR, self.now)
        works = self.now < until and not locked
        if deny:
            self.state, denial = deny_code(self.state, letters.lower(), self.now, QUICK)
            self.seen.append(denial)
            assert isinstance(denial, Denied) is works
            if works:
                self._spend(sender)
            return
        first = not self.people
        self.state, result = redeem_code(self.state, letters, self.now, QUICK)
        self.seen.append(result)
        assert isinstance(result, Paired) is works
        if isinstance(result, Paired):
            assert result.person.sender == sender
            assert (result.person.role is Role.OWNER) is first
            self._let_in(sender, result.person.role)

    @precondition(lambda self: self.spent)
    @rule(data=st.data(), sender=senders)
    def somebody_tries_a_code_that_is_spent(self, data: st.DataObject, sender: SenderId) -> None:
        letters = data.draw(st.sampled_from(self.spent))
        self.state, result = redeem_code(self.state, letters, self.now, QUICK)
        assert isinstance(result, WrongCode | LockedOut | NoCode)
        where = place(sender, sender)
        self.state, acceptance = redeem_invitation(self.state, where, letters, self.now, QUICK)
        assert not isinstance(acceptance, Paired)
        self.seen.extend([result, acceptance])

    @rule(role=st.sampled_from(Role))
    def the_operator_invites(self, role: Role) -> None:
        code = long(self._next())
        self.state, result = make_invitation(self.state, code, f"salt{self.made}", role, self.now, QUICK)
        self.seen.append(result)
        if isinstance(result, Invited):
            self.invitations[code.letters] = (role, self.now + QUICK.invitation_lifetime)

    @precondition(lambda self: self.invitations)
    @rule(data=st.data(), sender=senders)
    def somebody_opens_an_invitation(self, data: st.DataObject, sender: SenderId) -> None:
        letters = data.draw(st.sampled_from(sorted(self.invitations)))
        role, until = self.invitations[letters]
        locked = locked_until(self.state, sender, self.now)
        works = self.now < until and sender not in self.people and self.policy is not Policy.CLOSED and not locked
        first = not self.people
        where = place(sender, sender)
        self.state, result = redeem_invitation(self.state, where, letters, self.now, QUICK)
        self.seen.append(result)
        assert isinstance(result, Paired) is works
        if isinstance(result, Paired):
            assert result.person.role is (Role.OWNER if first else role)
            self._let_in(sender, result.person.role)
            del self.invitations[letters]
            self.spent.append(letters)

    @rule(sender=senders, guess=st.integers(10**6, 10**9))
    def somebody_guesses_an_invitation(self, sender: SenderId, guess: int) -> None:
        where = place(sender, sender)
        self.state, result = redeem_invitation(self.state, where, long(guess).letters, self.now, QUICK)
        assert not isinstance(result, Paired)

    @rule(guess=st.integers(10**6, 10**9))
    def the_operator_mistypes(self, guess: int) -> None:
        self.state, result = redeem_code(self.state, short(guess).shown, self.now, QUICK)
        assert isinstance(result, WrongCode | LockedOut)

    @rule(sender=senders, role=st.sampled_from(Role))
    def the_operator_allows(self, sender: SenderId, role: Role) -> None:
        self.state = with_sender(self.state, Sender(sender, role, "Named", self.now, "allow"))
        self._let_in(sender, role)

    @rule(sender=senders)
    def the_operator_removes(self, sender: SenderId) -> None:
        self.state = without_sender(self.state, sender)
        if self.people.pop(sender, None) and not self.people:
            self.spent += self.invitations
            self.invitations.clear()
        self._spend(sender)

    @rule(policy=st.sampled_from(Policy))
    def the_operator_sets_the_policy(self, policy: Policy) -> None:
        self.state = replace(self.state, policy=policy)
        self.policy = policy

    @invariant()
    def never_more_than_three_wait(self) -> None:
        live = [one for one in self.state.pending if one.is_live(self.now)]
        assert len(live) <= 3
        assert len({one.sender for one in live}) == len(live)

    @invariant()
    def exactly_those_are_in_who_came_in_rightly(self) -> None:
        assert {key: one.role for key, one in self.state.senders.items()} == self.people
        assert self.state.policy is self.policy

    @invariant()
    def the_book_is_the_same_after_it_was_stored_and_read(self) -> None:
        assert ACCESS.decode(ACCESS.encode(self.state)) == self.state

    @invariant()
    def no_code_is_in_any_repr(self) -> None:
        shown = repr(self.state) + repr(self.seen[-3:]) + ACCESS.encode(self.state)
        for letters in (*self.codes, *self.invitations, *self.spent[-5:]):
            assert letters not in shown
            assert PairingCode(letters).shown not in shown


TestPairing = Pairing.TestCase
TestPairing.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
