"""Who needs an object: the paths and commits, found after damage was."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from mlstore.hashing import ObjectId
from mlstore.model import TreeEntry
from mlstore.model.paths import MAX_PATH
from mlstore.verify.findings import Finding
from mlstore.verify.inspection import Inspection

_SHOWN = 8


@dataclass(slots=True)
class _Paths:
    """Where below a tree an object is: how often, the first few paths, and what its entry says it is."""

    type: str
    size: int
    count: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, name: str, below: _Paths | None = None) -> None:
        """Take in the entry called *name*: the object itself, or a tree with these *below* it."""
        self.count += below.count if below else 1
        for path in below.shown if below else [""]:
            if len(self.shown) < _SHOWN:
                # No path of a snapshot is longer; of a deeper one the end says enough.
                self.shown.append(f"{name}/{path}" if path and len(path) < MAX_PATH else path or name)


_Hits: TypeAlias = dict[ObjectId, _Paths]


@dataclass(slots=True)
class _Owners:
    """Who needs one object: the commits for each path, and how many paths there are in all."""

    commits: dict[str, list[ObjectId]] = field(default_factory=dict)
    more: int = 0
    type: str | None = None
    size: int | None = None


def name_owners(inspection: Inspection) -> None:
    """Put into each damage finding the paths and commits that need the object, as far as can be read."""
    if not inspection.damaged:
        return
    owners = _find_owners(inspection)
    named = {
        id(old): _with_owners(old, owners.get(object_id)) for object_id, old in inspection.damaged.items()
    }
    inspection.findings = [named.get(id(finding), finding) for finding in inspection.findings]


def _with_owners(finding: Finding, owners: _Owners | None) -> Finding:
    if owners is None or not owners.commits:
        return finding
    lines = []
    paths = owners.commits
    for path, commits in sorted(paths.items())[:_SHOWN]:
        shown = ", ".join(commit[:10] for commit in commits[:_SHOWN])
        more = f" and {len(commits) - _SHOWN} more" if len(commits) > _SHOWN else ""
        lines.append(f"needed as '{path}' by {shown}{more}" if path else f"needed by {shown}{more}")
    rest = len(paths) - min(len(paths), _SHOWN) + owners.more
    if rest:
        lines.append(f"and as {rest} more paths")
    first = min(paths)
    return replace(
        finding,
        path=finding.path or first or None,
        commit=finding.commit or paths[first][-1],
        details=(*finding.details, *lines),
        type=finding.type or owners.type,
        size=owners.size if finding.size is None else finding.size,
    )


def _find_owners(inspection: Inspection) -> dict[ObjectId, _Owners]:
    wanted = set(inspection.damaged)
    found: dict[ObjectId, _Owners] = {}
    hits: dict[ObjectId, _Hits] = {}
    for commit_id, commit in sorted(inspection.commits.items(), key=lambda item: item[1].height):
        uses = [("", commit.tree, "tree")] if commit.tree in wanted else []
        for object_id, paths in _tree_hits(inspection, commit.tree, wanted, hits).items():
            uses += [(path, object_id, paths.type) for path in paths.shown]
            known = found.setdefault(object_id, _Owners(size=paths.size))
            known.more = max(known.more, paths.count - len(paths.shown))
        uses += [("", parent, "commit") for parent in commit.parents if parent in wanted]
        if commit.stage and commit.stage.environment in wanted:
            uses.append((f"environment of stage {commit.stage.name}", commit.stage.environment, "blob"))
        for path, object_id, what in uses:
            owners = found.setdefault(object_id, _Owners())
            owners.commits.setdefault(path, []).append(commit_id)
            owners.type = owners.type or what
    return found


def _tree_hits(
    inspection: Inspection, root: ObjectId, wanted: set[ObjectId], known: dict[ObjectId, _Hits]
) -> _Hits:
    """Give where below *root* the wanted objects are; each tree is searched once (no recursion)."""
    stack = [root]
    while stack:
        tree_id = stack[-1]
        if tree_id in known or tree_id not in inspection.trees:
            stack.pop()
            continue
        entries = inspection.repo.objects.read_tree(tree_id).entries
        below = {entry.id for entry in entries if entry.kind == "tree"}
        unknown = [child for child in below if child not in known and child in inspection.trees]
        if unknown:
            stack += unknown
            continue
        stack.pop()
        known[tree_id] = _hits_in(entries, wanted, known)
    return known.get(root, {})


def _hits_in(entries: tuple[TreeEntry, ...], wanted: set[ObjectId], known: dict[ObjectId, _Hits]) -> _Hits:
    hits: _Hits = {}
    for entry in entries:
        if entry.id in wanted:
            what = "tree" if entry.kind == "tree" else "blob"
            hits.setdefault(entry.id, _Paths(what, entry.size)).add(entry.name)
        if entry.kind == "tree":
            for object_id, paths in known.get(entry.id, {}).items():
                hits.setdefault(object_id, _Paths(paths.type, paths.size)).add(entry.name, paths)
    return hits
