"""Install the peers: from Debian when we may, from the Python index into an environment of each one's own."""

from __future__ import annotations

import compileall
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from typing import TYPE_CHECKING

from tests.benchmarks.runner import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.tools import Tool


SCRIPT = """\
#!{python}
import sys
sys.path.insert(0, {code!r})
from mlstore_cli.main import main
sys.exit(main())
"""


def freeze_mlstore(root: Path, folder: Path) -> str:
    """Copy mlstore's code below `folder` and give its name: what is measured must not change meanwhile.

    The command there is like the one that pip makes. Results belong to one name; other code is measured anew.
    """
    fresh = folder / "mlstore-fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    for package in (root / "store" / "mlstore", root / "cli" / "mlstore_cli"):
        shutil.copytree(package, fresh / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    digest = hashlib.sha256()
    for path in sorted(fresh.rglob("*.py")):
        digest.update(path.relative_to(fresh).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    build = digest.hexdigest()[:10]
    target = folder / "mlstore"
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    compileall.compile_dir(target, quiet=2)  # as pip does: the first command must not do it
    script = target / "bin" / "mlstore"
    script.parent.mkdir()
    script.write_text(SCRIPT.format(python=sys.executable, code=str(target)))
    script.chmod(0o755)
    return build


def install(tools: Sequence[Tool], folder: Path) -> list[Tool]:
    """Install what is missing, and give the tools that are there: the others are left out."""
    missing = [tool for tool in tools if tool.executable() is None]
    if debian := sorted({tool.package.debian for tool in missing} - {""}):
        install_debian(debian)
    for tool in missing:
        if tool.package.python:
            install_python(tool, folder / tool.name)
    for tool in tools:
        if tool.executable() is None:
            say(f"'{tool.name}' is not installed and cannot be; left out")
    return [tool for tool in tools if tool.executable() is not None]


def install_debian(packages: Sequence[str]) -> None:
    """Let apt-get install packages, if there is one and we are root."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    say(f"installing {', '.join(packages)}")
    quietly(["apt-get", "-qq", "update"])
    for package in packages:
        quietly(["apt-get", "-qq", "install", "-y", "--no-install-recommends", package])


def quietly(command: list[str]) -> None:
    """Run a command that asks nothing and shows nothing; whether it worked is seen afterwards."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def install_python(tool: Tool, folder: Path) -> None:
    """Make a virtual environment and install the tool there."""
    say(f"installing {tool.name}")
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *tool.package.python], stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        print(f"pip could not install {tool.name}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
