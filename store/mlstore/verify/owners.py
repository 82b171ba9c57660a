"""Who needs an object: the paths and commits, found after damage was."""

from __future__ import annotations

from dataclasses import replace

from mlstore.hashing import ObjectId
from mlstore.model import TreeEntry
from mlstore.verify.findings import Finding
from mlstore.verify.inspection import Inspection

_SHOWN = 8


def name_owners(inspection: Inspection) -> None:
    """Put into each damage finding the paths and commits that need the object, as far as can be read."""
    if not inspection.damaged:
        return
    owners = _find_owners(inspection)
    named = {
        id(old): _with_owners(old, owners.get(object_id, {})) for object_id, old in inspection.damaged.items()
    }
    inspection.findings = [named.get(id(finding), finding) for finding in inspection.findings]


def _with_owners(finding: Finding, paths: dict[str, list[ObjectId]]) -> Finding:
    if not paths:
        return finding
    lines = []
    for path, commits in sorted(paths.items())[:_SHOWN]:
        shown = ", ".join(commit[:10] for commit in commits[:_SHOWN])
        more = f" and {len(commits) - _SHOWN} more" if len(commits) > _SHOWN else ""
        lines.append(f"needed as '{path}' by {shown}{more}" if path else f"needed by {shown}{more}")
    if len(paths) > _SHOWN:
        lines.append(f"and as {len(paths) - _SHOWN} more paths")
    first = min(paths)
    return replace(finding, path=finding.path or first or None, details=(*finding.details, *lines))


def _find_owners(inspection: Inspection) -> dict[ObjectId, dict[str, list[ObjectId]]]:
    wanted = set(inspection.damaged)
    found: dict[ObjectId, dict[str, list[ObjectId]]] = {}
    hits: dict[ObjectId, list[tuple[str, ObjectId]]] = {}
    for commit_id, commit in sorted(inspection.commits.items(), key=lambda item: item[1].height):
        uses = [("", commit.tree)] if commit.tree in wanted else []
        uses += _tree_hits(inspection, commit.tree, wanted, hits)
        uses += [("", parent) for parent in commit.parents if parent in wanted]
        if commit.stage and commit.stage.environment in wanted:
            uses.append((f"environment of stage {commit.stage.name}", commit.stage.environment))
        for path, object_id in uses:
            found.setdefault(object_id, {}).setdefault(path, []).append(commit_id)
    return found


def _tree_hits(
    inspection: Inspection,
    root: ObjectId,
    wanted: set[ObjectId],
    known: dict[ObjectId, list[tuple[str, ObjectId]]],
) -> list[tuple[str, ObjectId]]:
    """Give where below *root* the wanted objects are; each tree is searched once (no recursion)."""
    stack = [root]
    while stack:
        tree_id = stack[-1]
        tree = inspection.trees.get(tree_id)
        entries: tuple[TreeEntry, ...] = tree.entries if tree else ()
        below = [entry for entry in entries if entry.kind == "tree"]
        unknown = [entry.id for entry in below if entry.id not in known and entry.id in inspection.trees]
        if tree_id not in known and unknown:
            stack += unknown
            continue
        stack.pop()
        if tree_id not in known:
            hits = [(entry.name, entry.id) for entry in entries if entry.id in wanted]
            for entry in below:
                hits += [(f"{entry.name}/{path}", object_id) for path, object_id in known.get(entry.id, [])]
            known[tree_id] = hits
    return known[root]
