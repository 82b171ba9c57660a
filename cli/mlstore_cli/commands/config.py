"""`mlstore config`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from mlstore_cli import errors, output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option, require_utf8

if TYPE_CHECKING:
    from mlstore.config import Config

_VERBS: Final = frozenset({"get", "set", "unset", "list"})


@define("config")
@click.option("-l", "--list", "list_all", is_flag=True, help="List every setting.")
@click.option("--get", "get_key", metavar="KEY", help="Print one setting, as 'config KEY' does.")
@click.option("--unset", "unset_key", metavar="KEY", help="Remove a setting.")
@click.option("--global", "of_user", is_flag=True, help="Your own settings, for all repositories.")
@click.option(
    "--add", "add_key", metavar="KEY", help="With --global: add a value to a setting that is a list."
)
@json_option
@click.argument("words", nargs=-1, callback=require_utf8, metavar="[get|set|unset|list] [KEY] [VALUE]")
@pass_session
def command(
    session: Session,
    list_all: bool,
    get_key: str | None,
    unset_key: str | None,
    of_user: bool,
    add_key: str | None,
    as_json: bool,
    words: tuple[str, ...],
) -> int:
    """Read and write the repository's settings.

    'config KEY' prints a setting, 'config KEY VALUE' sets it; 'config get KEY', 'set KEY VALUE', 'unset KEY'
    and 'list' say the same in words. A setting that is not there prints nothing and gives exit status 1.
    Settings are kept in '.mlstore/config'.

    'config --global --add safe.directory DIR' has mlstore use the repository DIR although it belongs to
    another user; '*' stands for every folder. 'config --global --list' shows what is trusted so.
    """
    if of_user or add_key is not None:
        return _of_user(session, of_user, add_key, list_all, as_json, words)
    match words:
        case () if list_all:
            return _list(session, as_json)
        case ("list",):
            return _list(session, as_json)
        case () if get_key is not None:
            return _get(session, get_key, as_json)
        case () if unset_key is not None:
            return _unset(session, unset_key)
        case ("get", key):
            return _get(session, key, as_json)
        case ("unset", key):
            return _unset(session, key)
        case ("set", key, value):
            return _set(session, key, value)
        case (key, value) if key not in _VERBS:
            return _set(session, key, value)
        case (key,) if key not in _VERBS:
            return _get(session, key, as_json)
    raise click.UsageError("expected a key, a key and a value, or --list", click.get_current_context())


def _of_user(
    session: Session,
    of_user: bool,
    add_key: str | None,
    list_all: bool,
    as_json: bool,
    words: tuple[str, ...],
) -> int:
    from mlstore_cli import trust

    if of_user and add_key == trust.KEY and len(words) == 1:
        folder = words[0] if words[0] == "*" else str(session.path(words[0]).resolve())
        trust.trust(session.global_config, folder)
        return errors.OK
    if of_user and add_key is None and (list_all or words == ("list",)) and len(words) <= 1:
        return _print_items(trust.read_settings(session.global_config), as_json)
    raise click.UsageError(f"--global takes --list, or --add {trust.KEY} DIR", click.get_current_context())


def _list(session: Session, as_json: bool) -> int:
    return _print_items(session.repo.config, as_json)


def _print_items(config: Config, as_json: bool) -> int:
    items = config.items()
    if as_json:
        output.emit_json("config/1", {"settings": dict(items)})
    else:
        output.write_lines(f"{output.escape(key)}={output.escape(_text(value))}" for key, value in items)
    return errors.OK


def _get(session: Session, key: str, as_json: bool) -> int:
    value = session.repo.config.get(key)
    if as_json:
        output.emit_json("config/1", {"key": key, "value": value})
    elif value is not None:
        output.write_line(output.escape(_text(value)))
    return errors.DIFFERS if value is None else errors.OK


def _set(session: Session, key: str, text: str) -> int:
    value: str | bool = text
    if not key.startswith("user."):  # names and addresses are text, whatever they look like
        value = {"true": True, "false": False}.get(text, text)
    with session.repo.write_lock("config"):
        session.repo.save_config(session.repo.config.with_value(key, value))
    return errors.OK


def _unset(session: Session, key: str) -> int:
    with session.repo.write_lock("config"):
        session.repo.save_config(session.repo.config.without(key))
    return errors.OK


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
