"""The numbers behind pairing, all of them, in one value: lengths, lifetimes, caps and lockouts.

They stand apart from `core.pairing` because `core.access` decides by them too, and knows no codes.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class PairingRules:
    """What a code looks like, how long it lives, and how often anybody may be wrong."""

    alphabet: str = "CDFGHJKMNPQRTVWXY34679"
    """No look-alikes (0 O, 1 I L, 2 Z, 5 S, 8 B, U V) and no vowels, so that no code is a word."""
    code_length: int = 8
    """36 bits: typed by hand, and never guessed with the attempts that the lockout leaves."""
    invitation_length: int = 20
    """89 bits: copied or scanned, never typed, so it can afford to be beyond any guessing."""
    code_rounds: int = 20_000
    """PBKDF2 rounds for a short code: some 8 ms each, and only the operator can make us spend them."""
    invitation_rounds: int = 1
    """Stretching adds nothing to 89 bits, and any stranger can make us check one."""
    code_lifetime: timedelta = timedelta(minutes=10)
    invitation_lifetime: timedelta = timedelta(hours=1)
    most_pending: int = 3
    most_invitations: int = 10
    wrong_codes_before_lockout: int = 5
    lockout: timedelta = timedelta(minutes=10)
    """The first lockout; each further one is twice as long, up to `longest_lockout`."""
    longest_lockout: timedelta = timedelta(hours=24)
    wrong_codes_forgotten_after: timedelta = timedelta(hours=24)
    most_remembered_guessers: int = 500
    """Bounds what strangers can make us store; the oldest are forgotten first, the operator never."""
    denied_for: timedelta = timedelta(hours=1)
    """How long somebody whose request was denied cannot ask again."""
    longest_name: int = 64
    """Characters kept of the name that a stranger chose."""

    def lockout_after(self, wrong_codes: int) -> timedelta:
        """How long the lockout lasts that this many wrong codes in a row earn; zero for none."""
        rows, rest = divmod(wrong_codes, self.wrong_codes_before_lockout)
        if rows == 0 or rest:
            return timedelta(0)
        doublings = min(rows - 1, 16)  # beyond that only the cap counts, and a timedelta could overflow
        return min(self.lockout * (1 << doublings), self.longest_lockout)


RULES = PairingRules()
"""The rules in force."""
