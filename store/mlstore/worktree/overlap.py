"""No name is both a file and a folder: which paths shut each other out."""

from __future__ import annotations

from collections.abc import Iterable

from mlstore.model import parents_of


class Occupied:
    """A set of files, asked for those that cannot stay beside a new one."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = set(paths)
        direct = {path.rpartition("/")[0] for path in self._paths}
        self._folders = {above for folder in direct for above in (folder, *parents_of(folder))}

    def in_the_way_of(self, path: str) -> list[str]:
        """Give the files that *path* shuts out: one where it needs a folder, or all below it."""
        found = [folder for folder in parents_of(path) if folder in self._paths]
        if path in self._folders:
            found += [other for other in self._paths if other.startswith(f"{path}/")]
        return found
