"""`--report`: what was asked for, and writing it once the verdict has been shown.

Only this module knows the library's reports; a command that was not asked for any loads none of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from mlstore.errors import MlstoreError, UsageError
from mlstore_cli import errors, output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mlstore.report import Outcome
    from mlstore.verify import FsckReport, Report
    from mlstore_cli.context import Session

GITHUB: Final = "github"
STDOUT: Final = "-"
_PROJECTS: Final = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


class Wanted(NamedTuple):
    """One report that was asked for; `github` has no target of its own."""

    kind: str
    target: str


def parse(session: Session, values: Sequence[str]) -> tuple[Wanted, ...]:
    """Read `KIND=FILE` and `github`; raises UsageError, so that nothing is verified in vain."""
    from mlstore.report import FORMATS

    wanted = []
    for value in values:
        kind, equals, target = value.partition("=")
        if kind not in (*FORMATS, GITHUB):
            raise _unknown(kind, (*FORMATS, GITHUB))
        if kind == GITHUB and equals:
            raise UsageError(
                "the report 'github' takes no file", hint="it writes to stdout, and $GITHUB_STEP_SUMMARY"
            )
        if kind != GITHUB and not target:
            raise UsageError(
                f"the report '{kind}' needs a file", hint=f"'--report {kind}=FILE', or '{kind}=-' for stdout"
            )
        wanted.append(Wanted(kind, target))
    unique = tuple(dict.fromkeys(wanted))
    _check_targets(session, unique)
    return unique


def _unknown(kind: str, known: Sequence[str]) -> UsageError:
    from difflib import get_close_matches

    near = get_close_matches(kind.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"one of: {', '.join(known)}"
    return UsageError(f"'{kind}' is not a kind of report", hint=hint)


def _check_targets(session: Session, wanted: Sequence[Wanted]) -> None:
    targets = [one.target for one in wanted if one.kind != GITHUB]
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise UsageError(f"two reports cannot go to '{twice}'", hint="give each a file of its own")
    if STDOUT in targets and session.json:
        raise UsageError("'--json' and a report both want stdout", hint="give the report a file")
    store = Path(os.path.realpath(session.repo.store))
    for target in targets:
        if target != STDOUT and Path(os.path.realpath(session.path(target))).is_relative_to(store):
            raise UsageError(f"'{target}' is inside of the store", hint="write the report elsewhere")


def deliver(
    session: Session,
    wanted: Sequence[Wanted],
    report: Report | FsckReport,
    show: Callable[[], None],
    *,
    against: str | None = None,
) -> None:
    """Show the verdict by `show`, then write every report; raises CannotRun when one could not be written.

    With a report on stdout nothing else goes there. With `github`, what `show` prints is fenced off, for
    names in it could look like commands to the runner.
    """
    from mlstore.report import outcome_of

    outcome = outcome_of(report, time=session.now(), prefix=project_prefix(session))
    to_stdout = any(one.target == STDOUT for one in wanted)
    on_github = any(one.kind == GITHUB for one in wanted)
    if not to_stdout:
        _show_fenced(show) if on_github and not session.json else show()
    problems = []
    for one in sorted(wanted, key=lambda one: one.kind == GITHUB):
        try:
            if one.kind == GITHUB:
                _tell_github(session, outcome, aside=to_stdout or session.json)
            else:
                _write(session, one, outcome, against)
        except (MlstoreError, OSError) as exc:
            problems.append(exc)
    if problems:
        session.json = False  # stdout has its one object already: this goes to stderr
        for problem in problems[1:]:
            output.write_note(f"error: {output.escape(errors.describe(problem).message)}")
        raise as_refusal(problems[0])


def as_refusal(problem: MlstoreError | OSError) -> MlstoreError:
    """Give a failure to write as one whose exit status is that of "could not run"."""
    from mlstore.errors import StorageError

    failure = errors.describe(problem)
    return StorageError(f"a report was not written: {failure.message}", hint=failure.hint)


def project_prefix(session: Session) -> str:
    """Return the folder of the repository below the root that the CI system shows files from, with its `/`.

    That root is the git repository around it, else what the CI system says it is.
    """
    root = Path(os.path.realpath(session.repo.root))
    tops = [folder for folder in (root, *root.parents) if (folder / ".git").exists()]
    told = (session.environ.get(name) for name in _PROJECTS)
    tops += [Path(os.path.realpath(folder)) for folder in told if folder]
    top = next((folder for folder in tops if root.is_relative_to(folder)), root)
    below = root.relative_to(top).as_posix()
    return "" if below == "." else f"{below}/"


def _show_fenced(show: Callable[[], None]) -> None:
    from secrets import token_hex

    start, end = _fence(token_hex(16))
    output.write_line(start)
    try:
        show()
    finally:
        output.write_line(end)


def _fence(token: str) -> tuple[str, str]:
    from mlstore.report import fenced

    start, end = fenced((), token)
    return start, end


def _tell_github(session: Session, outcome: Outcome, *, aside: bool) -> None:
    """Write annotations to stdout, or to stderr where stdout is taken: the runner reads both."""
    from mlstore.report import summary, workflow_commands

    _say(workflow_commands(outcome), aside=aside)
    name = session.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    with Path(name).open("ab") as file:
        file.write(summary(outcome, used=file.tell()))


def _say(lines: Iterable[str], *, aside: bool) -> None:
    for line in lines:
        if aside:
            output.write_note(line)
        else:
            output.write_line(line)


def _write(session: Session, wanted: Wanted, outcome: Outcome, against: str | None) -> None:
    from mlstore.report import gather, render

    dossier = None
    if wanted.kind == "html":
        with session.progress("comparing"):
            dossier = gather(session.repo, outcome, against=against)
    data = render(wanted.kind, outcome, dossier)
    if wanted.target == STDOUT:
        output.write_bytes([data])
    else:
        write_file(session.path(wanted.target), data)


def write_file(path: Path, data: bytes) -> None:
    """Make a file hold `data`, at once; a pipe or a device is written to."""
    from mlstore.durable import replace_file

    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        path.write_bytes(data)
    else:
        replace_file(path, data, scratch=path.parent)


def option_callback(
    ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[Wanted, ...]:
    """Turn what was typed into reports, before anything is verified."""
    from mlstore_cli.context import Session

    session = ctx.find_object(Session)
    assert session is not None
    return parse(session, values)
