"""`mlstore status` with options that need no parser: the prompt of many a shell asks for it all the time.

Loading the parser takes longer than looking at a small repository. Whatever is not plainly one of the
options below goes the ordinary way, to the same function.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mlstore_cli.context import Session

_FLAGS: Final = {
    "-s": "short",
    "--short": "short",
    "-b": "branch",
    "--branch": "branch",
    "--porcelain": "porcelain",
    "--long": "long",
    "-z": "null",
    "--json": "as_json",
    "-q": "quiet",
    "--quiet": "quiet",
    "--no-color": "no_color",
}
_UNTRACKED: Final = {
    f"{option}{value}": value for option in ("-u", "--untracked-files=") for value in ("normal", "all", "no")
}


def read_options(args: list[str]) -> tuple[set[str], str] | None:
    """Take the arguments of `status` apart: flags, and which untracked files; None: not that simple."""
    flags, untracked = set(), "normal"
    for arg in args:
        if arg in _FLAGS:
            flags.add(_FLAGS[arg])
        elif arg in _UNTRACKED:
            untracked = _UNTRACKED[arg]
        else:
            return None
    return flags, untracked


def run(args: list[str]) -> int | None:
    """Run `status` with `args`, which follow its name; None when that takes a parser."""
    options = read_options(args)
    if options is None:
        return None
    flags, untracked = options
    from mlstore_cli.boundary import guarded

    def act(session: Session) -> int:
        session.quiet, session.no_color = "quiet" in flags, "no_color" in flags
        session.json = "as_json" in flags
        show_status(session, flags, untracked)
        return 0

    return guarded(["status", *args], act)


def show_status(session: Session, flags: set[str], untracked: str) -> None:
    """Compare HEAD, index and worktree, and print the result in the form that `flags` ask for."""
    from mlstore.worktree.status import status
    from mlstore_cli import output
    from mlstore_cli.views import status as view

    with session.progress("scanning") if sys.stderr.isatty() else nullcontext():
        found = status(session.repo, untracked=untracked)
    if "as_json" in flags:
        output.emit_json("status/1", view.to_json(found))
    elif flags & {"porcelain", "null"}:
        output.write(view.format_porcelain(found, "null" in flags, "branch" in flags))
    elif "short" in flags and "long" not in flags:
        output.write_lines(view.format_short(found, session.shown, session.style, "branch" in flags))
    else:
        output.write_lines(view.format_long(found, session.shown, session.style))
