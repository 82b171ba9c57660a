"""Path patterns as ``mlstore.toml`` and the command line use them.

``*`` and ``?`` stay within a component, ``**`` spans components, ``[abc]`` is one character of a set.
A pattern without any of these names a file, or a folder and all below it.
"""

from __future__ import annotations

import re
from functools import lru_cache

_MAGIC = re.compile(r"[*?\[]")
_STAR, _ANYTHING, _FOLDERS = "[^/]*", ".*", "(?:[^/]+/)*"
_WILD = frozenset({_STAR, _ANYTHING, _FOLDERS})
_SET = re.compile(r"\[([!^]?)(\]?[^]/]*)\]")


def has_magic(pattern: str) -> bool:
    """Whether *pattern* holds a wildcard."""
    return _MAGIC.search(pattern) is not None


def matches(pattern: str, path: str) -> bool:
    """Whether the repository path *path* fits *pattern*."""
    return _compile(pattern).match(path) is not None


def fixed_part(pattern: str) -> str:
    """Give the folder (or file) that every match of *pattern* lies in: ``a/b/*.csv`` -> ``a/b``."""
    found = _MAGIC.search(pattern)
    return pattern.rstrip("/") if found is None else pattern[: found.start()].rpartition("/")[0]


@lru_cache(maxsize=1024)
def _compile(pattern: str) -> re.Pattern[str]:
    pattern = pattern.rstrip("/")
    if pattern in ("", "."):
        return re.compile("")
    parts = []
    at = 0
    while at < len(pattern):
        text, at = _translate(pattern, at)
        parts.append(text)
    return re.compile(_join(parts) + r"(?:/.*)?\Z", re.DOTALL)


def _join(parts: list[str]) -> str:
    """Put the parts together so that a path which does not fit is refused in reasonable time.

    Where another wildcard follows, the first place at which the text behind a ``*`` fits is as good as any
    later one, for both are in one component: so no other is ever tried.
    """
    out: list[str] = []
    opened = False
    for number, part in enumerate(parts):
        if part in _WILD and opened:
            out.append(")")
            opened = False
        if part == _STAR and any(later in _WILD for later in parts[number + 1 :]):
            out.append("(?>[^/]*?")
            opened = True
        else:
            out.append(part)
    return "".join(out)


def _translate(pattern: str, at: int) -> tuple[str, int]:
    char = pattern[at]
    if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
        return _FOLDERS, at + 3
    if pattern.startswith("**", at):
        return _ANYTHING, at + 2
    if char == "*":
        return _STAR, at + 1
    if char == "?":
        return "[^/]", at + 1
    if char == "[" and (found := _SET.match(pattern, at)):
        return _translate_set(found.group(2), negated=bool(found.group(1))), found.end()
    return re.escape(char), at + 1


def _translate_set(body: str, *, negated: bool) -> str:
    """One character of a set like ``a-c_``; a range that runs backwards holds nothing, as in the shell."""
    parts = []
    at = 0
    while at < len(body):
        last = body[at + 2] if body[at + 1 : at + 2] == "-" and at + 2 < len(body) else None
        if last is None:
            parts.append(re.escape(body[at]))
            at += 1
            continue
        if body[at] <= last:
            parts.append(f"{re.escape(body[at])}-{re.escape(last)}")
        at += 3
    if not parts:
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{''.join(parts)}]"
