"""Lets schemathesis examine calls by their OpenAPI document: all phases, all checks, with names that are known there.

Knows no program: what is examined is a `Subject`, and what its document cannot say is put right by its `mend`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import Phase, settings
from hypothesis import strategies as st
from schemathesis import Case, HookContext
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.python import asgi
from schemathesis.schemas import BaseSchema
from starlette.types import ASGIApp

__all__ = ["ONE_BY_ONE", "PHASES", "AnyCase", "Document", "Findings", "Subject", "examine", "labels"]

PHASES = ("examples", "coverage", "fuzzing", "stateful")
ONE_BY_ONE = PHASES[:3]
NAMED = 0.8
# What a state forbids is no fault of the data, as a tag that is old; and a wrong tag is one that names nothing.
EXPECTED = {
    "positive_data_acceptance": ["2xx", "304", "401", "403", "404", "409", "412"],
    "negative_data_rejection": ["401", "403", "404", "409", "412", "422", "428"],
    "missing_required_header": ["401", "422", "428"],
}

VIOLATED_FORMAT = re.compile("violates `format` at ([^ \\n]+)")

Document = Mapping[str, Any]
AnyCase = Case[Any]

# The format `printable` of the documents; no slash, which a terminal's name must not have.
# Those of the limits' lengths are there ready made: nobody would wait until chance makes them.
_LENGTHS = (0, 1, 2, 63, 64, 199, 200, 255, 256, 499, 500)
_WORDS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), max_size=20)
PRINTABLE = st.sampled_from([length * "x" for length in _LENGTHS]) | _WORDS

schemathesis.openapi.format("printable", PRINTABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A program that is examined.

    `tokens` open it, by the document's security scheme. `names` are known there, by the parameter or the field of a
    body (`context.store`) that takes them. `mend` puts right, in a case that is meant to be so, what the document
    cannot say.
    """

    app: ASGIApp
    tokens: Mapping[str, str]
    names: Mapping[str, Sequence[str | int]]
    mend: Callable[[AnyCase], AnyCase]


@dataclass(slots=True)
class Findings:
    """What was asked and answered: cases by (phase, call, status), and each failure once, with how to repeat it."""

    cases: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    failures: dict[tuple[str, ...], str] = field(default_factory=dict)

    def statuses(self, label: str) -> set[int]:
        """Return the statuses that a call was answered with."""
        return {status for _, found, status in self.cases if found == label}

    def total(self, statuses: range = range(1_000)) -> int:
        """Return how many cases there were, or how many with these statuses."""
        return sum(count for (_, _, status), count in self.cases.items() if status in statuses)


def labels(document: Document) -> list[str]:
    """Return the calls of a document as schemathesis names them: `POST /v1/grants`."""
    return [f"{method.upper()} {path}" for path, calls in document["paths"].items() for method in calls]


def examine(
    document: Document,
    subject: Subject,
    *,
    call: str | None = None,
    phases: tuple[str, ...] = PHASES,
    examples: int = 20,
    seed: int | None = None,
) -> Findings:
    """Examine one call or, with None, all together. With a seed the cases are random, else the same in every run."""
    config = SchemathesisConfig.from_dict(_configuration(subject, phases, examples, seed))
    schema: BaseSchema = schemathesis.openapi.from_dict(dict(document), config=config)
    schema.app, schema.location = subject.app, "/openapi.json"
    _teach(schema, subject)
    _keep_from_climbing(schema.config)
    findings, unjudged = Findings(), _unjudged(document)
    try:
        for event in from_schema(schema if call is None else schema.include(name=call)).execute():
            _note(findings, event, unjudged)
    finally:
        asgi.shutdown_lifespans()
    return findings


def _configuration(subject: Subject, phases: tuple[str, ...], examples: int, seed: int | None) -> dict[str, Any]:
    return {
        **({} if seed is None else {"seed": seed}),
        "continue-on-failure": True,
        "generation": {
            "max-examples": examples,
            "deterministic": seed is None,
            "database": "none",
            # Wrong tokens are tried by the check `ignored_auth`; examples are for those who may call.
            "with-security-parameters": False,
        },
        "checks": {name: {"expected-statuses": statuses} for name, statuses in EXPECTED.items()},
        "phases": {phase: {"enabled": phase in phases} for phase in PHASES},
        "dictionaries": {name.replace(".", "-"): {"values": list(values)} for name, values in subject.names.items()},
        "parameters": {
            place + name: {"dictionary": name.replace(".", "-"), "probability": NAMED}
            for name in subject.names
            for place in (("body.",) if "." in name else ("", "body."))
        },
        "auth": {"openapi": {scheme: {"bearer": token} for scheme, token in subject.tokens.items()}},
    }


def _teach(schema: BaseSchema, subject: Subject) -> None:
    """Give a schema's generator what no document says; a case that is meant to be wrong stays as it is."""

    @schema.hook
    def map_case(context: HookContext, case: AnyCase) -> AnyCase:
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return case
        if isinstance(case.body, dict):  # 16.0 equals 16, so that no comparison tells whether there is something to do.
            case.body = _whole(case.body)
        return subject.mend(case)


def _keep_from_climbing(config: Any) -> None:
    """Leave out hypothesis' climb to cases that are accepted more often: for some calls it tries thousands in vain."""
    settings_of = config.get_hypothesis_settings

    def settings_without(**named: Any) -> settings:
        found: settings = settings_of(**named)
        return settings(found, phases=set(found.phases) - {Phase.target})

    config.get_hypothesis_settings = settings_without


def _whole(value: Any) -> Any:
    """JSON Schema calls 1.0 whole; here a number with a point is refused, for nobody can say what was meant."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.serializer("application/x-ndjson")
def _lines(context: Any, value: Any) -> bytes:
    return str(value).encode()


def _unjudged(document: Document) -> set[str]:
    """The fields of the format `printable`: schemathesis cannot check it, and takes any text for a violation of it."""
    schemas = document["components"]["schemas"].values()
    fields = (item for schema in schemas for item in schema.get("properties", {}).items())
    return {name for name, schema in fields if '"format": "printable"' in json.dumps(schema)}


def _note(findings: Findings, event: events.EngineEvent, unjudged: Set[str]) -> None:
    if isinstance(event, events.ScenarioFinished):
        for key, failure in _outcomes(findings, event, unjudged):
            findings.failures.setdefault(key, failure)
    elif isinstance(event, events.NonFatalError):
        findings.failures[event.label, type(event.value).__name__] = f"{event.label}: {event.value}"
    elif isinstance(event, events.FatalError):
        raise event.exception


def _outcomes(
    findings: Findings, event: events.ScenarioFinished, unjudged: Set[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    recorder = event.recorder
    for case_id, interaction in recorder.interactions.items():
        response, label = interaction.response, recorder.cases[case_id].value.operation.label
        findings.cases[event.phase.value, label, response.status_code if response else 0] += 1
        for check in recorder.checks.get(case_id, ()):
            if check.failure_info is not None:
                failure = check.failure_info.failure
                violated = VIOLATED_FORMAT.search(failure.message)
                if violated is not None and unjudged & set(violated[1].split("/")):
                    continue
                answer = f"{response.status_code} {response.content[:300]!r}" if response else "no answer"
                text = f"{label}: {check.name}: {failure.message}\n{check.failure_info.code_sample}\n-> {answer}"
                yield (label, check.name, failure.message[:100]), text
