"""A one-time code: how it is made, shown, read back from what people type, and hashed.

A code hides itself like a password does: it is in no repr, no error and no stored value.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from telegram_channel.core.pairing_rules import RULES, PairingRules

ENTROPY_BYTES = 32
"""How much randomness a code is made of: so much more than it holds that its letters are evenly spread."""
SALT_BYTES = 16
_LONGEST_TYPED = 256


@dataclass(frozen=True, slots=True, eq=False)
class PairingCode:
    """A code that hides itself: only `shown` and `letters` say it, never repr, str or an error."""

    _letters: str = field(repr=False)

    @property
    def letters(self) -> str:
        """The bare letters: what a link carries (source: Bot API, start parameter `[A-Za-z0-9_-]{1,64}`)."""
        return self._letters

    @property
    def shown(self) -> str:
        """In groups of four, as people read and type it."""
        return "-".join(self._letters[start : start + 4] for start in range(0, len(self._letters), 4))

    def __repr__(self) -> str:
        return "PairingCode(…)"

    @classmethod
    def for_pairing(cls, entropy: bytes, rules: PairingRules = RULES) -> Self:
        """A short code for a stranger, out of `ENTROPY_BYTES` random bytes."""
        return cls(_spell(entropy, rules.code_length, rules.alphabet))

    @classmethod
    def for_invitation(cls, entropy: bytes, rules: PairingRules = RULES) -> Self:
        """A long code for a link, out of `ENTROPY_BYTES` random bytes."""
        return cls(_spell(entropy, rules.invitation_length, rules.alphabet))

    @classmethod
    def typed(cls, text: str, length: int, rules: PairingRules = RULES) -> Self | None:
        """What somebody typed, in any letter case, with any spaces and dashes; None if it is no code."""
        upper = unicodedata.normalize("NFKC", text[:_LONGEST_TYPED]).upper()
        letters = "".join(char for char in upper if char.isalnum())
        if len(letters) != length or not set(letters) <= set(rules.alphabet):
            return None
        return cls(letters)

    def digest(self, salt: str, rounds: int) -> str:
        """What is stored instead of the code."""
        return hashlib.pbkdf2_hmac("sha256", self._letters.encode(), salt.encode(), rounds).hex()


def _spell(entropy: bytes, length: int, alphabet: str) -> str:
    if len(entropy) < ENTROPY_BYTES:
        raise ValueError(f"a code needs {ENTROPY_BYTES} random bytes")
    number = int.from_bytes(entropy, "big")
    letters = []
    for _ in range(length):
        number, index = divmod(number, len(alphabet))
        letters.append(alphabet[index])
    return "".join(letters)


def matching(code: PairingCode, candidates: Sequence[tuple[str, str]], rounds: int) -> int | None:
    """Which (hash, salt) is this code's. Every candidate is compared, so the time tells nothing.

    Two that match are none: nobody can say who is meant.
    """
    hits = [
        index
        for index, (stored, salt) in enumerate(candidates)
        if hmac.compare_digest(code.digest(salt, rounds).encode(), stored.encode())
    ]
    return hits[0] if len(hits) == 1 else None
