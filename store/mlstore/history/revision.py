"""Git's revision syntax: names, ids and prefixes, ``~n ^n ^{type} @{n} REV:path``, and ranges."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlstore.errors import InvalidRevision, PathNotFound, RefNotFound
from mlstore.hashing import HEX_LENGTH, ObjectId, is_object_id
from mlstore.model import TreeEntry
from mlstore.refs import BRANCHES, NOTES, TAGS, Head, is_ref
from mlstore.repository import Repository, find_entry

SHORTEST_PREFIX = 4
SHORT_LENGTH = 10
_MAX_TAG_CHAIN = 32

_PREFIX = re.compile(r"[0-9a-f]{4,64}\Z")
_SUFFIX = re.compile(r"~(\d{0,9})|\^\{(\w*)\}|\^(\d{0,9})|@\{(-?\d{1,9})\}", re.ASCII)
_BASE_END = re.compile(r"[~^:]|@\{")
_MOVING = re.compile(r"checkout: moving from (\S+) to (\S+)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a revision names: an object's id and kind; with ``REV:path`` the path and its entry too."""

    id: ObjectId
    kind: str
    path: str | None = None
    entry: TreeEntry | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Commits to start from and commits to leave out, with all their ancestors."""

    include: tuple[ObjectId, ...]
    exclude: tuple[ObjectId, ...]


def resolve(repo: Repository, text: str) -> Resolved:
    """Give what the revision *text* names.

    Raises ``RefNotFound``, ``PathNotFound``, ``ObjectNotFound`` or ``InvalidRevision``.
    """
    revision, colon, path = _split_path(text)
    if colon:
        return _resolve_path(repo, text, revision, path)
    found = _BASE_END.search(revision)
    end = found.start() if found else len(revision)
    base, rest = revision[:end], revision[end:]
    if not base and not rest.startswith("@{"):
        raise _unreadable(text, rest)
    object_id, ref = _resolve_base(repo, base, text) if base else _current(repo, text)
    while rest:
        step = _SUFFIX.match(rest)
        if step is None:
            raise _unreadable(text, rest)
        object_id = _apply(repo, object_id, ref, step, text)
        ref = ""  # only what stands right behind a name asks its log
        rest = rest[step.end() :]
    return Resolved(object_id, repo.objects.kind(object_id))


def _unreadable(text: str, rest: str) -> InvalidRevision:
    return InvalidRevision(
        f"'{text}' is not a revision" + (f": '{rest}' cannot be read" if rest else ""),
        hint="use for instance HEAD~2, main^, golden, HEAD@{1} or HEAD:path",
    )


def resolve_commit(repo: Repository, text: str) -> ObjectId:
    """Give the commit that *text* names, through tags; raises as ``resolve`` does."""
    found = resolve(repo, text)
    if found.path is not None:
        raise InvalidRevision(f"'{text}' names a path, not a commit")
    return peel(repo, found.id, "commit", text)


def _split_path(text: str) -> tuple[str, str, str]:
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if char == ":" and depth <= 0:
            return text[:at], ":", text[at + 1 :]
    return text, "", ""


def _resolve_path(repo: Repository, text: str, revision: str, path: str) -> Resolved:
    path = path.removeprefix("./").strip("/")
    if not revision:
        indexed = repo.read_index().get(path)
        if indexed is None:
            raise PathNotFound(f"'{path}' is not in the index", path=path)
        return Resolved(indexed.id, "blob", path, indexed.as_tree_entry())
    tree = peel(repo, resolve(repo, revision).id, "tree", revision)
    entry = find_entry(repo.objects, tree, path)
    if entry is None:
        raise PathNotFound(
            f"'{path}' is not in '{revision}'",
            hint=f"'mlstore ls-tree -r {revision}' lists what is",
            path=path,
        )
    return Resolved(entry.id, "tree" if entry.kind == "tree" else "blob", path, entry)


def _resolve_base(repo: Repository, base: str, text: str) -> tuple[ObjectId, str]:
    """Give the id of a name, ref or prefix, and the ref whose reflog ``@{n}`` asks."""
    if base in ("HEAD", "@"):
        head = repo.refs.head()
        if head.commit is None:
            raise RefNotFound(
                f"'{text}' does not exist: there is no commit yet",
                hint="make one with 'mlstore commit'",
                ref=text,
            )
        return head.commit, "HEAD"
    if base == "-":
        return _previous(repo, 1), ""
    if is_object_id(base):
        return ObjectId(base), ""  # whoever gives a whole id means it, whatever a ref is called
    for name in _candidates(base):
        found = repo.refs.read(name)
        if found is not None:
            return found, name
    if _PREFIX.match(base):
        return _resolve_prefix(repo, base), ""
    raise _unknown(repo, base)


def _current(repo: Repository, text: str) -> tuple[ObjectId, str]:
    """Give what ``@{n}`` without a name asks: the log of the branch that is checked out."""
    object_id, ref = _resolve_base(repo, "HEAD", text)
    branch = repo.refs.head().branch
    return object_id, ref if branch is None else BRANCHES + branch


def _candidates(base: str) -> list[str]:
    names = [base] if base.startswith("refs/") else [TAGS + base, BRANCHES + base]
    return [name for name in names if is_ref(name)]


def _resolve_prefix(repo: Repository, prefix: str) -> ObjectId:
    found = repo.objects.with_prefix(prefix)
    if len(found) > 1:
        # As git does, a commit wins where a commit is most likely meant.
        commits = [object_id for object_id in found if repo.objects.kind(object_id) == "commit"]
        if len(commits) == 1:
            return commits[0]
        raise InvalidRevision(
            f"'{prefix}' is ambiguous: {len(found)} objects begin with it", hint="write more of the id"
        )
    if not found:
        raise _unknown(repo, prefix)
    return found[0]


def _unknown(repo: Repository, base: str) -> RefNotFound:
    from difflib import get_close_matches

    names = [name.removeprefix(BRANCHES).removeprefix(TAGS) for name in repo.refs.names()]
    close = get_close_matches(base, names, n=3)
    hint = (
        f"did you mean '{close[0]}'?" if close else "'mlstore log --all' and 'mlstore tag' show what there is"
    )
    return RefNotFound(f"'{base}' is not a revision", hint=hint, ref=base, suggestions=close)


def _apply(repo: Repository, object_id: ObjectId, ref: str, step: re.Match[str], text: str) -> ObjectId:
    back, wanted_kind, parent, log = step.groups()
    if log is not None:
        return _from_reflog(repo, ref, int(log), text)
    if wanted_kind is not None:
        return peel(repo, object_id, wanted_kind or "non-tag", text)
    commit_id = peel(repo, object_id, "commit", text)
    if back is not None:
        for _ in range(int(back or "1")):
            commit_id = _parent(repo, commit_id, 1, text)
        return commit_id
    number = int(parent or "1")
    return commit_id if number == 0 else _parent(repo, commit_id, number, text)


def _parent(repo: Repository, commit_id: ObjectId, number: int, text: str) -> ObjectId:
    parents = repo.objects.read_commit(commit_id).parents
    if number > len(parents):
        raise RefNotFound(f"'{text}' does not exist: the history is shorter than that", ref=text)
    return parents[number - 1]


def _from_reflog(repo: Repository, ref: str, number: int, text: str) -> ObjectId:
    if number < 0:
        return _previous(repo, -number)
    if not ref:
        raise InvalidRevision(f"'{text}' is not a revision: only a branch or HEAD has a reflog")
    entries = repo.refs.reflog(ref)
    moves = [entry.new for entry in entries] + ([entries[-1].old] if entries else [])
    current = repo.refs.head().commit if ref == "HEAD" else repo.refs.read(ref)
    # A writer that died between log and ref left a move that never happened.
    while moves and moves[0] != current:
        moves.pop(0)
    found = moves[number] if number < len(moves) else None
    if found is None:
        raise RefNotFound(f"'{text}' does not exist: the reflog is shorter than that", ref=text)
    return found


def _previous(repo: Repository, number: int) -> ObjectId:
    name = previous_branch(repo, number)
    ref = BRANCHES + name
    # A tag of that name, which would come first, is not what was checked out.
    return (repo.refs.read(ref) if is_ref(ref) else None) or resolve(repo, name).id


def previous_branch(repo: Repository, number: int) -> str:
    """Give the branch or id that HEAD was on *number* checkouts ago; raises ``RefNotFound``."""
    for entry in repo.refs.reflog("HEAD"):
        found = _MOVING.match(entry.message)
        if found:
            number -= 1
            if number == 0:
                return found.group(1)
    raise RefNotFound(
        "there is no branch before this one", hint="name one: 'mlstore branch' lists them", ref="-"
    )


def peel(repo: Repository, object_id: ObjectId, kind: str, text: str) -> ObjectId:
    """Follow tags (and a commit to its tree) until an object of *kind* is reached.

    *kind* is commit, tree, blob, tag or ``non-tag``. Raises ``InvalidRevision`` when it never is.
    """
    for _ in range(_MAX_TAG_CHAIN):
        actual = repo.objects.kind(object_id)
        if actual == kind or (kind == "non-tag" and actual != "tag") or kind == "object":
            return object_id
        if actual == "tag":
            object_id = repo.objects.read_tag(object_id).target
        elif actual == "commit" and kind == "tree":
            object_id = repo.objects.read_commit(object_id).tree
            repo.objects.read_tree(object_id)  # which says so when it is something else
            return object_id
        else:
            repo.objects.check(object_id)  # a damaged first line makes a blob of anything: say that instead
            raise InvalidRevision(f"'{text}' is a {actual}, not a {kind}")
    raise InvalidRevision(f"'{text}' is a chain of tags without end")


def parse_range(repo: Repository, words: Sequence[str]) -> Range:
    """Give what ``A..B``, ``A...B``, ``^A`` and ``A`` ask for; an empty side is HEAD."""
    from mlstore.history.walk import merge_base

    include: list[ObjectId] = []
    exclude: list[ObjectId] = []
    for word in words:
        if "..." in word:
            left, _, right = word.partition("...")
            ends = [resolve_commit(repo, side or "HEAD") for side in (left, right)]
            include += ends
            base = merge_base(repo, *ends)
            exclude += [base] if base else []
        elif ".." in word:
            left, _, right = word.partition("..")
            exclude.append(resolve_commit(repo, left or "HEAD"))
            include.append(resolve_commit(repo, right or "HEAD"))
        elif word.startswith("^"):
            exclude.append(resolve_commit(repo, word[1:]))
        else:
            include.append(resolve_commit(repo, word))
    return Range(tuple(dict.fromkeys(include)), tuple(dict.fromkeys(exclude)))


def abbreviate(repo: Repository, object_id: ObjectId, length: int = SHORT_LENGTH) -> str:
    """Give the shortest prefix of at least *length* digits that no other object shares."""
    others = [other for other in repo.objects.with_prefix(object_id[:length]) if other != object_id]
    while length < HEX_LENGTH and any(other.startswith(object_id[:length]) for other in others):
        length += 1
    return object_id[:length]


def describe_refs(repo: Repository) -> dict[ObjectId, list[str]]:
    """Give the full names of the branches and tags that point to each commit, tags peeled.

    Notes are about commits and no part of their history: their refs are left out.
    """
    found: dict[ObjectId, list[str]] = {}
    for name, object_id in repo.refs.all().items():
        if name.startswith(NOTES):
            continue
        try:
            target = peel(repo, object_id, "non-tag", name)
        except InvalidRevision:
            continue
        found.setdefault(target, []).append(name)
    return found


def head_name(head: Head) -> str:
    """Give the branch that HEAD is on, or the id it is detached at."""
    return head.branch or head.commit or "HEAD"
