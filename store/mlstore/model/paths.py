"""Which paths a tree may hold: checked when something is added, and again before anything is written.

A repository path is relative, UTF-8, with ``/`` between components. What would step out of the
worktree, reach into ``.mlstore`` or ``.git`` on any platform (HFS+ ignorable characters and NTFS short
names included), or forge a line on a terminal is refused everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlstore._lazy import LazyPattern
from mlstore.errors import InvalidPath

LOCK_NAME = "mlstore.lock"
"""The pins of golden pipelines, beside ``.mlstore``: it names a commit, so no commit can hold it."""

MAX_COMPONENT = 255
MAX_PATH = 4096

# Control characters, DEL, C1, backslash, and colon (drive prefixes, NTFS streams).
_FORBIDDEN = LazyPattern(r"[\x00-\x1f\x7f-\x9f\\:/]")
# HFS+ ignores these when it compares names, so '.g<U+200C>it' is '.git' there.
_HFS_IGNORED = LazyPattern("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_SHORT_NAME = LazyPattern(r"(?:mlstor|git)~\d+\Z")
_DEVICE = LazyPattern(r"(?i:aux|con|nul|prn|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$) *(?:\.|\Z)")
_HIDDEN = LazyPattern(
    "[\u00ad\u034f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_RESERVED = frozenset({".mlstore", ".git"})
_SHORT = MAX_PATH // 4  # no character takes more than four bytes
_SIMPLE = LazyPattern(r"[A-Za-z0-9_][A-Za-z0-9_.=,+-]*\Z")
_PLAIN = "[A-Za-z0-9_](?:[A-Za-z0-9_.=,+-]{0,58}[A-Za-z0-9_=,+-])?"
_PLAIN_PATH = LazyPattern(rf"{_PLAIN}(?:/{_PLAIN})*\Z")


def validate_component(name: str) -> str:
    """Give *name* back when a tree entry may be called so; raises ``InvalidPath``."""
    if len(name) <= 60 and _SIMPLE.match(name) and name[-1] != ".":
        return name  # the common case: plain ASCII, not hidden, no short name
    reason = _refusal(name)
    if reason:
        raise InvalidPath(
            f"{name[:80]!r} cannot be the name of a file in a repository: {reason}",
            hint="rename it, or list it in .mlstoreignore",
            path=name,
        )
    return name


def _refusal(name: str) -> str | None:
    if name in ("", ".", ".."):
        return "it is empty or a dot name"
    if _FORBIDDEN.search(name):
        return "it holds a control character, a slash, a backslash or a colon"
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError:
        return "it is not valid UTF-8"
    if len(encoded) > MAX_COMPONENT:
        return f"it is longer than {MAX_COMPONENT} bytes"
    plain = _HFS_IGNORED.sub("", name).rstrip(". ").casefold()
    if plain in _RESERVED or _SHORT_NAME.match(plain):
        return "'.mlstore' and '.git' are reserved"
    return None


def doubt_about(name: str) -> str | None:
    """Tell what is wrong with a name that is allowed: a device on Windows, or one that deceives the eye."""
    if name[0] in "aAcCnNpPlL" and _DEVICE.match(name):
        return "Windows takes it for a device"
    if not name.isascii() and _HIDDEN.search(name):
        return "it holds characters that are invisible or reorder the text around them"
    return None


def validate_path(path: str) -> str:
    """Give *path* back when every component is allowed; raises ``InvalidPath``."""
    if len(path) <= MAX_PATH and _PLAIN_PATH.match(path):
        return path  # the common case: see validate_component
    if len(path) > MAX_PATH or len(path.encode("utf-8", "surrogatepass")) > MAX_PATH:
        raise InvalidPath(f"'{path[:60]}...' is longer than {MAX_PATH} bytes", path=path)
    for name in path.split("/"):
        try:
            validate_component(name)
        except InvalidPath as exc:
            raise InvalidPath(
                f"{path[:200]!r} cannot be in a repository: {exc.message.partition(': ')[2]}",
                hint=exc.hint,
                path=path,
            ) from None
    return path


def validate_paths(paths: Iterable[str]) -> None:
    """As ``validate_path`` for each of *paths*; a folder that many of them share is looked at once."""
    sound = {""}
    for path in paths:
        name = path[path.rfind("/") + 1 :]
        folder = path[: len(path) - len(name)]
        plain = len(path) <= _SHORT and len(name) <= 60 and _SIMPLE.match(name) and name[-1] != "."
        if plain and folder in sound:
            continue
        validate_path(path)
        sound.add(folder)


def collision_key(path: str) -> str:
    """Give what *path* is on a file system that folds case and normalises unicode (macOS, Windows)."""
    if path.isascii():
        return path.lower()
    import unicodedata

    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def parents_of(path: str) -> list[str]:
    """Give the folders above *path*, nearest first: ``a/b/c`` -> ``["a/b", "a"]``."""
    found = []
    while (cut := path.rfind("/")) >= 0:
        path = path[:cut]
        found.append(path)
    return found


class Collisions:
    """Names seen so far: refuses two that are one name where case or accents are folded.

    Folders count too: ``Data/a`` and ``data/b`` would end up in one folder.
    """

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self._folders = {""}

    def add(self, path: str) -> None:
        """Take in *path* and the folders above it; raises ``InvalidPath``."""
        self._take(path)
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            for name in (folder, *parents_of(folder)):
                self._take(name)
            self._folders.add(folder)

    def _take(self, name: str) -> None:
        other = self._seen.setdefault(collision_key(name), name)
        if other != name:
            raise InvalidPath(
                f"'{name}' and '{other}' are one name on file systems that fold case or accents",
                hint="rename one of them: a checkout elsewhere would lose it",
                path=name,
            )
