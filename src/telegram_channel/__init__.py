"""A Claude Code channel for Telegram: the bridge between a phone and a coding session."""

__version__ = "0.1.0"
