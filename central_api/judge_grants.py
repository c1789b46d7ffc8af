"""Judges the entries that end holds and grants: `release` and `grant_closed`."""

from __future__ import annotations

from central_api.grant_checks import checked_grant
from central_api.matter import Matter
from central_api.records import Grant, Unfit, Verdict
from loyalty_sdk.envelope import GrantClosedBody, ReleaseBody

__all__ = ["judge_grant_closed", "judge_release"]


def judge_release(matter: Matter) -> Verdict:
    """End a hold without a sale: points of an open grant stay with it, points of a closed one go to the member."""
    body = matter.entry.body
    if not isinstance(body, ReleaseBody):
        raise Unfit("quarantined", "body-differs")
    grants = [(checked_grant(matter, use, body.member_id), use.points) for use in matter.entry.grants]
    closed = [(grant, points) for grant, points in grants if grant.state == "closed"]
    if any(points > grant.reserved for grant, points in closed):
        raise Unfit("quarantined", "released-more-than-held")
    for grant, points in closed:
        _release(matter, grant, points, "hold-released")
    return Verdict(outcome="applied", points=0, member_id=body.member_id)


def judge_grant_closed(matter: Matter) -> Verdict:
    """Take back what the terminal gives back; what stays reserved is for holds that are still open there.

    A terminal whose disk was restored does not know what its life before spent, and gives back more than is left.
    """
    body = matter.entry.body
    if not isinstance(body, GrantClosedBody):
        raise Unfit("quarantined", "body-differs")
    grant = matter.books.grants.get(body.grant_id) or _recovered(matter, body)
    if (grant.terminal, grant.member_id) != (matter.entry.terminal, body.member_id):
        raise Unfit("quarantined", "grant-misplaced")
    if grant.state == "closed":
        raise Unfit("rejected", "grant-closed-twice")
    if body.points < 0:
        raise Unfit("quarantined", "grants-differ")
    left = min(body.points, grant.reserved)
    grant.state = "closed"
    _release(matter, grant, left, f"grant-closed-{body.reason}")
    reason = "" if left == body.points else f"points-differ: {body.points}, but {left} were reserved"
    return Verdict(outcome="applied", reason=reason, points=0, member_id=body.member_id)


def _release(matter: Matter, grant: Grant, points: int, reason: str) -> None:
    grant.released += points
    matter.books.grant_changed(grant)
    movements = matter.account(grant.member_id).release(grant.terminal, points)
    matter.book(grant.member_id, movements, reason, grant.grant_id)


def _recovered(matter: Matter, body: GrantClosedBody) -> Grant:
    """A grant that central no longer has, from the envelope where the terminal sent it along."""
    use = next((use for use in matter.entry.grants if use.grant_id == body.grant_id), None)
    if use is None:
        raise Unfit("quarantined", "grant-unknown")
    return checked_grant(matter, use, body.member_id)
