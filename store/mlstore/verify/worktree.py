"""The worktree against a commit: every tracked file is hashed, whatever ``stat`` says."""

from __future__ import annotations

from dataclasses import dataclass

from mlstore._progress import Progress, expect
from mlstore.errors import MlstoreError, ObjectNotFound
from mlstore.hashing import ObjectId
from mlstore.history import Chain
from mlstore.model import TreeEntry
from mlstore.repository import Repository, Snapshot, compare_entries, find_entry
from mlstore.verify.blocks import key_id
from mlstore.verify.content import in_parallel
from mlstore.verify.explain import explain_difference, explain_values, tell, unexplained
from mlstore.verify.findings import Finding
from mlstore.verify.judging import Judge, where_in_worktree
from mlstore.worktree import ContentCache, read_file


@dataclass(frozen=True, slots=True)
class Reference:
    """What the worktree has to be: a commit, its files, its chain, and the tree of golden if there is one.

    Where a rule allows more than the same bytes, a file is held against golden's own, not against the
    commit's: two steps within a tolerance may be one beyond it.
    """

    repo: Repository
    commit: ObjectId
    expected: Snapshot
    chain: Chain | None
    golden: tuple[Repository, ObjectId] | None = None

    def standard(self, path: str, judge: Judge) -> tuple[Repository, TreeEntry]:
        """Give the file that *path* is judged by."""
        if self.golden is not None and not judge.by_bytes(path):
            repo, tree = self.golden
            entry = find_entry(repo.objects, tree, path)
            if entry is not None and entry.kind != "tree":
                return repo, entry
        return self.repo, self.expected[path]


def check_worktree(
    reference: Reference, judge: Judge, *, jobs: int | None = None, progress: Progress | None = None
) -> list[Finding]:
    """Hash the file of every entry of the reference and give what differs.

    A file that the pipeline reads only by keys is judged by those keys: another change in it is told
    as ``info`` and fails nothing; so is a file that the rules of the gate call equivalent.
    """
    expected = reference.expected
    cache = ContentCache(reference.repo, trusted=True)

    def look(path: str) -> tuple[str, TreeEntry | None]:
        return path, cache.entry(path)

    expect(progress, len(expected), sum(entry.size for entry in expected.values()))
    findings = []
    for path, actual in in_parallel(look, expected, lambda path: expected[path].size, jobs):
        wanted = expected[path]
        if progress is not None and actual is not None:
            progress(path, actual.size)
        if compare_entries(path, wanted, actual) is not None:
            findings.append(_judge(reference, path, wanted, actual, judge))
    return findings


def _judge(
    reference: Reference, path: str, wanted: TreeEntry, actual: TreeEntry | None, judge: Judge
) -> Finding:
    repo, commit, chain = reference.repo, reference.commit, reference.chain
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
    return _modified(reference, wanted, actual, judge, stage, restore)


def _modified(
    reference: Reference, wanted: TreeEntry, actual: TreeEntry, judge: Judge, stage: str | None, restore: str
) -> Finding:
    path, repo = wanted.name, reference.repo
    standard = reference.standard(path, judge)
    found = judge.in_worktree(path, standard, repo, actual)
    if found.passes and actual.kind == wanted.kind:
        how = found.text if found.outcome == "equivalent" else "that of golden"
        return Finding(
            "equivalent",
            f"'{path}' in the worktree is not what the commit holds, but {how}",
            severity="info",
            stage=stage,
            commit=reference.commit,
            path=path,
            expected=wanted.id,
            actual=actual.id,
            comparison=found.comparison.to_dict() if found.comparison else None,
            rule=found.rule,
        )
    told = tell(found, standard[1], actual, where_in_worktree(standard, repo, path))
    untouched = stage is None or _is_output(reference.chain, path)
    return Finding(
        "modified",
        f"'{path}' in the worktree is not what the commit holds",
        stage=stage,
        commit=reference.commit,
        path=path,
        expected=wanted.id,
        actual=actual.id,
        cause=told.cause or None,
        hint=restore if untouched else f"{restore}, or run the pipeline on it",
        details=told.details,
        comparison=told.to_dict(),
        rule=found.rule,
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
        found = where_in_worktree((repo, wanted), repo, wanted.name)()
    except ObjectNotFound:
        return unexplained(repo)
    except MlstoreError:
        return ()
    return explain_difference(found, wanted.size, actual.size)
