"""`mlstore show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlstore_cli import output, patch
from mlstore_cli.context import Session, pass_session
from mlstore_cli.notes import Notes
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.patch import Contents, Detail, detail_options
from mlstore_cli.signing import trust_options, verifier_for

if TYPE_CHECKING:
    from mlstore.hashing import ObjectId
    from mlstore.history import Resolved
    from mlstore.signing import Verifier


@define("show")
@detail_options
@click.option("--show-signature", is_flag=True, help="Check signatures, and say whose they are.")
@trust_options
@click.option("-s", "--no-patch", is_flag=True, help="Leave out the changes.")
@json_option
@click.argument("objects", nargs=-1, metavar="[OBJECT]...", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    detail: Detail | None,
    show_signature: bool,
    allowed_signers: str | None,
    revocation: str | None,
    no_patch: bool,
    as_json: bool,
    objects: tuple[str, ...],
) -> None:
    """Show a commit, a tag, a tree or a file of a commit.

    OBJECT is a revision or REVISION:PATH; HEAD when none is given. A commit is shown with its changes against
    its first parent, a file byte for byte.
    """
    from mlstore.history import resolve

    wanted = Detail.NONE if no_patch else (detail or Detail.PATCH)
    found = [resolve(session.repo, text) for text in objects or ("HEAD",)]
    judge = verifier_for(session, allowed_signers, revocation) if show_signature else None
    if as_json:
        output.emit_json("show/1", {"objects": [_to_json(session, one, wanted, judge) for one in found]})
        return
    for position, one in enumerate(found):
        if position and one.kind != "blob":
            output.write_line()
        _show(session, one, wanted, judge)


def _show(session: Session, found: Resolved, detail: Detail, judge: Verifier | None) -> None:
    from mlstore_cli.views import commits, trees

    objects, object_id, kind = session.repo.objects, found.id, found.kind
    if kind == "tag":
        from mlstore.history.revision import peel

        peel(session.repo, object_id, "non-tag", object_id[:10])  # a chain without end is refused before
    while kind == "tag":
        tag = objects.read_tag(object_id)
        signature = judge.tag(tag) if judge is not None else None
        output.write_lines(commits.format_tag(tag, session.style, signature))
        object_id, kind = tag.target, objects.kind(tag.target)
    match kind:
        case "commit":
            _show_commit(session, object_id, detail, judge)
        case "tree":
            output.write_lines(trees.format_listing(objects.read_tree(object_id).entries))
        case _:
            output.write_bytes(patch.read_blob(session.repo, object_id))


def _show_commit(session: Session, commit_id: ObjectId, detail: Detail, judge: Verifier | None) -> None:
    from mlstore_cli.views import commits
    from mlstore_cli.views.notes import format_notes

    commit = session.repo.objects.read_commit(commit_id)
    names = patch.names_of(session).get(commit_id, ()) if session.is_terminal else ()
    signature = judge.commit(commit) if judge is not None else None
    output.write_lines(commits.format_commit(commit_id, commit, names, session.style, signature))
    if commit.stage is not None:
        output.write_lines(["", *commits.format_stage(commit.stage)])
    output.write_lines(format_notes(Notes(session).of(commit_id)))
    if detail is not Detail.NONE:
        changes = patch.changes_of(session, commit)
        if changes:
            output.write_line()
        output.write_bytes(patch.iter_lines(Contents(session), changes, detail))


def _to_json(session: Session, found: Resolved, detail: Detail, judge: Verifier | None) -> dict[str, Any]:
    from mlstore_cli.views import commits, trees
    from mlstore_cli.views.notes import note_to_json

    objects = session.repo.objects
    row: dict[str, Any] = {"id": found.id, "kind": found.kind, "path": found.path}
    match found.kind:
        case "commit":
            commit = objects.read_commit(found.id)
            row |= commits.commit_to_json(found.id, commit, patch.names_of(session).get(found.id, ()))
            if judge is not None:
                row["signature"] = judge.commit(commit).to_dict()
            row["notes"] = [note_to_json(note) for note in Notes(session).of(found.id)]
            if detail is not Detail.NONE:
                changes = patch.changes_of(session, commit)
                row["changes"] = patch.to_json(Contents(session), changes, detail)
        case "tag":
            tag = objects.read_tag(found.id)
            row |= commits.tag_to_json(tag)
            if judge is not None:
                row["signature"] = judge.tag(tag).to_dict()
        case "tree":
            row["entries"] = [trees.entry_to_json(entry) for entry in objects.read_tree(found.id).entries]
        case _:
            row["size"] = objects.size(found.id)
    return row
