"""The entry point of the command `mlstore`.

`mlstore --version` is answered here, before anything else is imported, so that a script which only asks
whether mlstore is there pays no more than Python's own start-up; and a plain `mlstore status` without the
parser of the command line (see `mlstore_cli.quick`).
"""

from __future__ import annotations

import os
import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status (see `mlstore_cli.errors` for what each status means)."""
    args = sys.argv[1:] if argv is None else argv
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _open_what_is_closed()
    if args == ["--version"]:
        from mlstore._version import __version__

        sys.stdout.write(f"mlstore {__version__}\n")
        return 0
    try:
        if args[:1] == ["status"] and "_MLSTORE_COMPLETE" not in os.environ:
            from mlstore_cli import quick

            status = quick.run(args[1:])
            if status is not None:
                return status if argv is not None else _leave(status)
        from mlstore_cli.app import run

        return run(args)
    except KeyboardInterrupt:  # pressed while the modules were still loading
        return 130


def _open_what_is_closed() -> None:
    """Put the null device where the caller closed a standard stream (`>&-`), as git does.

    Otherwise the first file that is opened, one of the store perhaps, would get its number.
    """
    number = os.open(os.devnull, os.O_RDWR)
    while number <= 2:
        os.set_inheritable(number, True)
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _leave(status: int) -> int:
    """End the process here: taking the interpreter apart takes longer than what `status` did in it.

    Only for the process that is nothing but this command, and only when it has nothing left to say.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return status  # the interpreter knows what to say of it
    os._exit(status)
