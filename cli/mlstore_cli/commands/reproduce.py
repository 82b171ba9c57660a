"""`mlstore reproduce`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlstore_cli import errors, output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.live import Live
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.signals import ending_on_signals

if TYPE_CHECKING:
    from mlstore.history import Block
    from mlstore.pipeline.reproduction import StageResult, Watcher


@define("reproduce")
@click.option("--stage", "stages", multiple=True, metavar="NAME", help="Only this stage of REV; repeatable.")
@click.option(
    "-t",
    "--times",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Run each command N times.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End a command that takes longer, each time it is run.",
)
@click.option("--record", is_flag=True, help="Note the verdicts on the commits; 'log' and 'chain' show them.")
@click.option("--keep", is_flag=True, help="Keep the scratch folders, and say where they are.")
@click.option(
    "--allow-load",
    is_flag=True,
    help='Let a rule "predictions" load, and so run, the recorded model and the one that was made again.',
)
@json_option
@click.argument("what", default="HEAD", metavar="[REV|STAGE]", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    stages: tuple[str, ...],
    times: int,
    timeout: float | None,
    record: bool,
    keep: bool,
    allow_load: bool,
    as_json: bool,
    what: str,
) -> int:
    """Run recorded stages again in a scratch folder and compare.

    This EXECUTES the commands that the chain at REV (default HEAD) records, or that of one STAGE, with your
    rights: they are those of the pipeline, so reproduce only what you would run. Each finds a folder that
    holds exactly its recorded inputs, and an environment of PATH, HOME, LANG, TMPDIR, TZ=UTC and what 'env'
    in mlstore.toml declares. Your files, the index and the commits are left alone.

    A stage is reproduced (the same bytes), equivalent (under a rule of [gate]), diverged, or failed. One that
    diverged runs again: re-runs that differ among themselves are nondeterministic, re-runs that agree point
    to another environment, and what differs there is listed. Exit status 1 if any diverged or failed.
    """
    from mlstore.pipeline.reproduction import ReproduceRequest, record_verdicts, reproduce
    from mlstore_cli.views import reproduction as view

    rev, stages = _meant(session, what, stages)
    author = session.author(hint=True) if record else None
    screen = _Screen(session, as_json=as_json)
    request = ReproduceRequest(
        environ=session.environ,
        scratch=Path(tempfile.gettempdir()),
        rev=rev,
        stages=stages,
        times=times,
        timeout=timeout,
        keep=keep,
        allow_load=allow_load,
        watcher=screen.watcher(),
    )
    with ending_on_signals():
        found = reproduce(session.repo, request)
    if author is not None:
        found = record_verdicts(session.repo, found, author=author, time=session.now())
    if as_json:
        output.emit_json("reproduce/1", found.to_dict())
    else:
        output.write_lines(view.format_end(found, session.style))
    return errors.OK if found.ok else errors.DIFFERS


def _meant(session: Session, what: str, stages: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the revision and the stages: a lone word may be the name of a stage of HEAD's chain."""
    from mlstore.errors import InvalidRevision, NotFoundError
    from mlstore.history import read_chain, resolve_commit

    repo = session.repo
    head = repo.refs.head().commit
    is_stage = not stages and head is not None and read_chain(repo, head).get(what) is not None
    try:
        resolve_commit(repo, what)
    except (NotFoundError, InvalidRevision):
        if is_stage:
            return "HEAD", (what,)
        raise
    if is_stage:
        raise InvalidRevision(
            f"'{what}' is both a revision and a stage",
            hint=f"'--stage {what}' means the stage, 'refs/heads/{what}' or 'refs/tags/{what}' the revision",
        )
    return what, stages


class _Screen:
    """What the user sees meanwhile: our lines and the commands' output, on stderr when stdout is for JSON."""

    def __init__(self, session: Session, *, as_json: bool) -> None:
        self._session = session
        self._json = as_json
        self._live = Live(sys.stderr if as_json else sys.stdout, prefixed=False)

    def watcher(self) -> Watcher:
        """Give what the library is to call."""
        from mlstore.pipeline.reproduction import Watcher

        output_of = self._live.output if not self._session.quiet else lambda stage, data: None
        return Watcher(self._started, output_of, self._ended)

    def _started(self, block: Block, number: int) -> None:
        from mlstore_cli.views import reproduction as view

        if not (self._json or self._session.quiet):
            self._live.say(view.format_start(block, number, self._session.style))

    def _ended(self, result: StageResult) -> None:
        from mlstore_cli.views import reproduction as view

        if not self._json:
            self._live.say(view.format_stage(result, self._session.style))
