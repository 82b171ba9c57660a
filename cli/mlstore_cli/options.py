"""What the commands' parameters have in common: the command class, `--json`, paths after `--`, completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from mlstore._lazy import LazyPattern
from mlstore_cli.context import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

F = TypeVar("F", bound="Callable[..., Any]")

HELP_NAMES: Final = ["-h", "--help"]
_NUMBER: Final = LazyPattern(r"-[0-9]+\Z")


class Command(click.Command):
    """A command of mlstore.

    On top of click's: `-h`; `-q` and `--no-color` after the command's name as well as before it; with
    `dashes=True` what follows `--` is taken apart from what precedes it and given to the function as
    `after_dashes` (None when there was no `--`), because `checkout X` and `checkout -- X` are not the same;
    with `numbers=True` the option `-3` means `-n 3`; `optional` maps words to the long option whose value,
    being optional, has to be attached: alone they mean that option with an empty value, as git's `-S` does.
    """

    def __init__(
        self,
        *args: Any,
        dashes: bool = False,
        numbers: bool = False,
        optional: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": HELP_NAMES})
        super().__init__(*args, **kwargs)
        self.dashes = dashes
        self.numbers = numbers
        self.optional = optional or {}
        taken = {name for param in self.params for name in param.opts}
        for option in (_quiet_option(), _no_color_option()):
            if not taken.intersection(option.opts):
                self.params.append(option)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take apart what follows `--`, then parse as click does."""
        before, after = args, None
        if "--" in args and (self.dashes or self.numbers or self.optional):
            cut = args.index("--")
            before, after = args[:cut], args[cut + 1 :]
        if self.numbers:
            before = [part for arg in before for part in (["-n", arg[1:]] if _NUMBER.match(arg) else [arg])]
        if self.optional:
            before = [part for arg in before for part in self._attach(arg)]
        if not self.dashes:
            return self._parse(ctx, before if after is None else [*before, "--", *after])
        rest = self._parse(ctx, before)
        ctx.params["after_dashes"] = None if after is None else tuple(after)
        return rest

    def _parse(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as exc:  # that of an option without its value does not say whose it is
            exc.ctx = exc.ctx or ctx
            raise

    def _attach(self, arg: str) -> list[str]:
        """Give an option whose value is optional an empty one where it stands alone, or last in `-aS`."""
        if arg in self.optional:
            return [f"{self.optional[arg]}="]
        short = f"-{arg[-1:]}"
        if short in self.optional and len(arg) > 2 and arg[0] == "-" != arg[1]:
            flags = {name for param in self.params if getattr(param, "is_flag", False) for name in param.opts}
            if all(f"-{letter}" in flags for letter in arg[1:-1]):
                return [arg[:-1], f"{self.optional[short]}="]
        return [arg]


def define(name: str, **kwargs: Any) -> Callable[[Callable[..., Any]], Command]:
    """Declare a command, `click.command` with the project's class; the function is to be named `command`."""
    return click.command(name, cls=kwargs.pop("cls", Command), **kwargs)


def _set_quiet(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and (session := ctx.find_object(Session)) is not None:
        session.quiet = True


def _set_no_color(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and (session := ctx.find_object(Session)) is not None:
        session.no_color = True


def _set_json(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    if value and (session := ctx.find_object(Session)) is not None:
        session.json = True
    return value


def _quiet_option() -> click.Option:
    return click.Option(
        ["-q", "--quiet"], is_flag=True, expose_value=False, is_eager=True, callback=_set_quiet, hidden=True
    )


def _no_color_option() -> click.Option:
    return click.Option(
        ["--no-color"], is_flag=True, expose_value=False, is_eager=True, callback=_set_no_color, hidden=True
    )


def allow_load_option(function: F) -> F:
    """Add `--allow-load`. The function receives `allow_load`."""
    return click.option(
        "--allow-load",
        is_flag=True,
        help='Let a rule "predictions" load, and so run, models that stages wrote in this repository.',
    )(function)


def json_option(function: F) -> F:
    """Add `--json`. The function receives `as_json`; a failure is then reported as JSON too."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        is_eager=True,
        callback=_set_json,
        help="Print one JSON object with a versioned schema.",
    )(function)


def _parse_reports(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> Any:
    if not values:
        return ()
    from mlstore_cli.reports import option_callback

    return option_callback(ctx, param, values)


def report_option(function: F) -> F:
    """Add `--report`. The function receives `reports`, a tuple of what `mlstore_cli.reports` knows."""
    return click.option(
        "--report",
        "reports",
        metavar="KIND[=FILE]",
        multiple=True,
        callback=_parse_reports,
        help="Write a report as well: junit, sarif, gitlab, markdown, html or json with =FILE ('-' is "
        "stdout), or github for annotations and the step's summary. May be given several times.",
    )(function)


def null_option(function: F) -> F:
    """Add `-z`: records end in NUL and names stand as they are. The function receives `null`."""
    return click.option("-z", "null", is_flag=True, help="End records with NUL, names unescaped.")(function)


def require_utf8(ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Parameter callback for text that is kept: the shell may hand over bytes that no commit can hold."""
    for text in value if isinstance(value, tuple) else [value or ""]:
        if any(
            "\ud800" <= char <= "\udfff" for char in text
        ):  # Python's stand-ins for bytes that are no UTF-8
            raise click.UsageError(f"'{text}' is not valid UTF-8", ctx)
    return value


def decode_text(data: bytes, what: str) -> str:
    """Decode a message that was read from a file; raises UsageError."""
    from mlstore.errors import UsageError

    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{what} is not valid UTF-8", hint="save it as UTF-8") from None


def complete_revisions(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Offer branch and tag names to the shell."""
    from mlstore.errors import MlstoreError

    session = ctx.find_object(Session) or Session.from_process()
    try:
        names = [name for kind in ("refs/heads/", "refs/tags/") for name in session.repo.refs.all(kind)]
    except MlstoreError:  # no repository here: nothing to offer
        return []
    short = [name.split("/", 2)[2] if name.startswith("refs/") else name for name in names]
    return [name for name in [*short, "HEAD"] if name.startswith(incomplete)]
