"""What the repository holds: no lock file, no address of a package index, no path of somebody's machine."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK_FILES = {"uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock"}
# Looked for in bytes, since a database or a recorded exchange could hold them too.
FORBIDDEN = {
    "the address of a package index": rb"--(?:extra-)?index-url|--find-links|(?i:://[^\s/\"']*(?:pypi|pythonhosted))",
    "a path of one machine": rb"(?<![\w.~}])/(?:home|root|Users)/|(?i:\b[a-z]:\\\\?Users\\)",
}


def files() -> list[Path]:
    """The files that are committed or would be, so that a test fails before the commit and not after it."""
    if not (ROOT / ".git").exists():
        pytest.skip("this copy of the sources is no git repository: nothing says which files belong to it")
    # Read as it is, whoever owns it: a build server often checks out as another user.
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


def findings(name: str, content: bytes) -> list[str]:
    """One line for each forbidden thing in the content: file, line, what it is, the text found."""
    return [
        f"{name}:{line_of(content, match.start())}: {what}: {match.group().decode(errors='replace')}"
        for what, pattern in FORBIDDEN.items()
        for match in re.finditer(pattern, content)
    ]


def line_of(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def test_no_lock_file_is_kept() -> None:
    assert [str(path) for path in files() if path.name in LOCK_FILES] == []


def test_no_file_names_a_machine_or_an_index() -> None:
    others = (path for path in files() if path != Path(__file__))
    assert [line for path in others for line in findings(str(path.relative_to(ROOT)), path.read_bytes())] == []


@pytest.mark.parametrize(
    "line",
    [
        b"pip install --index-url https://example.org/simple x",
        b"--extra-index-url=https://example.org",
        b"https://pypi.org/simple",
        b"https://files.pythonhosted.org/packages/x.whl",
        b"-e file:///home/somebody/project",
        b"/root/.cache/pip",
        b'"/Users/somebody/project"',
        b"C:\\Users\\somebody",
        b'"C:\\\\Users\\\\somebody"',
    ],
)
def test_what_is_forbidden_is_found(line: bytes) -> None:
    (finding,) = findings("file.txt", b"\x00first\n" + line)
    assert finding.startswith("file.txt:2: ")


@pytest.mark.parametrize(
    "line",
    [b"/var/lib/loyalty", b"~/home/x", b"https://example.org/home/", b"{root}/root/", b"pip index versions"],
)
def test_what_is_allowed_is_not(line: bytes) -> None:
    assert findings("file.txt", line) == []
