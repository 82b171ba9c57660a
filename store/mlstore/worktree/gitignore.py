"""Living inside a git repository: ``.mlstore/`` belongs into its ``.gitignore``."""

from __future__ import annotations

from pathlib import Path

from mlstore.repository import STORE_NAME, Repository
from mlstore.worktree.writer import write_text

_LINES = frozenset({STORE_NAME, f"{STORE_NAME}/", f"/{STORE_NAME}", f"/{STORE_NAME}/"})


def ignore_in_git(repo: Repository) -> Path | None:
    """Add ``.mlstore/`` to the ``.gitignore`` beside it when the repository lies in a git worktree.

    Gives the file that was changed, None when nothing had to be done.
    """
    if not any((folder / ".git").exists() for folder in (repo.root, *repo.root.parents)):
        return None
    path = repo.root / ".gitignore"
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        text = ""
    if any(line.strip() in _LINES for line in text.splitlines()):
        return None
    if text and not text.endswith("\n"):
        text += "\n"
    write_text(repo, ".gitignore", text + f"{STORE_NAME}/\n")
    return path
