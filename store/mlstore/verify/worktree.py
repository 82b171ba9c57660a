"""The worktree against a commit: every tracked file is hashed, whatever ``stat`` says."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mlstore._progress import Progress, expect
from mlstore.compare import first_difference
from mlstore.errors import MlstoreError, ObjectNotFound
from mlstore.hashing import ObjectId, read_chunks
from mlstore.history import Chain
from mlstore.model import TreeEntry
from mlstore.repository import Repository, Snapshot, compare_entries
from mlstore.verify.blocks import key_id
from mlstore.verify.content import in_parallel
from mlstore.verify.explain import explain_difference, explain_values, unexplained
from mlstore.verify.findings import Finding
from mlstore.worktree import ContentCache, open_file, read_file


def check_worktree(
    repo: Repository,
    commit: ObjectId,
    expected: Snapshot,
    chain: Chain | None,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """Hash the file of every entry of *expected* and give what differs.

    A file that the pipeline reads only by keys is judged by those keys: another change in it is told
    as ``info`` and fails nothing.
    """
    cache = ContentCache(repo, trusted=True)

    def look(path: str) -> tuple[str, TreeEntry | None]:
        return path, cache.entry(path)

    expect(progress, len(expected), sum(entry.size for entry in expected.values()))
    findings = []
    for path, actual in in_parallel(look, expected, lambda path: expected[path].size, jobs):
        wanted = expected[path]
        if progress is not None and actual is not None:
            progress(path, actual.size)
        if compare_entries(path, wanted, actual) is not None:
            findings.append(_judge(repo, commit, path, wanted, actual, chain))
    return findings


def _judge(
    repo: Repository,
    commit: ObjectId,
    path: str,
    wanted: TreeEntry,
    actual: TreeEntry | None,
    chain: Chain | None,
) -> Finding:
    stage = _stage_of(chain, path)
    restore = f"restore it with 'mlstore checkout {commit[:10]} -- {path}'"
    if actual is None:
        return Finding(
            "missing-file",
            f"'{path}' is not in the worktree",
            stage=stage,
            commit=commit,
            path=path,
            expected=wanted.id,
            hint=restore,
        )
    if actual.id == wanted.id:
        return Finding(
            "mode",
            f"'{path}' is {actual.kind}, the commit says {wanted.kind}",
            stage=stage,
            commit=commit,
            path=path,
            expected=wanted.kind,
            actual=actual.kind,
            hint=restore,
        )
    if (keys := _keys_that_count(chain, path)) and _keys_agree(repo, wanted, path, keys):
        return _harmless(repo, commit, wanted, actual, keys)
    details = _explain(repo, wanted, actual)
    return Finding(
        "modified",
        f"'{path}' in the worktree is not what the commit holds",
        stage=stage,
        commit=commit,
        path=path,
        expected=wanted.id,
        actual=actual.id,
        cause="; ".join(details) or None,
        hint=restore if stage is None or _is_output(chain, path) else f"{restore}, or run the pipeline on it",
        details=details,
    )


def _harmless(
    repo: Repository, commit: ObjectId, wanted: TreeEntry, actual: TreeEntry, keys: list[str]
) -> Finding:
    details = _explain(repo, wanted, actual)
    return Finding(
        "unused-change",
        f"'{wanted.name}' was changed, but not where the pipeline reads it",
        severity="info",
        commit=commit,
        path=wanted.name,
        expected=wanted.id,
        actual=actual.id,
        cause=f"the pipeline reads only {', '.join(repr(key) for key in keys)}",
        details=details,
    )


def _keys_that_count(chain: Chain | None, path: str) -> list[str]:
    """Give the keys of *path* that stages read; none when some stage reads or writes all of it."""
    keys: set[str] = set()
    for block in chain.blocks if chain else ():
        if path in block.stage.inputs or path in block.stage.outputs:
            return []
        keys |= {s.partition("#")[2] for s in block.stage.inputs if s.startswith(f"{path}#")}
    return sorted(keys)


def _keys_agree(repo: Repository, wanted: TreeEntry, path: str, keys: list[str]) -> bool:
    from mlstore.compare import load_values, select, value_id

    try:
        values = load_values(read_file(repo, path), path)
        return all(
            value_id(repo.format, select(values, key, path)) == key_id(repo, wanted, key) for key in keys
        )
    except MlstoreError:
        return False  # a key is gone, or the file cannot be read: then it does differ


def _stage_of(chain: Chain | None, path: str) -> str | None:
    """Give the stage that wrote *path*, or the first that reads it."""
    if chain is None:
        return None
    producer = chain.producer(path)
    if producer is not None:
        return producer.name
    for block in chain.blocks:
        if any(selector.partition("#")[0] == path for selector in block.stage.inputs):
            return block.name
    return None


def _is_output(chain: Chain | None, path: str) -> bool:
    return chain is not None and chain.producer(path) is not None


def _explain(repo: Repository, wanted: TreeEntry, actual: TreeEntry) -> tuple[str, ...]:
    try:
        from mlstore.compare import is_keyed

        if is_keyed(wanted.name) and max(wanted.size, actual.size) < 16 << 20:
            lines = explain_values(
                repo.objects.read(wanted.id), read_file(repo, wanted.name), wanted.name, None
            )
            if lines:
                return lines
        found = first_difference(repo.objects.stream(wanted.id), _worktree_chunks(repo, wanted.name))
    except ObjectNotFound:
        return unexplained(repo)
    except MlstoreError:
        return ()
    return explain_difference(found, wanted.size, actual.size)


def _worktree_chunks(repo: Repository, path: str) -> Iterator[memoryview]:
    fd = open_file(repo, path)
    try:
        yield from read_chunks(fd)
    finally:
        os.close(fd)
