"""Where the command ends: what was written goes out, and no failure passes as a traceback."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from mlstore_cli import output
from mlstore_cli.context import Session

if TYPE_CHECKING:
    from collections.abc import Callable

_PIPE_CLOSED = 141


def guarded(args: list[str], action: Callable[[Session], int]) -> int:
    """Do it; every failure becomes an exit status and a line on stderr."""
    output.use_utf8()
    session = Session.from_process()
    try:
        status = action(session)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()
        return _PIPE_CLOSED
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the boundary: nothing passes it as a traceback
        from mlstore_cli import errors

        return errors.report(exc, session, args)
    return status


def _discard_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's own flush at exit does not complain."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
