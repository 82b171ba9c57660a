"""`mlstore log`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from mlstore_cli import output, patch
from mlstore_cli.arguments import range_of, split_revisions
from mlstore_cli.context import Session, pass_session
from mlstore_cli.notes import Notes
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.patch import Contents, Detail, detail_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mlstore.hashing import ObjectId
    from mlstore.history import Range
    from mlstore.model import Commit
    from mlstore_cli.views.graph import Graph


@define("log", dashes=True, numbers=True)
@click.option(
    "-n", "--max-count", "limit", type=click.IntRange(min=0), help="At most so many commits; -3 is -n 3."
)
@click.option("--oneline", is_flag=True, help="One line a commit.")
@click.option("--graph", "as_graph", is_flag=True, help="Draw the lines of descent.")
@click.option("--all", "everything", is_flag=True, help="From all branches and tags.")
@click.option("--first-parent", is_flag=True, help="Follow only the first parent of merges.")
@click.option("--stage", metavar="NAME", help="Only the blocks of one stage.")
@click.option("--reverse", is_flag=True, help="Oldest first.")
@click.option("--decorate/--no-decorate", default=None, help="Show branches and tags; on at a terminal.")
@detail_options
@json_option
@click.argument("words", nargs=-1, metavar="[REVISION]... [--] [PATH]...", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    limit: int | None,
    oneline: bool,
    as_graph: bool,
    everything: bool,
    first_parent: bool,
    stage: str | None,
    reverse: bool,
    decorate: bool | None,
    detail: Detail | None,
    as_json: bool,
    words: tuple[str, ...],
    after_dashes: tuple[str, ...] | None,
) -> None:
    """Show the history.

    Newest first, and never a commit before those that build on it. REVISION may be a range A..B; with PATH
    only commits that change it are shown.
    """
    from mlstore.history import walk
    from mlstore_cli.views.commits import commit_to_json
    from mlstore_cli.views.notes import note_to_json

    if reverse and as_graph:
        raise click.UsageError("--graph and --reverse exclude each other", click.get_current_context())
    repo = session.repo
    revisions, paths = split_revisions(session, words, after_dashes)
    found = range_of(session, revisions, everything=everything)
    commits: Iterable[tuple[ObjectId, Commit]] = islice(
        walk(repo, found.include, found.exclude, paths=paths, first_parent=first_parent, stage=stage), limit
    )
    if reverse:
        commits = reversed(list(commits))
    named = decorate if decorate is not None else (session.is_terminal or as_json)
    names = patch.names_of(session) if named else {}
    if as_json:
        notes = Notes(session)
        rows = [
            commit_to_json(commit_id, commit, names.get(commit_id, ()))
            | {"notes": [note_to_json(note) for note in notes.of(commit_id)]}
            for commit_id, commit in commits
        ]
        output.emit_json("log/1", {"commits": rows})
        return
    printer = _Printer(session, names, oneline, detail, paths)
    if as_graph:
        printer.draw(
            _linked(session, commits, found, filtered=bool(paths or stage), first_parent=first_parent)
        )
    else:
        printer.write(commits)


def _linked(
    session: Session,
    commits: Iterable[tuple[ObjectId, Commit]],
    found: Range,
    *,
    filtered: bool,
    first_parent: bool,
) -> Iterator[tuple[ObjectId, Commit, Sequence[str]]]:
    """Give each commit its parents in the picture: the nearest ancestors that are shown."""
    from mlstore.history import walk
    from mlstore_cli.views.graph import link

    if not filtered and not found.exclude:
        for commit_id, commit in commits:
            yield commit_id, commit, commit.parents[:1] if first_parent else commit.parents
        return
    shown = list(commits)
    reached = walk(session.repo, found.include, found.exclude, first_parent=first_parent)
    parents = link([(node, commit.parents) for node, commit in reached], {node for node, _ in shown})
    for commit_id, commit in shown:
        yield commit_id, commit, parents[commit_id]


class _Printer:
    """Writes commits in the form that the options ask for."""

    def __init__(
        self,
        session: Session,
        names: dict[ObjectId, list[str]],
        oneline: bool,
        detail: Detail | None,
        paths: Sequence[str],
    ) -> None:
        self._session = session
        self._names = names
        self._oneline = oneline
        self._detail = detail or Detail.NONE
        self._paths = paths
        self._style = session.style
        self._notes = Notes(session)

    def write(self, commits: Iterable[tuple[ObjectId, Commit]]) -> None:
        """Write one commit after the other."""
        first = True
        for commit_id, commit in commits:
            if not first and not self._oneline:
                output.write_line()
            first = False
            output.write_lines(self._lines(commit_id, commit))
            output.write_bytes(self._changes(commit))

    def draw(self, commits: Iterable[tuple[ObjectId, Commit, Sequence[str]]]) -> None:
        """Write the commits beside their graph."""
        from mlstore_cli.views.graph import Graph

        graph: Graph = Graph()
        for commit_id, commit, parents in commits:
            text = self._lines(commit_id, commit)
            for chunk in self._changes(commit):
                text += chunk.decode("utf-8", "replace").removesuffix("\n").split("\n")
            if not self._oneline:
                text.append("")
            output.write_lines(graph.add(commit_id, parents, text))

    def _lines(self, commit_id: ObjectId, commit: Commit) -> list[str]:
        from mlstore_cli.views.commits import format_commit, format_oneline
        from mlstore_cli.views.notes import format_notes

        names = self._names.get(commit_id, ())
        if self._oneline:
            return [format_oneline(commit_id, commit, names, self._style)]
        notes = format_notes(self._notes.of(commit_id))
        return [*format_commit(commit_id, commit, names, self._style), *notes]

    def _changes(self, commit: Commit) -> Iterator[bytes]:
        if self._detail is Detail.NONE or len(commit.parents) > 1:
            return
        chunks = patch.iter_lines(
            Contents(self._session, semantic=False),
            patch.changes_of(self._session, commit, self._paths),
            self._detail,
        )
        first = True
        for chunk in chunks:
            if first and not self._oneline:
                yield b"\n"
            first = False
            yield chunk
