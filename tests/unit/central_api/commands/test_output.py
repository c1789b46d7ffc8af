"""Tables for people: what others wrote is shown as it is, and steers nothing."""

from __future__ import annotations

import pytest

from central_api.commands.output import print_table


def test_a_cell_is_neither_markup_nor_a_command_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("members", [{"name": "[/b] [red]Ana\x1b[2J\n"}], ["name"])
    shown = capsys.readouterr().out
    assert "[/b] [red]Ana\ufffd[2J\ufffd" in shown
    assert "\x1b" not in shown
