"""The configuration: the template says the truth, and what is wrong is named with its place."""

import re
from pathlib import Path

import pytest

from terminal_agent.enrolment import template
from terminal_agent.settings import AgentSettings, CentralSection, ConfigurationError, read_settings

CENTRAL = '[central]\nurl = "https://loyalty.example.com"\n'
SCANNER = '[[scanner]]\nname = "counter"\nport = "/dev/ttyACM0"\n'
PRINTER = '[[printer]]\nname = "receipt"\ntransport = "tcp"\naddress = "192.168.1.50:9100"\n'


def read(folder: Path, text: str | bytes) -> AgentSettings:
    path = folder / "agent.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_settings(path)


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read(folder, text)
    lines = str(refused.value).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(str(folder / "agent.toml"))
    return lines[0]


def test_the_template_reads_as_it_is(tmp_path: Path) -> None:
    settings = read(tmp_path, template("https://loyalty.example.com"))
    assert settings == AgentSettings(central=CentralSection(url="https://loyalty.example.com"))


def test_every_example_of_the_template_reads(tmp_path: Path) -> None:
    text = template("http://127.0.0.1:8700")
    # What is commented out is a setting or the head of a section; sentences begin with a capital.
    uncommented = re.sub(r"(?m)^# (?=\[\[|[a-z_]+ = )", "", text)
    settings = read(tmp_path, uncommented)
    assert not re.search(r"(?m)^# ?(\[|[a-z_]+ =)", uncommented)
    assert (settings.scanner[0].name, settings.printer[0].registers) == ("counter", ("1",))
    assert settings.local_api.host_and_port == ("127.0.0.1", 8787)
    assert settings.exchange.machine_settings().entries_max == 200


def test_the_defaults_in_the_template_are_the_real_ones(tmp_path: Path) -> None:
    plain = read(tmp_path, CENTRAL + SCANNER + PRINTER)
    text = re.sub(r"(?m)^# (?=\[\[|[a-z_]+ = )", "", template("https://loyalty.example.com"))
    shown = read(tmp_path, text)
    assert shown.exchange == plain.exchange
    assert shown.central.deadline_ms == plain.central.deadline_ms
    assert shown.local_api.socket == plain.local_api.socket
    for name in ("baud_rate", "idle_gap_ms", "duplicate_window_ms"):
        assert getattr(shown.scanner[0], name) == getattr(plain.scanner[0], name), name
    assert shown.printer[0].driver_settings().profile == plain.printer[0].driver_settings().profile


def test_a_mark_of_a_windows_editor_is_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + CENTRAL.encode()).central.url == "https://loyalty.example.com"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "central is missing"),
        (
            '[central]\nurl = "https://a"\ndeadline = 5\n',
            "central.deadline is not a field here; there are: url, deadline_ms",
        ),
        ('[central]\nurl = "https://a"\ndeadline_ms = "soon"\n', "central.deadline_ms must be a whole number"),
        ('[central]\nurl = "https://a"\ndeadline_ms = 1500.5\n', "central.deadline_ms must be a whole number"),
        ('[central]\nurl = "https://a"\ndeadline_ms = true\n', "central.deadline_ms must be a whole number"),
        ('[central]\nurl = "https://a"\ndeadline_ms = 10\n', "central: deadline_ms must be from 50 to 30000"),
        (CENTRAL + "[printers]\n", "printers is not a field here"),
        (CENTRAL + "[printer]\n", "printer must be a list"),
        (CENTRAL + '[local_api]\nlisten = "8787"\n', 'local_api: listen must be "host:port"'),
        (CENTRAL + '[local_api]\nlisten = "127.0.0.1:70000"\n', 'local_api: listen must be "host:port"'),
        (CENTRAL + '[local_api]\nlisten = "192.168.1.5:8787"\n', "set tls_certificate and tls_key"),
        (CENTRAL + '[local_api]\nlisten = "0.0.0.0:8787"\ntls_key = "k"\n', "set tls_certificate and tls_key"),
        (CENTRAL + '[local_api]\nlisten = "127.0.0.1:8787"\ntls_key = "k"\n', "tls_key stands without tls_certificate"),
        (CENTRAL + '[local_api]\nallowed_hosts = "till"\n', "local_api.allowed_hosts must be a list"),
        (CENTRAL + "[exchange]\nentries_max = 501\n", "exchange: entries_max must be from 1 to 500"),
        (CENTRAL + "[exchange]\nchanges_s = 0\n", "exchange: changes_s must be from 1 to"),
        (CENTRAL + "[exchange]\nbackoff_s_max = 999999999999\n", "exchange: backoff_s_max must be from 1 to"),
        (CENTRAL + SCANNER + SCANNER, "scanner: at most 64, each with a name of its own"),
        (CENTRAL + PRINTER + PRINTER, "printer: at most 64, each with a name of its own"),
        (CENTRAL + SCANNER + "baudrate = 9600\n", "scanner[0].baudrate is not a field here"),
        (CENTRAL + SCANNER + "baud_rate = -1\n", "scanner[0]: scanner counter: baud_rate is -1"),
        (CENTRAL + SCANNER + "idle_gap_ms = 5\n", "at least 10"),
        (CENTRAL + PRINTER.replace('"tcp"', '"lpt"'), "transport must be one of tcp, serial, usb, device, file"),
        (CENTRAL + PRINTER.replace('"tcp"', '"usb"'), "vendor:product as lsusb shows it"),
        (CENTRAL + PRINTER + 'model = "epson"\n', "epson-tm-t20"),
        (CENTRAL + PRINTER.replace("9100", "0"), "host:port"),
        (CENTRAL + PRINTER + 'code_page = "utf-8"\n', "code pages cp437"),
        (CENTRAL + PRINTER + "columns = 4\n", "columns is 4; it must be 16 to 120"),
        (CENTRAL + PRINTER.replace('"receipt"', '"../receipt"'), "its spool's file name"),
        ("[central\nurl", "line 1"),
        (b"\xff\xfe[central]", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str | bytes, says: str) -> None:
    assert says in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "loyalty.example.com",
        "ftp://loyalty.example.com",
        "https://",
        "https://a b",
        "https://a:99999",
        "https://[::1",
        'https://a/"x',
        "https://a\\b",
        "https://a\nb",
        "https://a/?tenant=1",
        "https://a/#top",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"https://loyalty\.example\.com"):
        CentralSection(url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8700", "https://[::1]:8700", "https://loja.example.pt/fidelização"])
def test_an_address_is_taken(url: str) -> None:
    assert CentralSection(url=url).url == url


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="make it with `loyalty-agent init`"):
        read_settings(tmp_path / "agent.toml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_settings(tmp_path)
