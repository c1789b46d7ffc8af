"""Judges the entries that end holds and grants: `release` and `grant_closed`."""

from __future__ import annotations

from central_api.judging.grant_checks import checked_grant
from central_api.judging.matter import Matter
from central_api.ledger.records import Grant, Unfit, Verdict
from loyalty_sdk.envelope import GrantClosedBody, ReleaseBody

__all__ = ["judge_grant_closed", "judge_release"]


def judge_release(matter: Matter) -> Verdict:
    """End a hold without a sale: points of an open grant stay with it, points of a closed one go to the member.

    A terminal whose disk was restored may release what its life before has spent or released: what is there goes back.
    """
    body = matter.entry.body
    if not isinstance(body, ReleaseBody):
        raise Unfit("quarantined", "body-differs")
    member_id = matter.books.accounts.member_of(body.member_id)
    grants = [(checked_grant(matter, use, member_id), use.points) for use in matter.entry.grants]
    closed = [(grant, points, min(points, grant.reserved)) for grant, points in grants if grant.state == "closed"]
    for grant, _, left in closed:
        matter.release(grant, left, "hold-released")
    reason = _differs(sum(points for _, points, _ in closed), sum(left for _, _, left in closed))
    return Verdict(outcome="applied", reason=reason, points=0, member_id=member_id)


def judge_grant_closed(matter: Matter) -> Verdict:
    """Take back what the terminal gives back; what stays reserved is for holds that are still open there.

    A terminal whose disk was restored does not know what its life before spent, and gives back more than is left.
    """
    body = matter.entry.body
    if not isinstance(body, GrantClosedBody):
        raise Unfit("quarantined", "body-differs")
    grant = matter.books.grants.get(body.grant_id) or _recovered(matter, body)
    member_id = matter.books.accounts.member_of(body.member_id)
    if (grant.terminal, grant.member_id) != (matter.entry.terminal, member_id):
        raise Unfit("quarantined", "grant-misplaced")
    if grant.state == "closed":
        raise Unfit("rejected", "grant-closed-twice")
    if body.points < 0:
        raise Unfit("quarantined", "grants-differ")
    left = min(body.points, grant.reserved)
    grant.state = "closed"
    matter.release(grant, left, f"grant-closed-{body.reason}")
    return Verdict(outcome="applied", reason=_differs(body.points, left), points=0, member_id=member_id)


def _differs(points: int, left: int) -> str:
    return "" if left == points else f"points-differ: {points}, but {left} were reserved"


def _recovered(matter: Matter, body: GrantClosedBody) -> Grant:
    """A grant that central no longer has, from the envelope where the terminal sent it along."""
    use = next((use for use in matter.entry.grants if use.grant_id == body.grant_id), None)
    if use is None:
        raise Unfit("quarantined", "grant-unknown")
    return checked_grant(matter, use, body.member_id, points_min=0)
