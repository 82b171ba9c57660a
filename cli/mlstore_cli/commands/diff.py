"""`mlstore diff`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mlstore.errors import InvalidRevision
from mlstore_cli import errors, output, patch
from mlstore_cli.arguments import split_revisions, tree_of
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option, null_option
from mlstore_cli.patch import Contents, Detail, detail_options, only_below

if TYPE_CHECKING:
    from mlstore.hashing import ObjectId
    from mlstore.repository import Change


@define("diff", dashes=True)
@click.option(
    "--cached", "--staged", "cached", is_flag=True, help="Compare the index with HEAD, or with REVISION."
)
@detail_options
@click.option("--semantic/--no-semantic", default=None, help="Compare every file by meaning, or none.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something differs.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; implies --exit-code.")
@null_option
@json_option
@click.argument("words", nargs=-1, metavar="[REVISION [REVISION] | A..B] [--] [PATH]...",
                shell_complete=complete_revisions)  # fmt: skip
@pass_session
def command(
    session: Session,
    cached: bool,
    detail: Detail | None,
    semantic: bool | None,
    exit_code: bool,
    quiet: bool,
    null: bool,
    as_json: bool,
    words: tuple[str, ...],
    after_dashes: tuple[str, ...] | None,
) -> int:
    """Show changes between commits, the index and the worktree.

    Without REVISION the worktree is compared with the index, with one the worktree with it, with two the
    second with the first.

    A file that cannot be shown line by line (a model, an array, a large table) is compared by meaning, if it
    is not too large for that to be quick. With --semantic every file is, whatever its size: configuration by
    key, tables by row and cell. It never executes anything. [compare] in mlstore.toml has rules and limits.
    """
    revisions, paths = split_revisions(session, words, after_dashes)
    changes, contents = _compare(session, revisions, paths, cached=cached)
    contents = replace(contents, semantic=semantic)
    detail = detail or Detail.PATCH
    if as_json:
        output.emit_json("diff/1", {"changes": patch.to_json(contents, changes, detail)})
    elif not quiet:
        output.write_bytes(patch.iter_lines(contents, changes, detail, null))
    return errors.DIFFERS if changes and (exit_code or quiet) else errors.OK


def _compare(
    session: Session, revisions: list[str], paths: list[str], *, cached: bool
) -> tuple[list[Change], Contents]:
    from mlstore.repository import diff_snapshots, diff_trees, read_snapshot
    from mlstore.worktree import tracked_changes, unstaged_changes

    repo = session.repo
    ends = _ends(session, revisions)
    if len(ends) > (1 if cached else 2):
        raise click.UsageError("too many revisions to compare", click.get_current_context())
    if cached:
        head = repo.refs.head().commit
        tree = ends[0] if ends else (repo.objects.read_commit(head).tree if head is not None else None)
        staged = diff_snapshots(read_snapshot(repo.objects, tree), repo.read_index().snapshot())
        return only_below(staged, paths), Contents(session)
    if len(ends) == 2:
        return only_below(diff_trees(repo.objects, *ends), paths), Contents(session)
    with session.progress("comparing"):
        if ends:
            changes = tracked_changes(repo, ends[0], paths or None)
        else:
            changes = unstaged_changes(repo, paths or None)
    return changes, Contents(session, worktree=True)


def _ends(session: Session, revisions: list[str]) -> list[ObjectId]:
    """Return the trees to compare; `A..B` is A and B, `A...B` is their common ancestor and B."""
    from mlstore.history import merge_base, resolve_commit

    if len(revisions) != 1 or ".." not in revisions[0]:
        return [tree_of(session, revision) for revision in revisions]
    three = "..." in revisions[0]
    left, _, right = revisions[0].partition("..." if three else "..")
    if three:
        repo = session.repo
        base = merge_base(repo, *(resolve_commit(repo, side or "HEAD") for side in (left, right)))
        if base is None:
            raise InvalidRevision(f"'{revisions[0]}': the two have no common ancestor")
        left = base
    return [tree_of(session, left or "HEAD"), tree_of(session, right or "HEAD")]
