"""Who else may write into the store: what everybody may change proves nothing for long."""

from __future__ import annotations

import os
import stat

from mlstore.repository import Repository
from mlstore.verify.findings import Finding

_PLACES = (
    "",
    "config",
    "HEAD",
    "index",
    "objects",
    "objects/pack",
    "refs",
    "refs/heads",
    "refs/tags",
    "logs",
)


def check_exposure(repo: Repository) -> list[Finding]:
    """Warn of a store into which every user of the machine may write."""
    open_to_all = []
    for name in _PLACES:
        try:
            mode = os.lstat(repo.store / name).st_mode
        except OSError:
            continue
        if mode & stat.S_IWOTH and not stat.S_ISLNK(mode):
            open_to_all.append(f".mlstore/{name}".rstrip("/"))
    if not open_to_all:
        return []
    return [
        Finding(
            "open-to-all",
            f"every user may write into '{open_to_all[0]}'",
            severity="warning",
            path=open_to_all[0],
            hint="take the right away: 'chmod -R o-w .mlstore'",
            details=tuple(open_to_all[1:]),
        )
    ]
