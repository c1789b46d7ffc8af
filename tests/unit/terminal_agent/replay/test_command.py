"""The command for the command line: it declares its options without loading what a run needs."""

import subprocess
import sys

SMALL = """
import argparse, sys
from terminal_agent.replay.command import add_arguments
add_arguments(argparse.ArgumentParser())
print(sorted({"rich", "sqlalchemy", "httpx", "babel"} & set(sys.modules)))
"""


def test_declaring_the_options_loads_no_library() -> None:
    done = subprocess.run([sys.executable, "-c", SMALL], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
