"""A Telegram of one's own: the Bot API emulator that serves the demo over HTTP and the tests in-process."""
