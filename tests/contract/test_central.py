"""Central's answers agree with its OpenAPI document, for what anybody might send: 20 examples of every call.

`make contract EXAMPLES=500` asks more, and on PostgreSQL too.
"""

import pytest

from tests.contract.examiner import ONE_BY_ONE, Findings, examine, labels
from tests.contract.served import central_of
from tests.contract.shops import Site, document

DOCUMENT = document()


def check(findings: Findings) -> None:
    assert not findings.failures, "\n\n".join(findings.failures.values())


@pytest.mark.parametrize("call", labels(DOCUMENT))
def test_a_call_answers_as_it_is_described(site: Site, call: str) -> None:
    findings = examine(DOCUMENT, central_of(site), call=call, phases=ONE_BY_ONE)
    check(findings)
    # One that is only ever refused would show nothing.
    assert 200 in findings.statuses(call), findings.cases


def test_calls_that_follow_each_other_answer_as_they_are_described(site: Site) -> None:
    findings = examine(DOCUMENT, central_of(site), phases=("stateful",), examples=20)
    check(findings)
    assert findings.cases
