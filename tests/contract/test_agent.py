"""The local API's answers agree with its OpenAPI document, for what any POS might send: 20 examples of every call.

`make contract EXAMPLES=500` asks more. Calls that follow each other are left out: what one answers is filled into the
next where nothing can mend it any more, and a linked return that names a member is rightly refused.
"""

from pathlib import Path

import pytest

from tests.contract.agent import AGENT_DOCUMENT, examined_agent
from tests.contract.examiner import ONE_BY_ONE, examine, labels
from tests.contract.test_central import check


@pytest.mark.parametrize("call", labels(AGENT_DOCUMENT))
def test_a_call_answers_as_it_is_described(tmp_path: Path, call: str) -> None:
    with examined_agent(tmp_path) as subject:
        findings = examine(AGENT_DOCUMENT, subject, call=call, phases=ONE_BY_ONE)
    check(findings)
    # One that is only ever refused would show nothing.
    assert 200 in findings.statuses(call), findings.cases
