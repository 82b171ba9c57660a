"""`mlstore run`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlstore_cli import errors, output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.live import Live
from mlstore_cli.options import Command, define, json_option
from mlstore_cli.signals import ending_on_signals

if TYPE_CHECKING:
    from mlstore.errors import MlstoreError
    from mlstore.manifest import StageSpec
    from mlstore.pipeline import Listener, RunReport, StageOutcome
    from mlstore.pipeline.observation import How, Observing


class _RunCommand(Command):
    """`--observe` alone means `--observe=audit`; a word after it is a stage."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give the option its value, then parse as every command does."""
        end = args.index("--") if "--" in args else len(args)
        spelt = ["--observe=audit" if arg == "--observe" else arg for arg in args[:end]]
        return super().parse_args(ctx, spelt + args[end:])


@define("run", cls=_RunCommand)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would run, and why.")
@click.option("-f", "--force", is_flag=True, help="Run what is named (or everything) though nothing changed.")
@click.option("-k", "--keep-going", is_flag=True, help="After a failure, go on with what does not need it.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="So many independent stages at once.",
)
@click.option(
    "--observe",
    type=click.Choice(["audit", "strace"]),
    metavar="[=strace]",
    help="Watch which files each stage opens and say what it does not declare: its Python processes, or with"
    " --observe=strace all of them.",
)
@click.option("--strict", is_flag=True, help="With --observe: record no stage that breaks its declaration.")
@json_option
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@pass_session
def command(
    session: Session,
    dry_run: bool,
    force: bool,
    keep_going: bool,
    jobs: int,
    observe: How | None,
    strict: bool,
    as_json: bool,
    stages: tuple[str, ...],
) -> int:
    """Run the stages that are stale and record each as a commit.

    mlstore.toml declares the stages. Those whose inputs, command and outputs are what the chain recorded are
    left alone; STAGE is run after whatever is stale above it. A command that fails, or does not keep to its
    declaration, records nothing.
    """
    from mlstore.pipeline import plan
    from mlstore_cli.views import pipeline as view

    if strict and observe is None:
        raise click.UsageError("--strict needs --observe", click.get_current_context())
    if dry_run:
        states = plan(session.repo, stages, force=force)
        if as_json:
            output.emit_json("run/1", view.plan_to_json(states))
        else:
            output.write_lines(view.format_plan(states, session.style))
        return errors.OK
    observing = _observing(observe, strict=strict)
    return _run(session, stages, observing, force=force, keep_going=keep_going, jobs=jobs, as_json=as_json)


def _observing(how: How | None, *, strict: bool) -> Observing | None:
    if how is None:
        return None
    from mlstore.pipeline.observation import Observing

    return Observing(how, Path(tempfile.gettempdir()), strict)


def _run(
    session: Session,
    stages: tuple[str, ...],
    observing: Observing | None,
    *,
    force: bool,
    keep_going: bool,
    jobs: int,
    as_json: bool,
) -> int:
    from mlstore.pipeline import Request, read_declared, run
    from mlstore_cli.views import pipeline as view

    names = [stage.name for stage in read_declared(session.repo).graph.select(stages)]
    screen = _Screen(session, max(map(len, names)), as_json=as_json, jobs=jobs)
    # Python holds back what it prints into a pipe: then nothing would be live.
    environ = {"PYTHONUNBUFFERED": "1", **session.environ}
    request = Request(
        environ=environ,
        author=session.author(hint=True),
        now=session.now,
        stages=stages,
        force=force,
        keep_going=keep_going,
        jobs=jobs,
        listener=screen.listener(),
        observing=observing,
    )
    with ending_on_signals():
        report = run(session.repo, request)
    if as_json:
        output.emit_json("run/1", view.report_to_json(report))
    screen.close(report)
    return errors.OK if report.error is None else errors.status_of(report.error)


class _Screen:
    """What the user sees of a run: our lines and the commands' output on stdout, warnings on stderr.

    With `--json` stdout is for the one object at the end, and the commands' output goes to stderr; with `-q`
    it is not shown at all.
    """

    def __init__(self, session: Session, width: int, *, as_json: bool, jobs: int) -> None:
        self._session = session
        self._width = width
        self._json = as_json
        self._is_live = not session.quiet and jobs == 1
        self._live = Live(sys.stderr if as_json else sys.stdout, prefixed=jobs > 1)

    def listener(self) -> Listener:
        """Give what the library is to call."""
        from mlstore.pipeline import Listener

        if self._session.quiet:
            return Listener()
        return Listener(self._started, self._live.output, self._ended, self._warned)

    def _started(self, stage: StageSpec, reason: str) -> None:
        from mlstore_cli.views import pipeline as view

        if not self._json:
            self._live.say(view.format_start(stage.name, reason, self._width, self._session.style))

    def _ended(self, outcome: StageOutcome) -> None:
        from mlstore_cli.views import pipeline as view

        self._live.end(outcome.stage)
        if not self._json:
            self._live.say(view.format_outcome(outcome, self._width, self._session.style))
        for text in outcome.warnings:
            self._warned(text)
        for text in outcome.seen.remarks() if outcome.seen is not None else ():
            self._session.note(f"note: {output.escape(text)}")

    def _warned(self, text: str) -> None:
        style = self._session.error_style
        self._session.note(f"{style.yellow('warning:')} {output.escape(text)}")

    def close(self, report: RunReport) -> None:
        """Tell every failure."""
        for outcome in report.outcomes:
            if outcome.error is not None:
                self._tell(outcome.error)

    def _tell(self, error: MlstoreError) -> None:
        from mlstore_cli.views import pipeline as view

        style = self._session.error_style
        output.write_note(f"{style.red('error:')} {output.escape(error.message)}")
        if not self._is_live:
            for line in view.tail_of(error.data.get("tail", b"")):
                output.write_note(line)
        if error.hint:
            self._session.hint(error.hint)
