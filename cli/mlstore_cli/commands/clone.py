"""`mlstore clone`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlstore._progress import format_size
from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option

if TYPE_CHECKING:
    from mlstore.remote import Cloned


@define("clone")
@click.option(
    "--filter",
    "left_out",
    metavar="SPEC",
    help="Leave blobs out: blob:none, or blob:limit=64k those of 64 KiB and more. No file is written then.",
)
@click.option("-n", "--no-checkout", is_flag=True, help="Write no file.")
@json_option
@click.argument("source", metavar="SRC")
@click.argument("folder", default=None, required=False, metavar="[DIR]")
@pass_session
def command(
    session: Session, left_out: str | None, no_checkout: bool, as_json: bool, source: str, folder: str | None
) -> None:
    """Copy a repository into a new folder.

    SRC is a folder of this machine, or a file:// URL of one. Its branches, tags and HEAD, and all that they
    lead to, are copied, every object hashed on the way, and HEAD is checked out. Nothing is linked to SRC.

    With --filter=blob:none only commits, trees, tags and the small files that belong to the record are
    copied: enough for 'mlstore verify', which then hashes the files of the worktree. Without a checkout DIR
    may hold files: only '.mlstore' is made in it.
    """
    from mlstore.remote import clone, default_name, source_folder
    from mlstore.repository import Filter, Repository
    from mlstore.worktree import ignore_in_git

    found = Repository.open(source_folder(source, session.cwd), trusted=session.trusts)
    chosen = None if left_out is None else Filter.parse(left_out)
    name = default_name(source) if folder is None else folder
    target = source_folder(name, session.cwd)
    session.note(f"Cloning into '{output.escape(name)}'...")
    with session.progress("cloning") as progress:
        done = clone(
            found,
            target,
            chosen=chosen,
            checkout=not no_checkout,
            who=session.author(),
            time=session.now(),
            progress=progress,
        )
    if session.last_seen is not None:
        session.last_seen.forget(done.repo)  # what lay here before was another repository
        session.last_seen.note(done.repo, ["HEAD", *done.repo.refs.all()])
    ignore_in_git(done.repo)
    if as_json:
        output.emit_json("clone/1", _to_json(done, str(found.root)))
        return
    if done.head.commit is None:
        session.note("warning: there is no commit at HEAD: nothing was checked out")
    if done.left_out:
        what = f"{done.left_out} blobs, {format_size(done.left_out_bytes)}"
        session.note(f"left out {what} ({done.repo.filter}); no file was written")


def _to_json(done: Cloned, source: str) -> dict[str, object]:
    chosen = done.repo.filter
    return {
        "root": str(done.repo.root),
        "source": source,
        "object_format": done.repo.format.name,
        "branch": done.head.branch,
        "commit": done.head.commit,
        "filter": None if chosen is None else str(chosen),
        "objects": done.objects,
        "bytes": done.bytes,
        "left_out": {"blobs": done.left_out, "bytes": done.left_out_bytes},
        "files": done.files,
    }
