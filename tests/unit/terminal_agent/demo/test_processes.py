"""Programs are started, awaited, killed, and ended for sure."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from terminal_agent.demo import processes
from terminal_agent.demo.processes import Agent, Processes, ProcessFailed, wait_until

SERVES = "import os, time; print('noise'); print(f'ready at {os.getpid()}', flush=True); time.sleep(600)"
FAILS = "import sys; sys.exit('the port is taken')"


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_waits_for_the_ready_line_of_this_life(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Processes() as running:
        first = running.start(program(SERVES), log, "ready at ")
        first.kill()
        second = running.start(program(SERVES), log, "ready at ")
        assert first.line != second.line
        assert not first.is_running
        assert second.is_running


def test_leaving_the_context_ends_everything(tmp_path: Path) -> None:
    with Processes() as running:
        process = running.start(program(SERVES), tmp_path / "log", "ready at ")
    assert not process.is_running


def test_what_ends_before_it_is_ready_is_told_with_its_log(tmp_path: Path) -> None:
    with Processes() as running, pytest.raises(ProcessFailed, match="ended with status 1") as caught:
        running.start(program(FAILS), tmp_path / "log", "ready at ")
    assert "the port is taken" in str(caught.value)


def test_what_never_is_ready_is_told(tmp_path: Path) -> None:
    with Processes() as running, pytest.raises(ProcessFailed, match="was not ready"):
        running.start(program(SERVES), tmp_path / "log", "another line", timeout_s=0.2)


def test_stop_asks_first(tmp_path: Path) -> None:
    text = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('asked'))); {SERVES}"
    with Processes() as running:
        running.start(program(text), tmp_path / "log", "ready at ").stop()
    assert "asked" in (tmp_path / "log").read_text()


def test_stop_kills_what_does_not_listen(tmp_path: Path) -> None:
    text = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVES}"
    with Processes() as running:
        process = running.start(program(text), tmp_path / "log", "ready at ")
        with pytest.raises(ProcessFailed, match="did not end"):
            process.stop(timeout_s=0.2)
        assert not process.is_running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_no_orphan_is_left_by_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from terminal_agent.demo.processes import Processes\n"
        "with Processes() as running:\n"
        f"    started = running.start([sys.executable, '-c', {SERVES!r}], pathlib.Path('log'), 'ready at ')\n"
        "    print(started.line, flush=True)\n"
        "    time.sleep(600)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        program(script), cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline().rpartition(" ")[2])
        assert is_alive(child)
        parent.send_signal(number)
        parent.wait(20)
    wait_until(lambda: not is_alive(child), "the child to end")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_in_the_middle_of_a_start_waits_for_its_end(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        started.append(popen(*arguments, **options))
        signal.raise_signal(number)
        return started[0]

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises((KeyboardInterrupt, SystemExit)), Processes() as running:
        running.run(program(SERVES))
    assert started[0].returncode == -signal.SIGKILL
    started[0].communicate()


def test_a_program_that_is_not_installed_is_told() -> None:
    with pytest.raises(ProcessFailed, match="pip install"):
        processes._program("loyalty-unheard-of")


def test_a_path_that_no_socket_can_have_is_told(tmp_path: Path) -> None:
    with Processes() as running, pytest.raises(ProcessFailed, match="shorter --directory"):
        Agent(running, tmp_path / ("long" * 40)).enrol("http://127.0.0.1:1", "code")


def test_configuration_is_added_to_the_template(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('[central]\nurl = "u"\n[exchange]\n# changes_s = 30\n')
    with Processes() as running:
        agent = Agent(running, tmp_path)
        agent.configure(devices='[[scanner]]\nname = "s"\n', exchange="changes_s = 1\n", central="deadline_ms = 9\n")
    text = (tmp_path / "agent.toml").read_text()
    assert tomllib.loads(text) == {
        "central": {"url": "u", "deadline_ms": 9},
        "exchange": {"changes_s": 1},
        "scanner": [{"name": "s"}],
    }


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(ProcessFailed, match="in vain for the moon"):
        wait_until(lambda: False, "the moon", timeout_s=0.05)
