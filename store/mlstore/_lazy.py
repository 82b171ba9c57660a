"""What is loaded or compiled on first use: a command pays for what it needs.

``status`` needs one module of ``worktree`` and none of those that write, and hardly any of the patterns that
modules keep. A name that a module has too (``scan`` in ``scan.py``) is imported by its package at once:
otherwise the import system would bind the module to it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping
    from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Give the ``__getattr__`` of *package*: *homes* maps each public name to the module that has it."""

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        from importlib import import_module

        return getattr(import_module(homes[name]), name)

    return load


class LazyPattern:
    """A regular expression that is compiled when it is first used."""

    if TYPE_CHECKING:
        findall: Callable[[str], list[Any]]
        match: Callable[[str], re.Match[str] | None]
        search: Callable[[str], re.Match[str] | None]
        split: Callable[[str], list[Any]]
        sub: Callable[[str | Callable[[re.Match[str]], str], str], str]

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._source = pattern, flags

    def __getattr__(self, name: str) -> Any:
        import re

        compiled = re.compile(*self._source)
        # From now on found without coming here.
        self.match, self.search, self.sub = compiled.match, compiled.search, compiled.sub
        self.findall, self.split = compiled.findall, compiled.split
        return getattr(compiled, name)
