"""Says of a programme document everything that is wrong with it, and what a retailer would regret. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from central_api.programmes.errors import error_at, errors_in
from central_api.programmes.warnings import warnings_of
from loyalty_sdk.codec import CodecError, loads
from loyalty_sdk.office import Finding, ProgrammeCheck
from loyalty_sdk.programme import PROGRAMME_BYTES_MAX, Programme, parse_programme

__all__ = ["FINDINGS_MAX", "validate_document"]

FINDINGS_MAX = 200


def validate_document(document: bytes | str, before: Programme | None = None) -> ProgrammeCheck:
    """Return the errors of a document, or else its warnings; `before` is the version in force that it would follow.

    At most FINDINGS_MAX are returned. A document without errors is one that `parse_programme` reads.
    """
    found = tuple(islice(_findings(document, before), FINDINGS_MAX))
    return ProgrammeCheck(valid=all(one.severity != "error" for one in found), findings=found)


def _findings(document: bytes | str, before: Programme | None) -> Iterator[Finding]:
    if len(document) > PROGRAMME_BYTES_MAX:
        yield error_at("", f"the document exceeds {PROGRAMME_BYTES_MAX} bytes; split what it lists into categories")
        return
    try:
        data = loads(document)
    except CodecError as error:
        yield error_at("", str(error))
        return
    errors = errors_in(Programme, data)
    first = next(errors, None)
    if first is not None:
        yield first
        yield from errors
        return
    programme = parse_programme(document)
    if before is not None and programme.version <= before.version:
        yield error_at("version", f"{before.version} is in force already; set {before.version + 1} or more")
    yield from warnings_of(programme, before)
