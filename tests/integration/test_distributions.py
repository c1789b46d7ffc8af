"""What the two distributions install, tried in clean environments.

The wheels are built without isolation, from hatchling in the development environment, so that this works
without a package index. The one test that needs an index says so where it skips.
"""

import os
import subprocess
import sys
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SDK = ROOT / "loyalty_sdk"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """One command, outside the repository so that nothing is imported from it, with its output."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)


def succeed(*command: str | Path, cwd: Path) -> str:
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}{done.stderr}"
    return done.stdout


def pip(*arguments: str | Path, cwd: Path) -> str:
    """The development environment's pip, which can act on others by `--python`."""
    return succeed(sys.executable, "-m", "pip", *arguments, cwd=cwd)


def build_wheel(project: Path, folder: Path) -> Path:
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, project, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def clean_python(folder: Path) -> Path:
    """The interpreter of a new environment that holds nothing, not even pip."""
    venv.create(folder, with_pip=False)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def top_level_of(wheel: Path) -> set[str]:
    """The top-level names in a wheel, its own metadata left out."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name.partition("/")[0] for name in archive.namelist()}
    return {name for name in names if not name.endswith(".dist-info")}


@pytest.fixture(scope="module")
def sdk_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(SDK, tmp_path_factory.mktemp("sdk"))


@pytest.fixture(scope="module")
def agent_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("agent"))


def test_the_sdk_brings_one_module_and_httpx_alone(sdk_wheel: Path) -> None:
    assert top_level_of(sdk_wheel) == {"loyalty_sdk"}
    metadata = metadata_of(sdk_wheel)
    assert metadata["Name"] == "pos-loyalty-sdk"
    assert metadata.get_all("Requires-Dist") == ["httpx<1,>=0.28"]
    assert metadata["License-Expression"] == "Apache-2.0"


def test_the_sdk_holds_every_source_file_its_types_and_its_licence(sdk_wheel: Path) -> None:
    with zipfile.ZipFile(sdk_wheel) as archive:
        names = set(archive.namelist())
    sources = {path.relative_to(ROOT).as_posix() for path in SDK.rglob("*.py")}
    assert sources | {"loyalty_sdk/py.typed"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdk_installs_one_module_in_a_clean_environment(sdk_wheel: Path, tmp_path: Path) -> None:
    python = clean_python(tmp_path / "environment")
    pip("--python", python, "install", "--no-deps", "--no-index", sdk_wheel, cwd=tmp_path)
    site_packages = Path(
        succeed(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    )
    installed = {path.name for path in site_packages.iterdir() if not path.name.endswith(".dist-info")}
    assert installed == {"loyalty_sdk"}
    where = succeed(python, "-c", "import loyalty_sdk; print(loyalty_sdk.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(site_packages)


def test_the_agent_brings_its_four_packages_and_two_programs(agent_wheel: Path) -> None:
    assert top_level_of(agent_wheel) == {"terminal_agent", "drivers", "sync", "central_api"}
    metadata = metadata_of(agent_wheel)
    assert metadata["Name"] == "pos-loyalty-agent"
    assert "pos-loyalty-sdk==0.1.0" in metadata.get_all("Requires-Dist", [])
    assert metadata.get_all("Provides-Extra") == ["central"]
    with zipfile.ZipFile(agent_wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        programs = archive.read(name).decode()
    assert "loyalty-agent = terminal_agent.cli:main" in programs
    assert "loyalty-central = central_api.cli:main" in programs


def test_both_carry_the_same_version(sdk_wheel: Path, agent_wheel: Path) -> None:
    assert metadata_of(sdk_wheel)["Version"] == metadata_of(agent_wheel)["Version"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a clean environment into which both were installed, dependencies and all."""
    folder = tmp_path_factory.mktemp("plain")
    probe = run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries", "0", "--timeout", "10"),
        *("--dest", folder, "hatchling>=1.33,<2"),
        cwd=folder,
    )
    if probe.returncode:
        pytest.skip("pip reaches no package index here; the plain installation needs one for the dependencies")
    python = clean_python(folder / "environment")
    pip("--python", python, "install", "--quiet", "--no-compile", SDK, ROOT, cwd=folder)
    return python.parent


def test_a_plain_installation_is_whole(installed: Path, tmp_path: Path) -> None:
    """`pip install ./loyalty_sdk .`, without the extra: central's libraries do not come along."""
    python = installed / "python"
    assert "No broken requirements found" in pip("--python", python, "check", cwd=tmp_path)
    names = succeed(
        python, "-c", "import importlib.metadata as m; print(*(d.name for d in m.distributions()))", cwd=tmp_path
    )
    assert {"pos-loyalty-sdk", "pos-loyalty-agent", "httpx"} <= set(names.split())
    assert "fastapi" not in names.split()


def test_the_agent_runs_without_central(installed: Path, tmp_path: Path) -> None:
    assert "usage: loyalty-agent" in succeed(installed / "loyalty-agent", "--help", cwd=tmp_path)


def test_central_without_its_extra_says_what_is_missing(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "loyalty-central", "serve", cwd=tmp_path)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "pos-loyalty-agent[central]" in done.stderr
