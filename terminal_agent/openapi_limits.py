"""What the OpenAPI document says of a field beyond its type: lengths, ranges, forms. Checks nothing itself.

The checks are those of the classes in `loyalty_sdk` and of the calls; a test lets schemathesis compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loyalty_sdk.basket import LINES_MAX, TENDERS_MAX
from loyalty_sdk.model import NAME_LENGTH_MAX
from terminal_agent.scans import TEXT_LENGTH_MAX
from terminal_agent.service import ALIAS_LENGTH_MAX

__all__ = ["LIMITS"]

Schema = Mapping[str, Any]

PRINTABLE: Schema = {"format": "printable", "description": "Printable characters."}
NAME: Schema = {**PRINTABLE, "minLength": 1, "maxLength": NAME_LENGTH_MAX}
SERIES: Schema = {**PRINTABLE, "maxLength": NAME_LENGTH_MAX}
COLUMNS: Schema = {"minimum": 20, "maximum": 80}
ALIAS: Schema = {**PRINTABLE, "minLength": 1, "maxLength": ALIAS_LENGTH_MAX}
TENDERS: Schema = {"maxItems": TENDERS_MAX}

# By class and field, what JSON Schema calls it.
LIMITS: Mapping[str, Mapping[str, Schema]] = {
    "IdentifyCall": {"data": ALIAS},
    "DecodeCall": {"data": {"minLength": 1, "maxLength": TEXT_LENGTH_MAX, "pattern": r"\S"}},
    "HoldRequest": {"count": {"minimum": 1}},
    "ReturnLine": {"line": {"minimum": 1}, "quantity": {"description": "Above 0."}},
    "Context": {"store": NAME, "register": NAME, "cashier": NAME},
    "ReceiptKey": {"store": NAME, "register": NAME, "number": NAME, "series": SERIES},
    "Line": {"sku": {"minLength": 1}, "unit_price_minor": {"description": "Not negative."}},
    "Basket": {
        "currency": {"pattern": "^[A-Z]{3}$"},
        "lines": {"minItems": 1, "maxItems": LINES_MAX},
        "total_minor": {"minimum": 0},
    },
    "SaleRequest": {"receipt_number": NAME, "receipt_series": SERIES, "tenders": TENDERS, "alias": ALIAS},
    "ReversalRequest": {"receipt_number": NAME, "receipt_series": SERIES, "tenders": TENDERS, "alias": ALIAS},
    "ReceiptBlockRequest": {"columns": COLUMNS},
    "ReportRequest": {"columns": COLUMNS, "number": {"minimum": 1}},
}
