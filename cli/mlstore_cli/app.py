"""The command group: global options, lazily loaded commands, suggestions, and the outermost error handler."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import click

from mlstore_cli import errors, output
from mlstore_cli.boundary import guarded
from mlstore_cli.context import Session
from mlstore_cli.options import HELP_NAMES
from mlstore_cli.registry import COMMANDS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_COMPLETE = "_MLSTORE_COMPLETE"


# Commands of git that are not there, and what does their work.
_NO_MERGE = "there is no merging yet; 'mlstore checkout REVISION -- PATH' takes files of another branch"
_NO_REMOTE = "there are no remotes yet; 'mlstore clone' copies a repository"
_INSTEAD = {
    "blame": "'mlstore why PATH' tells where an artifact comes from",
    "cherry-pick": _NO_MERGE,
    "fetch": _NO_REMOTE,
    "ls-files": "'mlstore ls-tree -r HEAD' lists what is recorded",
    "merge": _NO_MERGE,
    "mv": "move the file, then 'mlstore add' both paths",
    "pull": _NO_REMOTE,
    "push": _NO_REMOTE,
    "rebase": _NO_MERGE,
    "remote": _NO_REMOTE,
    "stash": "keep the work on a branch: 'mlstore switch -c NAME', then 'mlstore commit -a'",
}


class UnknownCommand(click.UsageError):
    """A command that does not exist, with advice on what may have been meant."""

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' is not a command of mlstore")
        if name in _INSTEAD:
            self.advice = _INSTEAD[name]
            return
        from difflib import get_close_matches

        close = get_close_matches(name, COMMANDS, n=3)
        self.advice = f"did you mean {' or '.join(map(repr, close))}?" if close else "see 'mlstore --help'"


class LazyGroup(click.Group):
    """A group whose commands are imported only when they run or when their own help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every name, without importing anything."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        return cast("click.Command", import_module(f"mlstore_cli.commands.{entry.module}").command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or raise UnknownCommand; `help NAME` is `NAME --help`."""
        if args[0] == "help":
            args = [*args[1:2], "--help"]
        found = self.get_command(ctx, args[0])
        if found is None and not ctx.resilient_parsing:
            if args[0] == "--help":
                output.write_line(ctx.get_help())
                ctx.exit()
            if args[0].startswith("-"):
                ctx.fail(f"unknown option '{args[0]}'")
            raise UnknownCommand(args[0])
        return (args[0] if found else None), found, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by section, from the registry alone."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, entry in COMMANDS.items():
            sections.setdefault(entry.section, []).append((name, entry.summary))
        width = max(map(len, COMMANDS))
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in rows])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names, from the registry alone."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=entry.summary)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names if names else click.Command.shell_complete(self, ctx, incomplete)


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from mlstore._version import __version__

        output.write_line(f"mlstore {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": HELP_NAMES})
@click.option("-C", "folders", metavar="DIR", multiple=True, help="Run as if started in DIR.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but data and errors.")
@click.option("--no-color", is_flag=True, help="No colours; the variable NO_COLOR does the same.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
              help="Print the version.")  # fmt: skip
@click.pass_context
def cli(ctx: click.Context, folders: tuple[str, ...], quiet: bool, no_color: bool) -> None:
    """Version control for machine-learning pipelines, with a chain that can be proved.

    Every command explains itself with -h, and takes -q and --no-color too.
    """
    session: Session = ctx.obj
    for folder in folders:
        session.enter(folder)
    session.quiet = session.quiet or quiet
    session.no_color = session.no_color or no_color
    if ctx.invoked_subcommand is None:
        output.write_line(ctx.get_help())
        ctx.exit(errors.USAGE)


def run(args: list[str]) -> int:
    """Run the command with `args`; every failure becomes an exit status and a line on stderr."""
    return guarded(args, lambda session: _invoke(args, session))


def _invoke(args: list[str], session: Session) -> int:
    instruction = session.environ.get(_COMPLETE)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(cli, {"obj": session}, "mlstore", _COMPLETE, instruction)
    try:
        with cli.make_context("mlstore", list(args), obj=session) as ctx:
            result: Any = cli.invoke(ctx)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    finally:
        session.remember_moves()
    return result if isinstance(result, int) else errors.OK
