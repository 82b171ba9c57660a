"""`mlstore inspect`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mlstore_cli import errors, output
from mlstore_cli.comparing import spec_of
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option

if TYPE_CHECKING:
    from mlstore.compare import Artifact
    from mlstore.compare.inspect import Look


@define("inspect")
@click.option("--as", "kind", metavar="KIND", help="What the file is, when content and name do not tell.")
@click.option("--allow", multiple=True, metavar="MODULE.NAME", help="Take this global as known; repeatable.")
@click.option("--all", "everything", is_flag=True, help="Show every value of a model.")
@json_option
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@pass_session
def command(
    session: Session,
    kind: str | None,
    allow: tuple[str, ...],
    everything: bool,
    as_json: bool,
    files: tuple[str, ...],
) -> int:
    """Look into an artifact without executing it.

    FILE is a file, or REVISION:PATH of the repository. A model (pickle, joblib, compressed or not) is read
    without importing or calling anything that it names: its classes, parameters and arrays are shown, and
    what it would import.

    Exit status: 0 when it was seen whole and names only what is on the allow-list, 1 when it names something
    else or is built in a suspicious way, 3 when it is damaged or could not be seen whole. None of them means
    that it is safe.
    """
    from mlstore.compare.inspect import inspect_artifact
    from mlstore.compare.rules import choices_for
    from mlstore_cli.views import inspection as view

    looks = []
    for name in files:
        side = _artifact(session, name)
        settings, ruled = choices_for(spec_of(session), side.name)
        settings = replace(settings, allow=settings.allow.union(allow))
        looks.append(inspect_artifact(side, settings, kind or ruled))
    if as_json:
        output.emit_json("inspect/1", {"files": [look.to_dict() for look in looks]})
    else:
        for position, look in enumerate(looks):
            if position:
                output.write_line()
            output.write_lines(view.format_look(look, session.style, everything=everything))
    return max(map(_status, looks))


def _status(look: Look) -> int:
    if look.verdict == "incomplete":
        return errors.CORRUPT
    return errors.DIFFERS if look.verdict == "suspicious" else errors.OK


def _artifact(session: Session, name: str) -> Artifact:
    from mlstore.compare import Artifact
    from mlstore.errors import UsageError

    path = session.path(name)
    if ":" in name and not path.exists():
        return _stored(session, name)
    if path.exists() and not path.is_file():
        raise UsageError(f"'{name}' is not a file", hint="name a regular file")
    return Artifact.from_path(path, name)


def _stored(session: Session, name: str) -> Artifact:
    from mlstore.compare import Artifact
    from mlstore.errors import UsageError
    from mlstore.history import resolve

    repo = session.repo
    found = resolve(repo, name)
    if found.kind != "blob":
        raise UsageError(f"'{name}' is a {found.kind}, not a file", hint="name a file in it: REVISION:PATH")
    path = name.partition(":")[2]
    return Artifact.from_stream(path, repo.objects.size(found.id), lambda: repo.objects.stream(found.id))
