"""`mlstore cat-file`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from mlstore.errors import InvalidRevision, NotFoundError
from mlstore_cli import errors, output, patch
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.views.trees import format_entry

if TYPE_CHECKING:
    from mlstore.history import Resolved


@define("cat-file")
@click.option("-t", "question", flag_value="type", help="Print the type: blob, tree, commit or tag.")
@click.option("-s", "question", flag_value="size", help="Print the size in bytes.")
@click.option("-p", "question", flag_value="pretty", help="Print the content, laid out for people.")
@click.option("-e", "question", flag_value="exists", help="Print nothing; exit with 4 when it is missing.")
@json_option
@click.argument("words", nargs=-1, required=True, metavar="[TYPE] OBJECT", shell_complete=complete_revisions)
@pass_session
def command(session: Session, question: str | None, as_json: bool, words: tuple[str, ...]) -> int:
    """Print an object's type, size or content.

    With one of blob, tree, commit and tag before OBJECT the object's exact bytes are printed, which hash to
    its id. A large blob is verified while it is printed: exit status 3 tells that what was printed is
    corrupt.
    """
    if len(words) > 2 or (len(words) == 2) == bool(question):
        raise click.UsageError(
            "expected -t, -s, -p, -e or a type, and one object", click.get_current_context()
        )
    try:
        found = _resolve(session, words)
        size = session.repo.objects.size(found.id)
    except NotFoundError:
        if question == "exists":
            return errors.MISSING
        raise
    if as_json:
        output.emit_json("cat-file/1", {"id": found.id, "type": found.kind, "size": size})
        return errors.OK
    match question:
        case "type":
            output.write_line(found.kind)
        case "size":
            output.write_line(str(size))
        case "pretty":
            _print_pretty(session, found)
        case "exists":
            session.repo.objects.check(found.id)
        case _:
            output.write_bytes(patch.read_blob(session.repo, found.id))
    return errors.OK


def _resolve(session: Session, words: tuple[str, ...]) -> Resolved:
    from mlstore.history import Resolved, resolve
    from mlstore.history.revision import peel

    found = resolve(session.repo, words[-1])
    if len(words) == 1 or words[0] in ("blob", found.kind):
        return found  # every object is bytes, so every object can be had as a blob
    if words[0] not in ("tree", "commit", "tag"):
        raise InvalidRevision(f"'{words[0]}' is not a type", hint="use blob, tree, commit or tag")
    return Resolved(peel(session.repo, found.id, words[0], words[-1]), words[0])


def _print_pretty(session: Session, found: Resolved) -> None:
    objects = session.repo.objects
    match found.kind:
        case "tree":
            output.write_lines(map(format_entry, objects.read_tree(found.id).entries))
        case "commit" | "tag":
            _, _, body = objects.read(found.id).partition(b"\n")
            output.write_line(output.to_json(json.loads(body)))
        case _:
            output.write_bytes(patch.read_blob(session.repo, found.id))
