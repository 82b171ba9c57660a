"""Comparison by meaning for the commands: what mlstore.toml says, and the two sides of a change."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mlstore.compare import Artifact, Comparison
    from mlstore.manifest import CompareSpec
    from mlstore.repository import Change
    from mlstore_cli.context import Session

QUICK: Final = 64 << 20
"""Larger files (bytes) are compared by meaning only when the user asks for it: it takes seconds."""

_TELLS_NOTHING: Final = frozenset({"bytes", "text"})


def spec_of(session: Session) -> CompareSpec:
    """Return what mlstore.toml says about comparing; defaults where there is no such file."""
    from mlstore.errors import NotARepository, PathNotFound
    from mlstore.manifest import LARGEST_MANIFEST, MANIFEST_NAME, CompareSpec, parse_manifest
    from mlstore.worktree import read_file

    try:
        text = read_file(session.repo, MANIFEST_NAME, LARGEST_MANIFEST).decode("utf-8", "replace")
    except (NotARepository, PathNotFound):
        return CompareSpec()
    return parse_manifest(text).compare


def compare_sides(session: Session, change: Change, *, worktree: bool, asked: bool) -> Comparison | None:
    """Compare a changed file by meaning; None where nobody asked and it would say nothing or take long."""
    from mlstore.compare import choices_for, choose, compare_artifacts
    from mlstore.errors import ConfigError

    if change.old is None or change.new is None:
        return None
    if not asked and max(change.old.size, change.new.size) > QUICK:
        return None
    old, new = _stored(session, change, old=True), _stored(session, change, old=False)
    if worktree:
        new = _local(session, change)
    try:
        settings, wanted = choices_for(spec_of(session), change.path)
        if not asked and choose(old, new, wanted).name in _TELLS_NOTHING:
            return None
        return compare_artifacts(old, new, settings, wanted)
    except ConfigError:
        if asked:
            raise
        return None  # a mistake in mlstore.toml must not take away what diff can show without it


def _stored(session: Session, change: Change, *, old: bool) -> Artifact:
    from mlstore.compare import Artifact

    entry = change.old if old else change.new
    assert entry is not None
    objects = session.repo.objects
    return Artifact.from_stream(change.path, entry.size, lambda: objects.stream(entry.id))


def _local(session: Session, change: Change) -> Artifact:
    from mlstore.compare import Artifact
    from mlstore.worktree import open_file

    repo = session.repo
    size = (repo.root / change.path).lstat().st_size
    return Artifact(change.path, size, lambda: os.fdopen(open_file(repo, change.path), "rb"), seekable=True)
