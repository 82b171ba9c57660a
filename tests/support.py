"""What tests share: the installed command as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make the environment of a command: our Python first on PATH, one fixed author, no colour.

    Home, git's settings and whatever the caller's shell had set are hidden by conftest already.
    """
    env = dict(os.environ)
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    env["MLSTORE_AUTHOR_NAME"] = "Ada Lovelace"
    env["MLSTORE_AUTHOR_EMAIL"] = "ada@example.org"
    env["NO_COLOR"] = "1"
    return env | dict(extra or {})


def run_mlstore(
    args: Sequence[str | Path], cwd: Path, *, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `mlstore ARGS` in `cwd` and hand back status and output, whatever they are.

    `-P` keeps `cwd` off the module search path, as the console script does: a pipeline may have a `json.py`.
    """
    return subprocess.run(
        [sys.executable, "-P", "-m", "mlstore_cli", *map(str, args)],
        cwd=cwd,
        env=environment(env),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
