"""What people of a chat asked to be shown beyond answers. Nothing of it is shown unasked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wishes:
    """The wishes of one chat."""

    progress: bool = False
    """One message per turn that says what Claude is doing (`/progress on`)."""
    stream: bool = False
    """Claude's text as a draft while it is written, in private chats (`/stream on`)."""
