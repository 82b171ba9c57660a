"""The environment of a stage: recorded beside what it did, compared when results differ.

It is no part of the lineage. A command that begins with a Python interpreter is described by that very
interpreter; any other by the one that runs mlstore.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlstore._version import __version__
from mlstore.model import canonical_json

_PYTHON = re.compile(r"(python|pypy)[0-9.]*(\.exe)?\Z", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PATIENCE = 60.0

_VARIABLES = frozenset(
    {
        "CUBLAS_WORKSPACE_CONFIG",
        "CUDA_VISIBLE_DEVICES",
        "LANG",
        "LC_ALL",
        "PYTHONHASHSEED",
        "TF_CUDNN_DETERMINISTIC",
        "TF_DETERMINISTIC_OPS",
        "TZ",
        "XLA_FLAGS",
    }
)
_NO_SEED = frozenset({"", "none", "off", "random"})
_PREFIXES = ("BLIS_", "GOTO_", "KMP_", "MKL_", "NUMEXPR_", "OMP_", "OPENBLAS_", "VECLIB_")

# Asked of the interpreter that runs the command. The worktree is taken off its path first: a pipeline's
# own json.py is not the one that is meant here.
_PROBE = """
import sys
sys.path[:] = [p for p in sys.path if p not in ("", ".")]
import json, platform
found = {"python": {"version": platform.python_version(), "implementation": platform.python_implementation()}}
packages = {}
try:
    from importlib.metadata import distributions
    for one in distributions():
        name = one.metadata["Name"]
        if name:
            packages.setdefault(str(name), str(one.version))
except Exception:
    pass
found["packages"] = packages
if "numpy" in {name.lower() for name in packages}:
    try:
        import numpy
        build = numpy.show_config(mode="dicts")["Build Dependencies"]
        found["blas"] = {k: {f: str(build[k][f]) for f in ("name", "version") if f in build[k]}
                         for k in ("blas", "lapack") if k in build}
    except Exception:
        pass
sys.stdout.write(json.dumps(found))
"""


class EnvironmentProbe:
    """Describes environments, asking each interpreter and git only once.

    *root* is the worktree, *environ* the environment that the commands get.
    """

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._environ = dict(environ)
        self._asked: dict[str | None, dict[str, Any]] = {}
        self._common: dict[str, Any] | None = None

    def capture(self, command: Sequence[str]) -> bytes:
        """Give the environment that *command* would run in as canonical JSON."""
        if self._common is None:
            self._common = self._describe_machine()
        interpreter = find_interpreter(command, self._root, self._environ)
        if interpreter not in self._asked:
            self._asked[interpreter] = self._ask(interpreter)
        return canonical_json(_plain(self._common | self._asked[interpreter]))

    def _ask(self, interpreter: str | None) -> dict[str, Any]:
        if interpreter is not None:
            answer = _output_of([interpreter, "-c", _PROBE], self._root, self._environ)
            try:
                found = json.loads(answer or "")
            except ValueError:
                found = None
            if isinstance(found, dict):
                return {**found, "source": "command"}
        return {
            "python": {
                "version": platform.python_version(),
                "implementation": platform.python_implementation(),
            },
            "packages": _own_packages(),
            "source": "mlstore",
        }

    def _describe_machine(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "cpu": _cpu_model(),
            "mlstore": __version__,
            "platform": _platform(),
            "variables": chosen_variables(self._environ),
        }
        git = self._git()
        if git:
            found["git"] = git
        return found

    def _git(self) -> dict[str, Any] | None:
        revision = _output_of(["git", "rev-parse", "--verify", "HEAD"], self._root, self._environ)
        if not revision:
            return None
        changes = _output_of(
            ["git", "--no-optional-locks", "status", "--porcelain", "--untracked-files=no"],
            self._root,
            self._environ,
        )
        return {"commit": revision.strip(), "dirty": bool(changes)}


def find_interpreter(command: Sequence[str], root: Path, environ: Mapping[str, str]) -> str | None:
    """Give the path of the Python that *command* starts, None when it starts something else."""
    words = list(command)
    if len(words) == 3 and words[:2] == ["sh", "-c"]:
        try:
            words = shlex.split(words[2])
        except ValueError:
            return None
    while words and (_ASSIGNMENT.match(words[0]) or words[0] in ("exec", "env")):
        words = words[1:]
    if not words or not _PYTHON.match(words[0].rpartition("/")[2]):
        return None
    if "/" in words[0]:
        path = os.path.join(root, words[0])
        return path if os.access(path, os.X_OK) else None
    return shutil.which(words[0], path=environ.get("PATH", os.defpath))


def chosen_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the variables that are known to change results; nothing that could be a secret.

    Seeds are any ``...SEED`` that holds a number, or a word for having none.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _VARIABLES or name.startswith(_PREFIXES) or (name.endswith("SEED") and _is_seed(value))
    }


def _is_seed(value: str) -> bool:
    """A number, or a word that says there is none: what could be a secret is not recorded."""
    return value.lower() in _NO_SEED or (value.isascii() and value.isdigit() and len(value) <= 20)


def _plain(value: Any) -> Any:
    """Reduce *value* to what canonical JSON can say; undecodable bytes become question marks."""
    if isinstance(value, dict):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, bool):
        return value
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _own_packages() -> dict[str, str]:
    from importlib.metadata import distributions

    packages: dict[str, str] = {}
    for one in distributions():
        name = one.metadata["Name"]
        if name:
            packages.setdefault(str(name), str(one.version))
    return packages


def _platform() -> dict[str, str]:
    libc = " ".join(part for part in platform.libc_ver() if part)
    found = {"system": platform.system(), "release": platform.release(), "machine": platform.machine()}
    return found | ({"libc": libc} if libc else {})


def _cpu_model() -> str:
    if sys.platform.startswith("linux"):
        try:
            with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
                for line in file:
                    if line.startswith("model name"):
                        return line.partition(":")[2].strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()


def _output_of(command: list[str], cwd: Path, environ: Mapping[str, str]) -> str | None:
    """Give what *command* prints, None when it cannot be run or fails."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
