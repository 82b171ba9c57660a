"""`mlstore hash-object`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from mlstore.hashing import ObjectFormat, ObjectId


@define("hash-object")
@click.option("-w", "write", is_flag=True, help="Write the content into the store too.")
@click.option("--stdin", is_flag=True, help="Hash what comes on stdin.")
@json_option
@click.argument("files", nargs=-1, metavar="[FILE]...")
@pass_session
def command(session: Session, write: bool, stdin: bool, as_json: bool, files: tuple[str, ...]) -> None:
    """Print the id that a file's content has.

    The id is the hash of the bytes: with the default format that of 'b3sum', in a repository made with
    --object-format sha256 that of 'sha256sum'. Works outside a repository too.
    """
    if not files and not stdin:
        raise click.UsageError("nothing to hash: name a file or use --stdin", click.get_current_context())
    ids = _write(session, files, stdin) if write else _hash(session, files, stdin)
    if as_json:
        names: list[str | None] = [*([None] if stdin else []), *files]
        objects = [{"path": name, "id": object_id} for name, object_id in zip(names, ids, strict=True)]
        output.emit_json("hash-object/1", {"objects": objects})
    else:
        output.write_lines(ids)


def _hash(session: Session, files: tuple[str, ...], stdin: bool) -> list[ObjectId]:
    from mlstore.hashing import hash_chunks, hash_fd

    fmt = _format(session)
    ids = [hash_chunks(fmt, iter(lambda: sys.stdin.buffer.read(1 << 20), b"")).id] if stdin else []
    return ids + _each(session, files, lambda file: hash_fd(fmt, file.fileno()).id)


def _write(session: Session, files: tuple[str, ...], stdin: bool) -> list[ObjectId]:
    with session.repo.write_lock("hash-object"), session.repo.objects.transaction() as writer:
        ids = [writer.add_fd(sys.stdin.fileno()).id] if stdin else []
        return ids + _each(session, files, lambda file: writer.add_fd(file.fileno()).id)


def _each(session: Session, files: tuple[str, ...], digest: Callable[[BinaryIO], ObjectId]) -> list[ObjectId]:
    from mlstore.errors import UsageError

    ids: list[ObjectId] = []
    for name in files:
        path = session.path(name)
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise UsageError(f"'{name}' is not a file", hint="name a regular file, or use --stdin")
        with path.open("rb") as file:
            ids.append(digest(file))
    return ids


def _format(session: Session) -> ObjectFormat:
    from mlstore.errors import NotARepository
    from mlstore.hashing import DEFAULT_FORMAT, object_format

    try:
        return session.repo.format
    except NotARepository:
        return object_format(DEFAULT_FORMAT)
