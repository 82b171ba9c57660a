"""`mlstore init`."""

from __future__ import annotations

from pathlib import Path

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option


@define("init")
@click.option(
    "--object-format",
    type=click.Choice(["blake3", "sha256"]),
    help="The hash that names objects; blake3 unless said otherwise, and fixed for ever.",
)
@json_option
@click.argument("folder", default=".", metavar="[DIR]")
@pass_session
def command(session: Session, object_format: str | None, as_json: bool, folder: str) -> None:
    """Create a repository.

    It is made in the current folder or in DIR. In a folder that is one already nothing is changed. Inside a
    git worktree '.mlstore/' is added to '.gitignore', so that git leaves the store alone.
    """
    from mlstore.repository import STORE_NAME, Repository
    from mlstore.worktree import ignore_in_git

    root = session.path(folder)
    root.mkdir(parents=True, exist_ok=True)
    existed = (root / STORE_NAME).exists()
    repo = Repository.init(root, object_format, trusted=session.trusts)
    if not existed and session.last_seen is not None:
        session.last_seen.forget(repo)  # what lay here before was another repository
    ignored = ignore_in_git(repo)
    if as_json:
        output.emit_json(
            "init/1",
            {
                "root": str(repo.root),
                "object_format": repo.format.name,
                "existed": existed,
                "gitignore": None if ignored is None else str(ignored),
            },
        )
        return
    if not session.quiet:
        first = "Reinitialized existing" if existed else "Initialized empty"
        output.write_line(f"{first} mlstore repository in {output.quote(str(repo.store))}")
    if ignored is not None:
        name = output.quote(_shown(ignored, session))
        session.note(f"Added '{STORE_NAME}/' to {name}, for this is a git worktree")


def _shown(path: Path, session: Session) -> str:
    return str(path.relative_to(session.cwd)) if path.is_relative_to(session.cwd) else str(path)
