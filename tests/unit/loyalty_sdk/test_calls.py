from __future__ import annotations

import ast
import inspect
from datetime import date

import pytest

from loyalty_sdk import _calls as calls
from loyalty_sdk import local
from loyalty_sdk.codec import decode, loads
from loyalty_sdk.model import Context, Member, ReceiptKey, Scan, Status

CONTEXT = Context(store="12", register="3", cashier="77", business_date=date(2026, 5, 1))


def documented_paths() -> set[str]:
    """The paths that the docstrings of loyalty_sdk/local.py give."""
    tree = ast.parse(inspect.getsource(local))
    texts = [ast.get_docstring(node) or "" for node in tree.body if isinstance(node, ast.ClassDef)]
    return {text.split()[1] for text in texts if text.startswith("POST /")}


def test_the_paths_are_those_of_the_local_api() -> None:
    assert set(calls.PATHS.values()) == documented_paths() | {"/v1/status"}


def test_a_keyed_text_is_a_scan_of_its_own_kind() -> None:
    call = calls.identify(CONTEXT, "4711")
    assert decode(local.IdentifyCall, loads(call.body)).entry_method == "keyed"
    assert call.answer is Member


def test_a_scan_keeps_what_the_scanner_said() -> None:
    call = calls.identify(CONTEXT, Scan(data="4711", symbology="]C1"))
    sent = decode(local.IdentifyCall, loads(call.body))
    assert (sent.entry_method, sent.symbology, sent.context) == ("scanned", "]C1", CONTEXT)


@pytest.mark.parametrize(("copy", "effect"), [(False, "keyed"), (True, "every_time")])
def test_only_the_copy_of_a_receipt_happens_every_time(copy: bool, effect: str) -> None:
    key = ReceiptKey(store="12", register="3", business_date=date(2026, 5, 1), number="7")
    assert calls.print_receipt(CONTEXT, key, copy).effect == effect


@pytest.mark.parametrize(("training", "text"), [(True, "true"), (False, "false")])
def test_a_question_by_get_has_its_context_in_the_query(training: bool, text: str) -> None:
    context = Context(store="12", register="3", cashier="77", business_date=date(2026, 5, 1), training=training)
    call = calls.status(context)
    assert (call.method, call.answer, call.query["training"]) == ("GET", Status, text)
    assert (calls.events(context).path, calls.events(context).query) == ("/v1/events", call.query)
