"""How many samples a measurement takes: enough for a median, or few to see that it works at all."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """Passed to every measurement."""

    quick: bool = False

    def times(self, full: int, quick: int) -> int:
        """So many samples."""
        return quick if self.quick else full
