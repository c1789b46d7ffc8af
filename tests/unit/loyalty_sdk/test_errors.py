from __future__ import annotations

import inspect
import re

import pytest

from loyalty_sdk import errors
from loyalty_sdk.errors import PROBLEM_PREFIX, AgentFailure, LoyaltyError, OutcomeUnknown, error_class

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, LoyaltyError)]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_type_maps_to_its_one_class(cls: type[LoyaltyError]) -> None:
    assert error_class(cls.type) is cls


def test_types_are_urns_after_the_name_of_the_class() -> None:
    for cls in CLASSES[1:]:
        words = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        assert cls.type == PROBLEM_PREFIX + words


def test_a_type_of_a_newer_agent_is_a_failure() -> None:
    assert error_class(PROBLEM_PREFIX + "not-yet-invented") is AgentFailure
    assert error_class("about:blank") is AgentFailure


def test_the_tree_on_top_names_every_class_once() -> None:
    tree = errors.__doc__ or ""
    assert [len(re.findall(rf"\b{cls.__name__}\b", tree)) for cls in CLASSES] == [1] * len(CLASSES)


def test_every_class_is_public() -> None:
    assert {cls.__name__ for cls in CLASSES} < set(errors.__all__)


def test_an_error_carries_what_a_program_needs() -> None:
    error = OutcomeUnknown("repeat the call", request_id="7")
    assert (str(error), error.detail, error.request_id, error.status) == (
        "repeat the call",
        "repeat the call",
        "7",
        504,
    )
