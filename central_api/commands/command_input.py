"""What the commands of `loyalty-central` read besides their options. Prints nothing."""

from __future__ import annotations

from pathlib import Path

__all__ = ["InputInvalid", "read_text"]


class InputInvalid(Exception):
    """What was given on the command line cannot be used; the text names the remedy."""


def read_text(name: str) -> str:
    """Return a file's text. Raises InputInvalid."""
    try:
        return Path(name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputInvalid(f"{name} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise InputInvalid(f"{name} cannot be read: {error.strerror}") from None
