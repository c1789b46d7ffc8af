"""Importing the drivers loads neither python-escpos nor anything of the project beside them."""

import subprocess
import sys

MODULES = (
    "drivers.scanner.reader, drivers.scanner.twin, drivers.printer.printer, drivers.printer.twin, "
    "drivers.printer.render"
)


def test_escpos_10_importing_every_module_does_not_import_python_escpos() -> None:
    code = (
        f"import sys, {MODULES}\n"
        "heavy = {'escpos', 'PIL', 'yaml', 'barcode', 'qrcode', 'loyalty_sdk', 'sync', 'httpx', 'sqlalchemy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_import_drivers_is_almost_nothing() -> None:
    code = "import sys; before = set(sys.modules); import drivers; print(sorted(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['drivers']"
