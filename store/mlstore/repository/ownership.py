"""Whose store it is: one that another user made is not used unless somebody says so.

Whoever may make a folder above ours could put a ``.mlstore`` there, and we would take its word for what is
golden and its ``mlstore.toml`` for ours (in git that was CVE-2022-24765).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from mlstore.errors import NotOwned

Trust: TypeAlias = Callable[[Path, int], bool]
"""Told a worktree and the user id of a stranger who owns it: whether to use it all the same."""

_ROOT = 0


def require_owner(root: Path, store: Path, trusted: Trust | None = None) -> None:
    """Refuse a worktree or store that is neither ours nor root's, unless *trusted* says yes.

    Root is believed: who has that machine's root against them cannot be helped here. Raises ``NotOwned``.
    """
    if not hasattr(os, "geteuid"):
        return
    ours = (os.geteuid(), _ROOT)
    for folder in (root, store):
        try:
            owner = os.stat(folder).st_uid
        except OSError:
            continue  # whoever opens it says what is wrong
        if owner in ours or (trusted is not None and trusted(root, owner)):
            continue
        raise NotOwned(
            f"'{folder}' belongs to another user (id {owner})",
            hint=f"if you trust them: 'mlstore config --global --add safe.directory {root}'",
            path=str(root),
            owner=owner,
        )
