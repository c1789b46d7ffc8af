from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty_sdk import basket, codec, envelope, local, model, programme, protocol
from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.codec import INTEGER_MAX, CodecError, decode, dumps, encode, loads
from loyalty_sdk.envelope import Entry
from loyalty_sdk.errors import BasketInvalid, LoyaltyError
from loyalty_sdk.model import Context, Scan, Status
from tests.unit.loyalty_sdk.strategies import instances

MODULES = (basket, model, programme, local, envelope, protocol)
VOCABULARY = sorted(
    {
        value
        for module in MODULES
        for name in module.__all__
        if is_dataclass(value := getattr(module, name)) and isinstance(value, type)
    }
    - {Entry},
    key=lambda cls: cls.__name__,
)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(("1.5", "2026-05-01", "EUR")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    text: str = ""
    count: int = 0
    flag: bool = False
    quantity: Decimal = Decimal(0)
    day: date = date(2026, 5, 1)
    moment: datetime = datetime(2026, 5, 1, tzinfo=UTC)
    raw: bytes = b""
    many: tuple[int, ...] = ()
    named: dict[str, int] = dataclasses.field(default_factory=dict)


@pytest.mark.parametrize("cls", VOCABULARY, ids=lambda cls: cls.__name__)
def test_every_class_travels_and_comes_back_equal(cls: Any) -> None:
    @settings(max_examples=20)
    @given(instances(cls))
    def travels(value: Any) -> None:
        assert decode(cls, loads(dumps(value))) == value

    travels()


@pytest.mark.parametrize("cls", VOCABULARY, ids=lambda cls: cls.__name__)
def test_what_is_read_the_fast_way_is_what_the_careful_way_reads(cls: Any) -> None:
    """The fast way may fail on anything, but never take what the careful way refuses, or read it otherwise."""

    @settings(max_examples=20)
    @given(instances(cls), st.data())
    def read_alike(value: Any, chance: st.DataObject) -> None:
        data = encode(value)
        assert codec._reader(cls)(data) == value
        place, name = chance.draw(st.sampled_from(list(objects_in(data))))
        place[name] = chance.draw(json_values)
        try:
            fast = codec._reader(cls)(data)
        except Exception:
            return
        assert fast == codec._decoder(cls)(data, "")

    read_alike()


def objects_in(data: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Every object in JSON values with each of its fields, and with one that nobody knows."""
    if isinstance(data, dict):
        yield from ((data, name) for name in (*data, "unknown"))
    for inner in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from objects_in(inner)


@pytest.mark.parametrize("cls", VOCABULARY, ids=lambda cls: cls.__name__)
def test_the_text_is_what_the_standard_library_writes(cls: Any) -> None:
    @settings(max_examples=20)
    @given(instances(cls))
    def written_alike(value: Any) -> None:
        assert dumps(value) == standard_text(encode(value))

    written_alike()


def standard_text(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def test_the_vocabulary_is_found() -> None:
    assert {Basket, Line, Context, Status, Scan} <= set(VOCABULARY)
    assert len(VOCABULARY) > 50


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_the_codecs_error(data: bytes) -> None:
    with pytest.raises(CodecError):
        decode(Basket, loads(data))


@given(json_values)
def test_plain_values_are_written_as_the_standard_library_writes_them(value: object) -> None:
    assert dumps(value) == standard_text(value)
    assert encode(value) == value


@pytest.mark.parametrize("cls", VOCABULARY, ids=lambda cls: cls.__name__)
def test_no_json_value_raises_anything_but_an_error_with_a_name(cls: type[Any]) -> None:
    names = [field.name for field in dataclasses.fields(cls)]

    @settings(max_examples=20)
    @given(st.fixed_dictionaries({}, optional=dict.fromkeys(names, json_values)))
    def refused_or_read(data: Any) -> None:
        try:
            value = decode(cls, data)
        except (CodecError, LoyaltyError):
            return
        assert isinstance(value, cls)

    refused_or_read()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1.5", "floating-point"),
        ("1e400", "floating-point"),
        ("[NaN]", "floating-point"),
        ("-Infinity", "floating-point"),
        ('{"a":1,"a":2}', "same field twice"),
        ('{"a":1', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("1" * 5_000, "not JSON"),
        (b"\xff", "not JSON"),
    ],
)
def test_what_json_lets_slip_is_refused(text: str, says: str) -> None:
    with pytest.raises(CodecError, match=says):
        loads(text)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "the body must be an object"),
        ({"text": 1}, "text must be a text, not 1"),
        ({"text": "\ud800"}, "half a surrogate"),
        ({"count": True}, "count must be a whole number"),
        ({"count": INTEGER_MAX + 1}, "at most 53 bits"),
        ({"flag": 1}, "flag must be true or false"),
        ({"quantity": 1}, "quantity must be a text"),
        ({"quantity": "1e5"}, "quantity must be a decimal"),
        ({"quantity": "\uff11"}, "quantity must be a decimal"),
        ({"quantity": "1.0000001"}, "quantity must be a decimal"),
        ({"quantity": "1\n"}, "quantity must be a decimal"),
        ({"day": "1.5.2026"}, "day must be a date"),
        ({"moment": "2026-05-01T09:30:00"}, "with its offset"),
        ({"raw": "***"}, "raw must be base64"),
        ({"raw": "é"}, "raw must be base64"),
        ({"many": [1, "2"]}, r"many\[1\] must be a whole number"),
        ({"named": {"x": None}}, "named.x must be a whole number"),
        ({"nmae": {}}, "nmae is not a field here; there are: text"),
    ],
)
def test_a_refusal_names_the_place_and_what_would_be_right(data: object, says: str) -> None:
    with pytest.raises(CodecError, match=says):
        decode(Sample, data)


def test_a_missing_field_is_named_with_its_place() -> None:
    request = {"context": {"store": "1", "register": "1", "cashier": "1"}, "data": "x"}
    with pytest.raises(CodecError, match=r"context\.business_date is missing"):
        decode(local.IdentifyCall, request)


def test_a_class_own_check_is_named_with_its_place() -> None:
    request = {"context": {"store": "", "register": "1", "cashier": "1", "business_date": "2026-05-01"}, "data": "x"}
    with pytest.raises(CodecError, match=r"^context: store is empty"):
        decode(local.IdentifyCall, request)


def test_an_error_of_the_sdk_passes_as_it_is() -> None:
    with pytest.raises(BasketInvalid):
        decode(Basket, {"currency": "EUR", "lines": [], "total_minor": 0})


def test_a_long_value_is_cut_in_the_text() -> None:
    with pytest.raises(CodecError) as raised:
        decode(Sample, {"count": "x" * 10_000})
    assert len(str(raised.value)) < 200


def test_texts_are_utf8_on_one_line() -> None:
    assert dumps({"name": "João\n€"}) == '{"name":"João\\n€"}'.encode()


def test_half_a_surrogate_pair_is_not_sent() -> None:
    with pytest.raises(CodecError, match="surrogate"):
        dumps(Sample(text="\ud800"))


@pytest.mark.parametrize("place", ["text", "count", "flag", "quantity", "many", "named"])
def test_a_float_is_not_sent(place: str) -> None:
    value = {"many": (1.5,), "named": {"x": 1.5}}.get(place, 1.5)
    changes: dict[str, Any] = {place: value}
    with pytest.raises(TypeError, match="float has no JSON form"):
        dumps(Sample(**changes))


def test_a_value_of_another_class_is_written_as_what_it_is() -> None:
    """The annotation is no check: the reader's side names the place that is wrong."""
    mixed: dict[str, Any] = {"text": 1, "count": "2", "flag": None, "quantity": 3, "many": [True], "named": "x"}
    assert json.loads(dumps(Sample(**mixed))) | mixed == json.loads(dumps(Sample(**mixed)))
    with pytest.raises(CodecError, match="text must be a text, not 1"):
        decode(Sample, loads(dumps(Sample(**mixed))))


def test_decimals_travel_without_exponent_and_trailing_zeros() -> None:
    sent = [Decimal("1.250"), Decimal("1E+3"), Decimal("0.000001"), Decimal("100"), Decimal("-2.50")]
    assert encode(sent) == ["1.25", "1000", "0.000001", "100", "-2.5"]


def test_times_travel_with_offset_in_milliseconds() -> None:
    lisbon = timezone(timedelta(hours=1))
    assert encode(datetime(2026, 5, 1, 9, 30, tzinfo=lisbon)) == "2026-05-01T09:30:00.000+01:00"
    with pytest.raises(CodecError, match="without its offset"):
        encode(datetime(2026, 5, 1))


def test_fields_keep_the_order_of_their_definition() -> None:
    names = list(json.loads(dumps(Line.of("A", 100))))
    assert names[:3] == ["sku", "amount_minor", "quantity"]
