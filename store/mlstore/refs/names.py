"""Which names a ref may have: git's rules (``git check-ref-format``), with hostile names refused."""

from __future__ import annotations

from mlstore._lazy import LazyPattern
from mlstore.errors import InvalidPath, InvalidRef
from mlstore.model.paths import validate_component

BRANCHES = "refs/heads/"
TAGS = "refs/tags/"
NOTES = "refs/notes/"

_FORBIDDEN = LazyPattern(r"[\x00-\x20\x7f-\x9f~^:?*\[\\]|\.\.|@\{|[\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def validate_ref(name: str) -> str:
    """Give the full ref *name* (``refs/heads/...``) back when it is allowed; raises ``InvalidRef``."""
    short = name.removeprefix(BRANCHES).removeprefix(TAGS)
    reason = _refusal(name, short)
    if reason:
        raise InvalidRef(
            f"{short[:80]!r} cannot be the name of a branch or tag: {reason}",
            hint="use letters, digits, '-', '_', '.' and '/'",
            ref=name,
        )
    return name


def is_ref(name: str) -> bool:
    """Whether *name* is one that ``validate_ref`` accepts."""
    return _refusal(name, name.removeprefix(BRANCHES).removeprefix(TAGS)) is None


def _refusal(name: str, short: str) -> str | None:
    if not name.startswith("refs/") or short in ("", "@", "HEAD"):
        return "it is empty or reserved"
    if _FORBIDDEN.search(name):
        return "it holds white space, a control character, '..', '@{' or one of ~ ^ : ? * [ \\"
    if short.startswith("-"):
        return "it begins with '-'"
    if len(name.encode("utf-8", "surrogatepass")) > 1024:
        return "it is too long"
    for part in name.split("/"):
        if part == "" or part.startswith(".") or part.endswith((".", ".lock")):
            return "a component is empty, begins or ends with '.', or ends with '.lock'"
        try:
            validate_component(part)
        except InvalidPath:
            return "a component is not a portable file name"
    return None
