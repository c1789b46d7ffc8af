from __future__ import annotations

from pathlib import Path

import pytest

from loyalty_sdk._endpoint import resolve_endpoint
from loyalty_sdk.errors import AccessRefused, InvalidRequest


def test_the_address_as_given_comes_first() -> None:
    found = resolve_endpoint("http://127.0.0.1:8787/", "t", {"LOYALTY_AGENT": "unix:/x/agent.sock"})
    assert (found.base_url, found.socket_path, found.authorization()) == ("http://127.0.0.1:8787", None, "Bearer t")


def test_the_environment_comes_second() -> None:
    found = resolve_endpoint(None, None, {"LOYALTY_AGENT": "unix:/x/agent.sock", "LOYALTY_AGENT_TOKEN": " t\n"})
    assert (found.socket_path, found.authorization()) == ("/x/agent.sock", "Bearer t")


def test_the_state_folder_comes_last() -> None:
    assert resolve_endpoint(None, None, {"XDG_STATE_HOME": "/s"}).socket_path == "/s/loyalty-agent/agent.sock"
    found = resolve_endpoint(None, None, {}).socket_path or ""
    assert found.endswith("/.local/state/loyalty-agent/agent.sock")
    assert not found.startswith("~")


@pytest.mark.parametrize("address", ["agent.sock", "unix:agent.sock", "unix:", "ftp://x", "http://a b", "http://a\n"])
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(InvalidRequest, match=r"unix:/path/agent\.sock"):
        resolve_endpoint(address, "t", {})


@pytest.mark.parametrize("token", ["a b", "é", "a\nb"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest, match="agent's file `token`"):
        resolve_endpoint("http://a", token, {})


def test_the_token_lies_beside_the_socket_and_is_read_anew(tmp_path: Path) -> None:
    endpoint = resolve_endpoint(f"unix:{tmp_path}/agent.sock", None, {})
    (tmp_path / "token").write_text("first\n")
    assert endpoint.authorization() == "Bearer first"
    (tmp_path / "token").write_text("second\n")
    assert endpoint.authorization() == "Bearer second"


def test_without_token_and_socket_the_connection_will_say_what_is_missing(tmp_path: Path) -> None:
    assert resolve_endpoint(f"unix:{tmp_path}/agent.sock", None, {}).authorization() is None


def test_a_socket_without_a_token_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "agent.sock").touch()
    with pytest.raises(AccessRefused, match="LOYALTY_AGENT_TOKEN"):
        resolve_endpoint(f"unix:{tmp_path}/agent.sock", None, {}).authorization()


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"\xff\xfe"])
def test_a_file_without_a_token_names_the_remedy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(AccessRefused, match="LOYALTY_AGENT_TOKEN"):
        resolve_endpoint(f"unix:{tmp_path}/agent.sock", None, {}).authorization()


def test_a_token_that_is_a_folder_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    with pytest.raises(AccessRefused, match="run the POS as a user who may"):
        resolve_endpoint(f"unix:{tmp_path}/agent.sock", None, {}).authorization()


def test_an_http_address_needs_a_token() -> None:
    with pytest.raises(AccessRefused, match="give token="):
        resolve_endpoint("http://127.0.0.1:8787", None, {}).authorization()


def test_the_remedy_names_the_folder_of_the_socket() -> None:
    remedy = resolve_endpoint("unix:/x/agent.sock", None, {}).remedy()
    assert remedy.startswith("start it with `loyalty-agent run --directory /x`")
