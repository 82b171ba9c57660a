"""The one place that turns a failure into an exit status and into lines on stderr.

======  ====================================================================
status  meaning
======  ====================================================================
0       fine
1       it differs, diverged, or was refused; nothing was changed
2       the request or a configuration file is wrong
3       the store or an artifact is corrupt
4       an object, ref or path is missing
5       a signature is missing or not trusted
6       could not run: locked, disk full, no permission; also a bug in mlstore
130     interrupted from the keyboard
141     the reader of the output went away (as a shell reports git there)
======  ====================================================================

With `--json` the failure is also the one JSON object on stdout, schema `mlstore.error/1`:
`kind` (a stable word), `message`, `hint` (or null), `status`, and `paths` where files are concerned.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from mlstore.errors import (
    CannotRun,
    CorruptError,
    MlstoreError,
    NotFoundError,
    NotTrusted,
    Refused,
    UsageError,
)
from mlstore_cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlstore_cli.context import Session

OK: Final = 0
DIFFERS: Final = 1
USAGE: Final = 2
CORRUPT: Final = 3
MISSING: Final = 4
NOT_TRUSTED: Final = 5
CANNOT_RUN: Final = 6
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141

_FAMILIES: Final[tuple[tuple[type[MlstoreError], int], ...]] = (
    (UsageError, USAGE),
    (Refused, DIFFERS),
    (CorruptError, CORRUPT),
    (NotFoundError, MISSING),
    (NotTrusted, NOT_TRUSTED),
    (CannotRun, CANNOT_RUN),
)
_CATEGORIES: Final = {"corrupt": CORRUPT, "missing": MISSING, "untrusted": NOT_TRUSTED, "differs": DIFFERS}
_SURPLUS: Final = "Got unexpected extra "
_MOST_PATHS: Final = 20
_OS_STATUS: Final = {errno.ENOENT: MISSING, errno.ENOTDIR: MISSING, errno.EISDIR: USAGE}
_ADVICE: Final = {
    errno.EISDIR: "name a file, not a folder",
    errno.ENOENT: "check the spelling",
    errno.ENOTDIR: "a file stands where a folder is meant",
    errno.ENOSPC: "free some space and try again; the repository is intact",
    errno.EDQUOT: "free some of your quota and try again; the repository is intact",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "check the owner and the permissions of the file and its folder",
    errno.EPERM: "check the owner and the permissions of the file and its folder",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as the user will see it."""

    kind: str
    message: str
    status: int
    hint: str | None = None
    paths: tuple[str, ...] = ()


def describe(exc: BaseException) -> Failure:
    """Translate any exception; what is not expected is called a bug, never shown as a traceback."""
    if isinstance(exc, MlstoreError):
        return _describe_mlstore(exc)
    if isinstance(exc, click.Abort | KeyboardInterrupt):
        return Failure("interrupted", "interrupted", INTERRUPTED)
    if isinstance(exc, click.ClickException):
        return _describe_click(exc)
    if isinstance(exc, OSError):
        return _describe_os(exc)
    if isinstance(exc, MemoryError):
        return Failure("out-of-memory", "out of memory", CANNOT_RUN)
    return Failure(
        "bug",
        f"internal error: {type(exc).__name__}: {exc}",
        CANNOT_RUN,
        hint="this is a bug in mlstore; MLSTORE_DEBUG=1 in the environment shows where",
    )


def status_of(exc: MlstoreError) -> int:
    """Return the exit status of a library error."""
    return next((status for family, status in _FAMILIES if isinstance(exc, family)), DIFFERS)


def status_of_category(category: str | None) -> int:
    """Return the exit status of a verification: that of the gravest kind of finding, None being fine."""
    return _CATEGORIES.get(category, OK) if category is not None else OK


def _describe_mlstore(exc: MlstoreError) -> Failure:
    paths = exc.data.get("paths", ())
    listed = () if isinstance(paths, str) else tuple(str(path) for path in paths)
    return Failure(exc.kind, exc.message, status_of(exc), hint=exc.hint, paths=listed)


def _describe_os(exc: OSError) -> Failure:
    reason = (exc.strerror or str(exc) or type(exc).__name__).lower()
    name = exc.filename
    subject = f"'{os.fsdecode(name)}': " if isinstance(name, str | bytes | os.PathLike) else ""
    status = _OS_STATUS.get(exc.errno or 0, CANNOT_RUN)
    return Failure("storage", f"{subject}{reason}", status, hint=_ADVICE.get(exc.errno or 0))


def _describe_click(exc: click.ClickException) -> Failure:
    context = getattr(exc, "ctx", None)
    hint = f"see '{context.command_path} -h'" if context is not None else None
    if isinstance(exc, click.NoSuchOption):
        message = f"unknown option '{exc.option_name}'"
        if exc.possibilities:
            hint = f"did you mean {' or '.join(sorted(exc.possibilities))}?"
    elif isinstance(exc, click.MissingParameter) and exc.param is not None:
        param = exc.param
        label = param.human_readable_name if param.param_type_name == "argument" else param.opts[-1]
        message = f"missing {param.param_type_name} '{label}'"
    elif exc.message.startswith(_SURPLUS):
        noun, _, words = exc.message.removeprefix(_SURPLUS).partition(" (")
        message = f"unexpected {noun} '{words.removesuffix(')')}'"
    else:
        message = exc.format_message().strip().removesuffix(".")
        message = message[:1].lower() + message[1:]
    return Failure("usage", message, USAGE, hint=getattr(exc, "advice", None) or hint)


def report(exc: BaseException, session: Session, args: Sequence[str]) -> int:
    """Print a failure and return the exit status. `args` tells if JSON was wanted when parsing failed."""
    failure = describe(exc)
    json_wanted = session.json or (failure.kind == "usage" and "--json" in args)
    with contextlib.suppress(OSError):  # a full disk may refuse the report as well; the status still tells
        if json_wanted:
            output.emit_json("error/1", _as_json(failure))
            sys.stdout.flush()
        for line in _as_lines(failure, session.error_style):
            output.write_note(line)
        if session.debug and not isinstance(exc, click.ClickException):
            _print_traceback(exc)
    return failure.status


def _as_lines(failure: Failure, style: output.Style) -> list[str]:
    if failure.kind == "interrupted":
        return [output.escape(failure.message)]
    lines = [f"{style.red('error:')} {output.escape(failure.message)}"]
    if any(path not in failure.message for path in failure.paths):
        lines += [f"  {output.quote(path)}" for path in failure.paths[:_MOST_PATHS]]
        if len(failure.paths) > _MOST_PATHS:
            lines.append(f"  ... and {len(failure.paths) - _MOST_PATHS} more")
    if failure.hint:
        lines.append(style.cyan("hint:") + f" {output.escape(failure.hint)}")
    return lines


def _as_json(failure: Failure) -> dict[str, object]:
    data: dict[str, object] = {
        "kind": failure.kind,
        "message": failure.message,
        "hint": failure.hint,
        "status": failure.status,
    }
    if failure.paths:
        data["paths"] = list(failure.paths)
    return data


def _print_traceback(exc: BaseException) -> None:
    import traceback

    for line in "".join(traceback.format_exception(exc)).splitlines():
        output.write_note("\t".join(map(output.escape, line.split("\t"))))
