"""Runs inside a stage's own Python processes: tells which files below the repository they open.

A copy of this file, named ``sitecustomize.py``, stands first on PYTHONPATH while a stage is observed. It uses
the standard library alone, works in any Python from 3.8 on, and leaves no trace but the variable: its folder
is taken off the module path again, and a ``sitecustomize`` that would have been found without it is run. It
never fails the stage: what cannot be written down is not.

Beside it lie ``root`` (the folder to tell about) and ``seen``, a folder with one file a process. A record is
a letter, a blank, a path and a zero byte: S an interpreter that was started, R read, W written, D removed,
X a program that was started.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # that of typing, which the stage may not have loaded itself
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
_MAKES = os.O_CREAT | os.O_TRUNC


def begin(here: str) -> None:
    """Watch this process from now on, and let the interpreter's own ``sitecustomize`` have its turn."""
    with open(os.path.join(here, "root"), encoding="utf-8", errors="surrogateescape") as file:
        root = file.read()
    sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != here]
    sys.addaudithook(watch(root, os.path.join(here, "seen")))
    ours = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")  # the one that is found without us
    except ImportError as exc:
        if exc.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", ours)


def _blinds(args: Any, here: str) -> str:
    """Say what keeps a Python that is started from loading us: an option, or another PYTHONPATH."""
    words = args[1] if isinstance(args[1], (list, tuple)) else ()
    for word in map(os.fsdecode, words[1:]):
        if not word.startswith("-") or word in ("-c", "-m"):
            break
        if not word.startswith(("--", "-X", "-W")) and set(word) & set("IES"):
            return f" {word}"
    variables = args[-1]
    if isinstance(variables, dict) and here not in str(variables.get("PYTHONPATH")):
        return " with another PYTHONPATH"
    return ""


def watch(root: str, log: str) -> Callable[[str, Any], None]:
    """Give the hook that writes down into the folder *log* what happens below *root*."""
    known = set()
    prefix = os.path.join(root, "")
    # An interpreter that lives in the repository reads itself all the time.
    own = tuple(
        os.path.join(folder, "")
        for folder in {os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix)}
        if folder.startswith(prefix)
    )

    def write(kind: str, what: str) -> None:
        if (kind, what) in known:
            return
        known.add((kind, what))
        name = os.path.join(log, str(os.getpid()))
        # Opened anew each time: a program may close every descriptor that it does not know.
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(fd, os.fsencode(f"{kind} {what}\0"))
        finally:
            os.close(fd)

    def tell(kind: str, path: Any) -> None:
        if isinstance(path, int) or path is None:
            return
        full = os.path.realpath(os.path.join(os.getcwd(), os.fsdecode(path)))
        if full.startswith(prefix) and not full.startswith(own):
            write(kind, full[len(prefix) :])

    def opened(args: Any) -> None:
        path, flags = args[0], args[2]
        access = flags & _ACCESS
        if access != os.O_WRONLY and not (access == os.O_RDWR and flags & os.O_TRUNC):
            tell("R", path)
        if access != os.O_RDONLY or flags & _MAKES:
            tell("W", path)

    def moved(args: Any) -> None:
        tell("D", args[0])
        tell("W", args[1])

    def linked(args: Any) -> None:
        tell("R", args[0])
        tell("W", args[1])

    def database(args: Any) -> None:
        name = os.fsdecode(args[0])
        tell("R", name[5:].partition("?")[0] if name.startswith("file:") else name)

    def started(args: Any) -> None:
        name = os.path.basename(os.fsdecode(args[0]))
        if name.startswith(("python", "pypy")):
            name += _blinds(args, os.path.dirname(log))
        write("X", name)

    handlers: dict[str, Callable[[Any], None]] = {
        "mlstore.begin": lambda args: write("S", os.fsdecode(args[0])),
        "open": opened,
        "os.rename": moved,
        "os.link": linked,
        "os.symlink": lambda args: tell("W", args[1]),
        "os.remove": lambda args: tell("D", args[0]),
        "os.truncate": lambda args: tell("W", args[0]),
        "sqlite3.connect": database,
        "ctypes.dlopen": lambda args: tell("R", args[0]),
        "subprocess.Popen": started,
        "os.posix_spawn": started,
        "os.exec": started,
        "os.system": lambda args: write("X", "sh"),
    }

    def hook(event: str, args: Any) -> None:
        handler = handlers.get(event)
        if handler is not None:
            try:
                handler(args)
            except Exception:  # noqa: BLE001 - the stage must not fail because it is watched
                return

    hook("mlstore.begin", (sys.executable or "python",))
    return hook


if __name__ == "sitecustomize":
    begin(os.path.dirname(os.path.realpath(__file__)))
