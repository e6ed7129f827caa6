"""The Telegram room: the only one that knows the Bot API and the library that speaks it."""
