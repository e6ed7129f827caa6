"""`python -m telegram_channel` is the same as `telegram-channel`."""

import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    from telegram_channel.cli import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
