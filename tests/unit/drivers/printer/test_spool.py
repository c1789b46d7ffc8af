"""The laws of the spool, on real files."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drivers.errors import DocumentInvalid, SpoolError, SpoolFull, SpoolTaken, SpoolUnusable
from drivers.printer.spool import JobState, Spool

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
Open = Callable[..., Spool]


@pytest.fixture
def open_spool(tmp_path: Path) -> Iterator[Open]:
    opened: list[Spool] = []

    def open_it(name: str = "spool.db", queued_max: int = 500, history_max: int = 10_000) -> Spool:
        spool = Spool(tmp_path / name, now=lambda: NOW, queued_max=queued_max, history_max=history_max)
        opened.append(spool)
        return spool

    yield open_it
    for spool in opened:
        spool.close()


def send(spool: Spool, state: JobState) -> None:
    job = spool.next_queued()
    assert job is not None
    spool.mark_sent(job.number)
    spool.settle(job.number, state)


def test_jobs_come_out_in_order_with_their_bytes(open_spool: Open) -> None:
    spool = open_spool()
    spool.submit("a", b"1")
    spool.submit("b", b"2")
    first = spool.next_queued()
    assert first is not None
    assert (first.reference, first.data, first.queued_at) == ("a", b"1", NOW)
    assert spool.jobs_waiting() == 2
    send(spool, JobState.PRINTED)
    second = spool.next_queued()
    assert second is not None
    assert second.reference == "b"


def test_one_reference_is_one_job_whatever_became_of_it(open_spool: Open) -> None:
    spool = open_spool()
    spool.submit("sale-1", b"x")
    assert spool.submit("sale-1", b"y").state is JobState.QUEUED
    send(spool, JobState.PRINTED)
    again = spool.submit("sale-1", b"x")
    assert again.state is JobState.PRINTED
    assert spool.next_queued() is None


def test_a_sent_job_is_never_given_out_again_and_is_unknown_after_a_restart(open_spool: Open) -> None:
    spool = open_spool()
    job = spool.submit("a", b"x")
    spool.mark_sent(job.number)
    assert spool.next_queued() is None
    with pytest.raises(SpoolError, match="not queued"):
        spool.mark_sent(job.number)
    spool.close()
    found = open_spool().job("a")
    assert found is not None
    assert found.state is JobState.UNKNOWN
    assert "look at the paper" in found.reason


def test_a_job_that_is_sent_for_good_stays_so_after_a_restart(open_spool: Open) -> None:
    spool = open_spool()
    spool.submit("a", b"x")
    send(spool, JobState.SENT)
    spool.close()
    found = open_spool().job("a")
    assert found is not None
    assert found.state is JobState.SENT
    assert found.settled_at == NOW


def test_queued_jobs_survive_a_restart(open_spool: Open) -> None:
    spool = open_spool()
    spool.submit("a", b"x")
    spool.close()
    job = open_spool().next_queued()
    assert job is not None
    assert job.data == b"x"


@pytest.mark.parametrize("state", [JobState.PRINTED, JobState.UNKNOWN, JobState.SENT])
def test_a_queued_job_can_only_fail(open_spool: Open, state: JobState) -> None:
    spool = open_spool()
    job = spool.submit("a", b"x")
    with pytest.raises(SpoolError, match="cannot end"):
        spool.settle(job.number, state)
    spool.settle(job.number, JobState.FAILED, "because")
    assert spool.counts()[JobState.FAILED] == 1


def test_a_sent_job_cannot_fail_nor_go_back_to_the_queue(open_spool: Open) -> None:
    spool = open_spool()
    job = spool.submit("a", b"x")
    spool.mark_sent(job.number)
    for state in (JobState.FAILED, JobState.QUEUED):
        with pytest.raises(SpoolError, match="cannot end"):
            spool.settle(job.number, state)
    found = spool.job("a")
    assert found is not None
    assert (found.state, found.settled_at) == (JobState.SENT, None)


def test_the_queue_has_a_limit_and_a_known_reference_still_gets_its_answer(open_spool: Open) -> None:
    spool = open_spool(queued_max=2)
    spool.submit("a", b"x")
    spool.submit("b", b"x")
    with pytest.raises(SpoolFull, match="switch it on"):
        spool.submit("c", b"x")
    assert spool.submit("a", b"x").state is JobState.QUEUED


def test_the_history_has_a_limit_and_waiting_jobs_are_no_part_of_it(open_spool: Open) -> None:
    spool = open_spool(history_max=10, queued_max=200)
    for number in range(100):
        spool.submit(f"job-{number}", b"x")
        send(spool, JobState.PRINTED)
    spool.submit("waiting", b"x")
    assert spool.counts()[JobState.PRINTED] == 10
    assert spool.jobs_waiting() == 1
    assert spool.job("job-99") is not None
    assert spool.job("job-0") is None


def test_the_bytes_of_a_job_go_when_it_ends(open_spool: Open, tmp_path: Path) -> None:
    spool = open_spool()
    spool.submit("a", b"Maria Silva " * 50)
    send(spool, JobState.PRINTED)
    spool.close()
    assert b"Maria Silva" not in (tmp_path / "spool.db").read_bytes()


@pytest.mark.parametrize(("reference", "data"), [("", b"x"), ("r" * 300, b"x"), ("big", b"x" * 300_000)])
def test_impossible_jobs_are_refused(open_spool: Open, reference: str, data: bytes) -> None:
    with pytest.raises(DocumentInvalid):
        open_spool().submit(reference, data)


def test_a_second_process_is_kept_out(open_spool: Open) -> None:
    open_spool()
    with pytest.raises(SpoolTaken, match="another process"):
        open_spool()


def test_foreign_and_damaged_files_are_refused_and_left_alone(open_spool: Open, tmp_path: Path) -> None:
    (tmp_path / "noise.db").write_bytes(b"this is no database at all, and long enough to be sure of it" * 20)
    with sqlite3.connect(tmp_path / "foreign.db") as foreign:
        foreign.execute("CREATE TABLE other (x)")
    foreign.close()
    for name in ("noise.db", "foreign.db"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(SpoolUnusable, match=name):
            open_spool(name)
        if name == "noise.db":
            assert (tmp_path / name).read_bytes() == before


def test_a_missing_folder_is_named(open_spool: Open) -> None:
    with pytest.raises(SpoolError, match="permissions"):
        open_spool("missing/spool.db")


def test_pitfall_sqlite_1_and_6_the_file_is_durable_and_strict(open_spool: Open) -> None:
    connection = open_spool()._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO job (reference, state, data, queued_at) VALUES ('a', 'lost', x'', '')")


def test_pitfall_sqlite_3_a_full_disk_is_told_and_the_job_stays_queued(open_spool: Open) -> None:
    spool = open_spool()
    job = spool.submit("a", b"x" * 1000)
    pages = spool._connection.execute("PRAGMA page_count").fetchone()[0]
    spool._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SpoolFull, match="disk"):
        spool.submit("b", b"y" * 100_000)
    found = spool.next_queued()
    assert found is not None
    assert found.number == job.number


def test_the_latest_jobs_come_first_and_only_so_many(open_spool: Open) -> None:
    spool = open_spool()
    for number in range(5):
        spool.submit(f"job-{number}", b"x")
    send(spool, JobState.PRINTED)
    assert [job.reference for job in spool.jobs(2)] == ["job-4", "job-3"]
    assert [job.state for job in spool.jobs()] == [JobState.QUEUED] * 4 + [JobState.PRINTED]
    assert spool.jobs(-1) == ()
