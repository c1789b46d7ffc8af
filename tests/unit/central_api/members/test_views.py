"""Members as the back office sees them: figures as of now, whoever has booked what; nothing left of who was erased."""

from datetime import timedelta

import pytest
from sqlalchemy import delete

from central_api.members.decisions import adjust
from central_api.members.views import every_member, member_view
from central_api.problems import Refused
from central_api.programmes.versions import activate_programme
from central_api.storage.schema import member_keys
from loyalty_sdk.office import MemberView
from tests.support.settling import settle_due
from tests.unit.central_api.support import PROGRAMME, TENANT, World

EXPIRING = PROGRAMME.replace('"version": 1', '"version": 2, "expiry": {"months_after_earning": 12}')


def seen(world: World, member_id: str, *, masked: bool = False) -> MemberView:
    return member_view(world.connection, world.capabilities, TENANT, member_id, masked=masked)


def test_points_expire_at_their_date_though_nobody_has_booked_it(world: World) -> None:
    world.now += timedelta(seconds=1)
    activate_programme(world.connection, world.capabilities, TENANT, EXPIRING)
    member_id = world.member("1")
    adjust(world.connection, world.capabilities, TENANT, member_id, 50, "a gift", "test")
    assert seen(world, member_id).available == 50
    world.now += timedelta(days=400)
    before = seen(world, member_id)
    assert (before.available, before.balance) == (0, 0)
    assert world.figures(member_id) == (50, 0, 0)
    # And the same once it is booked.
    assert settle_due(world.connection, world.capabilities, TENANT, 10) == 1
    after = seen(world, member_id)
    assert (after.available, after.balance) == (before.available, before.balance)


def test_a_member_that_was_erased_has_no_name_and_no_alias(world: World) -> None:
    member_id = world.member("1")
    world.connection.execute(delete(member_keys).where(member_keys.c.member_id == member_id))
    assert (seen(world, member_id).name, seen(world, member_id).aliases) == ("", ())


@pytest.mark.parametrize(
    ("alias", "shown"), [("1", "*"), ("12", "**"), ("12345", "***45"), ("2000000000015", "*********0015")]
)
def test_less_than_half_of_an_alias_is_shown(world: World, alias: str, shown: str) -> None:
    member_id = world.member(alias)
    assert [one.alias for one in seen(world, member_id, masked=True).aliases] == [shown]


def test_every_change_of_what_is_shown_changes_the_etag(world: World) -> None:
    member_id = world.member("1")
    etags = [seen(world, member_id).etag]
    adjust(world.connection, world.capabilities, TENANT, member_id, 200, "a gift", "test")
    etags.append(seen(world, member_id).etag)
    # Setting points aside changes no balance, and no revision; what is available is another all the same.
    world.granted(world.terminal(1), member_id, 100)
    etags.append(seen(world, member_id).etag)
    assert len(set(etags)) == len(etags)
    assert seen(world, member_id).etag == etags[-1]


def test_all_members_are_listed_oldest_first(world: World) -> None:
    made = []
    for alias in "123":
        world.now += timedelta(seconds=1)
        made.append(world.member(alias))
    assert [view.member_id for view in every_member(world.connection, world.capabilities, TENANT)] == made
    with pytest.raises(Refused):
        member_view(world.connection, world.capabilities, "other", made[0])
