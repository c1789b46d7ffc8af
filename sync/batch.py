"""A batch of commands in one transaction: run together or, where one is refused, each in a savepoint of its own.

A savepoint costs two statements for each command, and almost never is there anything to undo. So the first attempt does
without; when a command is refused it is undone as a whole, and all are run again. Commits nothing itself.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from loyalty_sdk.errors import LoyaltyError
from sync.database import is_damage
from sync.transaction import Transaction

__all__ = ["Command", "Result", "run_batch"]

# What it does, it does to the transaction alone: it may be run a second time, after the first was undone.
Command = Callable[[Transaction], Any]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one command: its value, or the error to raise to its caller."""

    value: Any = None
    error: BaseException | None = None


def run_batch(
    new_transaction: Callable[[], Transaction], commands: Sequence[Command]
) -> tuple[Transaction, list[Result]]:
    """Begin a transaction and run the commands in order; the results stand in the same order.

    Raises what sqlite3 raises where the file or the disk failed; the caller then rolls back.
    """
    transaction = new_transaction()
    transaction.connection.begin()
    results = _run_together(transaction, commands)
    if results is None:
        transaction.connection.rollback()
        transaction = new_transaction()
        transaction.connection.begin()
        results = [_run_isolated(transaction, command) for command in commands]
    return transaction, results


def _run_together(transaction: Transaction, commands: Sequence[Command]) -> list[Result] | None:
    """Run all of them; None where one is refused."""
    try:
        return [Result(value=command(transaction)) for command in commands]
    except Exception as error:
        if _is_failure(error):
            raise
        return None


def _run_isolated(transaction: Transaction, command: Command) -> Result:
    """Run one command, and undo what it did when it is refused."""
    head = transaction.head
    try:
        with transaction.connection.savepoint():
            return Result(value=command(transaction))
    except Exception as error:
        if _is_failure(error):
            raise
        transaction.head = head
        if not isinstance(error, LoyaltyError):
            _log.exception("a command failed")
        return Result(error=error)


def _is_failure(error: Exception) -> bool:
    """Whether the file or the disk failed, not the command: nothing of the transaction can be relied on then."""
    return is_damage(error) or (isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError))
