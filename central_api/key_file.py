"""The key file beside the database: JSON, readable by its owner alone. What is in it is said by `central_api.keys`."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.engine import URL

from central_api.keys import KeyRing
from loyalty_sdk.codec import CodecError, decode, dumps, loads

__all__ = ["KeyFileUnusable", "default_key_file", "read_key_file", "write_key_file"]

KEY_FILE_BYTES_MAX = 1_000_000


class KeyFileUnusable(Exception):
    """The key file is missing, malformed or open to others; the text names the remedy."""


def default_key_file(address: URL) -> Path:
    """Return where a database's keys are unless somebody says otherwise: beside its file, or in the working folder."""
    if address.get_backend_name() == "sqlite":
        return Path(f"{address.database}.keys.json")
    return Path("loyalty-central.keys.json")


def read_key_file(path: Path) -> KeyRing:
    """Read the keys. Raises KeyFileUnusable."""
    try:
        if path.stat().st_mode & 0o077:
            raise KeyFileUnusable(f"{path} can be read by others; run: chmod 600 {path}")
        with path.open("rb") as file:
            return decode(KeyRing, loads(file.read(KEY_FILE_BYTES_MAX)))
    except FileNotFoundError:
        raise KeyFileUnusable(f"{path} is missing; restore it, or name it with --keys") from None
    except OSError as error:
        raise KeyFileUnusable(f"{path} cannot be read: {error.strerror}") from None
    except CodecError as error:
        raise KeyFileUnusable(f"{path} is no key file: {error}; restore it, or name another with --keys") from None


def write_key_file(path: Path, keys: KeyRing) -> None:
    """Write new keys durably; an existing file is never overwritten. Raises KeyFileUnusable."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(dumps(keys) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KeyFileUnusable(f"{path} cannot be written: {error.strerror}; name another place with --keys") from None
