"""What refuses an upload as a whole: signature, epoch, chain. Nothing of it is stored then."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from central_api.exchange.upload import receive_upload
from central_api.problems import Refused
from central_api.storage.schema import entries
from loyalty_sdk.protocol import UploadHeaders
from tests.support.terminal import SupportTerminal, basket_of
from tests.unit.central_api.support import World


def refused(world: World, till: SupportTerminal, headers: UploadHeaders, body: bytes) -> str:
    """The name of the problem that an upload meets, after checking that it stored nothing."""
    count = select(func.count()).select_from(entries)
    before = world.connection.execute(count).scalar_one()
    with pytest.raises(Refused) as caught:
        receive_upload(world.connection, world.capabilities, world.terminals[till.name], till.journal, headers, body)
    assert world.connection.execute(count).scalar_one() == before
    return caught.value.problem.name


def test_a_gap_stores_nothing_and_begins_a_new_epoch(world: World) -> None:
    till = world.terminal(1)
    for _ in range(3):
        till.sale(basket_of(100))
    answer = world.upload(till, 3, 4)
    assert (answer.watermark, answer.watermark_hash, answer.outcomes) == (0, "", ())
    # Nobody but a database that was restored holds less than it acknowledged.
    assert till.enrolment is not None
    assert answer.epoch != till.enrolment.epoch
    till.enrolment = replace(till.enrolment, epoch=answer.epoch)
    assert world.upload(till, 1, 2).watermark == 2
    answer = world.upload(till, 2, 4)
    assert (answer.watermark, answer.watermark_hash) == (4, till.recorded[-1].hash.hex())
    assert [one.seq for one in answer.outcomes] == [2, 3, 4]


def test_a_wrong_signature_body_or_terminal_is_refused(world: World) -> None:
    till, other = world.terminal(1), world.terminal(2)
    headers, body = till.upload()
    assert refused(world, till, replace(headers, signature=bytes(64)), body) == "access-refused"
    assert refused(world, till, replace(headers, head_seq=2), body) == "access-refused"
    assert refused(world, till, headers, body + b" ") == "access-refused"
    assert refused(world, other, headers, body) == "access-refused"


def test_another_epoch_is_refused(world: World) -> None:
    till = world.terminal(1)
    assert refused(world, till, *till.upload(epoch="before")) == "epoch-changed"


def test_headers_that_do_not_fit_the_body_are_refused(world: World) -> None:
    till = world.terminal(1)
    till.sale(basket_of(100))
    recorded = till.recorded
    till.recorded = [recorded[0], recorded[1], recorded[1]]
    headers, _ = till.upload()
    till.recorded = recorded
    assert refused(world, till, headers, b"") == "access-refused"


def test_another_life_of_the_journal_is_a_fork(world: World) -> None:
    till = world.terminal(1)
    till.sale(basket_of(100))
    world.upload(till)
    till.recorded.pop()
    till.sale(basket_of(200))
    assert refused(world, till, *till.upload()) == "fork"
    till.sale(basket_of(300))
    assert refused(world, till, *till.upload(3)) == "fork"
    assert refused(world, till, *till.upload(2)) == "fork"


def test_a_journal_names_the_one_before_in_its_first_hash(world: World) -> None:
    from loyalty_sdk.envelope import JournalOpenedBody, first_hash

    till = world.terminal(1)
    world.upload(till)
    before = till.recorded[-1].hash
    previous = till.journal
    till.journal, till.recorded = till.new_id(), []
    till.start_hash = first_hash(till.name, till.journal, before)
    body = JournalOpenedBody(agent_version="test", previous_journal=previous, previous_hash=before.hex())
    till.record("journal_opened", body)
    assert world.upload(till).watermark == 1


def test_an_upload_that_others_overtook_hears_of_all_that_its_watermark_covers(world: World) -> None:
    till = world.terminal(1)
    till.sale(basket_of(1000))
    till.linked_return(till.linked_return(till.sale(basket_of(1000))))
    world.upload(till)
    answer = world.upload(till, 1, 2)
    assert [one.seq for one in answer.outcomes] == list(range(1, answer.watermark + 1))
    assert answer.outcomes[-1].outcome == "rejected"
