"""Hook files in git's hooks folder: written whole, beside what stood there, and taken away again.

A hook of somebody else is renamed to ``NAME.before-mlstore`` and run first; uninstalling gives it its name
back. Git runs a hook in the top folder of its worktree, so the file says where the mlstore repository is.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from mlstore import durable
from mlstore.durable import storage_errors
from mlstore.errors import Refused

HOOKS = ("pre-commit", "pre-push", "post-checkout")
"""The hooks of git that mlstore has something to say in."""

State: TypeAlias = Literal["installed", "foreign", "absent"]

_MARK = "# written by 'mlstore hook install'"
_BEFORE = ".before-mlstore"
_LONGEST = 1 << 20
_TEXT = """\
#!/bin/sh
{mark}; 'mlstore hook uninstall' takes it away again.
before="$(dirname "$0")/{name}{suffix}"
if [ -x "$before" ]; then
    "$before" "$@" || exit
fi
if [ -x {python} ]; then
    exec {python} -P -m mlstore_cli {where}hook run {name} "$@"
elif command -v mlstore >/dev/null 2>&1; then
    exec mlstore {where}hook run {name} "$@"
fi
echo "error: 'mlstore' is not to be found, and this hook needs it" >&2
echo "hint: install it, or take the hook away: rm '$0'" >&2
exit {otherwise}
"""


@dataclass(frozen=True, slots=True)
class HookFile:
    """One hook: ``state`` is ``foreign`` where somebody else's stands there; ``before`` is run first."""

    name: str
    path: Path
    state: State
    before: Path | None


def find_hooks(folder: Path) -> list[HookFile]:
    """Give how each of ``HOOKS`` stands in git's hooks *folder*."""
    return [_find(folder, name) for name in HOOKS]


def install_hook(folder: Path, name: str, *, python: str, where: str | None = None) -> HookFile:
    """Write the hook *name*; what stands there is kept and run first.

    *python* is the interpreter that has mlstore, *where* the repository relative to the top of git's worktree
    (None: the same folder). Raises ``Refused`` where two hooks of others are in the way, ``StorageError``.
    """
    found = _find(folder, name)
    if found.state == "foreign":
        if found.before is not None:
            raise Refused(
                f"'{found.path}' is not mlstore's, and neither is '{found.before.name}' beside it",
                hint="join the two, or remove one of them; nothing was changed",
                path=str(found.path),
            )
        _keep(found.path)
    text = _TEXT.format(
        mark=_MARK,
        name=name,
        suffix=_BEFORE,
        python=shlex.quote(python),
        where=f"-C {shlex.quote(where)} " if where else "",
        otherwise=0 if name == "post-checkout" else 1,
    )
    durable.make_folder(folder)
    durable.replace_file(found.path, text.encode("utf-8", "surrogateescape"), scratch=folder, mode=0o777)
    return _find(folder, name)


def uninstall_hook(folder: Path, name: str) -> HookFile:
    """Take the hook *name* away and give the one before it its place back; others' hooks stay.

    Raises ``StorageError``.
    """
    found = _find(folder, name)
    if found.state == "installed":
        if found.before is not None:
            with storage_errors(found.path):
                os.replace(found.before, found.path)
        else:
            durable.remove_file(found.path)
    return _find(folder, name)


def _keep(path: Path) -> None:
    """Give a hook its second name first: there is no moment without it."""
    with storage_errors(path):
        try:
            os.link(path, _before(path), follow_symlinks=False)
        except (OSError, NotImplementedError):  # a file system, or system, without such links
            os.rename(path, _before(path))


def _before(path: Path) -> Path:
    return path.with_name(path.name + _BEFORE)


def _find(folder: Path, name: str) -> HookFile:
    path = folder / name
    before = _before(path)
    return HookFile(name, path, _state(path), before if os.path.lexists(before) else None)


def _state(path: Path) -> State:
    if not os.path.lexists(path):
        return "absent"
    if path.is_symlink() or not path.is_file():
        return "foreign"
    with storage_errors(path), path.open("rb") as file:
        text = file.read(_LONGEST).decode("utf-8", "replace")
    return "installed" if _MARK in text else "foreign"
