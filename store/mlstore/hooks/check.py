"""What a commit in git would let through: artifacts that belong here, a stale pipeline, a lock that lies.

Fast on purpose: a file whose size and times are those of the index is not read, as in ``status``. The proof
is ``verify``, which believes no times.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlstore.errors import ConfigError, MlstoreError
from mlstore.lockfile import LOCK_NAME, Lock, parse_lock
from mlstore.pipeline import find_declared, plan
from mlstore.repository import STORE_NAME, Repository
from mlstore.verify import Finding
from mlstore.verify.pins import check_pins, read_lock

LARGE = 1 << 20
"""Bytes: a tracked file from this size on is an artifact, whoever wrote it."""


def check_commit(repo: Repository) -> list[Finding]:
    """Give what makes the pipeline of the worktree another one than that on record."""
    findings = _check_stages(repo) if find_declared(repo) else _check_files(repo)
    lock = read_lock(repo)
    if lock is not None:
        findings += check_pins(repo, lock)
    return findings


def check_added(repo: Repository, paths: Iterable[str]) -> list[Finding]:
    """Say which of *paths*, new in git, are artifacts that mlstore tracks, or the store itself."""
    outputs = _outputs(repo)
    index = repo.read_index()
    findings = []
    for path in paths:
        if path.split("/")[0] == STORE_NAME:
            findings.append(
                Finding(
                    "store-in-git",
                    f"'{path}' is part of the store and about to be committed to git",
                    path=path,
                    hint=f"take it out with 'git rm -r --cached {STORE_NAME}', and ignore '{STORE_NAME}/'",
                )
            )
            continue
        entry = index.get(path)
        if entry is None or (path not in outputs and entry.size < LARGE):
            continue
        stage = outputs.get(path)
        what = f"an output of stage '{stage}'" if stage else f"an artifact of {entry.size} bytes"
        findings.append(
            Finding(
                "artifact-in-git",
                f"'{path}' is {what} that mlstore tracks, and about to be committed to git",
                stage=stage,
                path=path,
                hint=f"take it out with 'git rm --cached {path}' and add it to .gitignore",
            )
        )
    return findings


def check_lock(repo: Repository, text: bytes) -> list[Finding]:
    """Check a ``mlstore.lock`` that holds *text* against the store."""
    try:
        lock: Lock = parse_lock(text.decode("utf-8", "replace"))
    except ConfigError as exc:
        return [Finding("corrupt-file", exc.message, path=LOCK_NAME, hint=exc.hint)]
    return check_pins(repo, lock)


def _check_stages(repo: Repository) -> list[Finding]:
    head = repo.refs.head().commit
    findings: list[Finding] = []
    for state in plan(repo):
        if state.reason is None:
            continue
        follows = state.reason.startswith("upstream '")
        findings.append(
            Finding(
                "stale",
                f"stage '{state.name}' is not what its block says: {state.reason}",
                stage=state.name,
                commit=head,
                cause=state.reason if follows else None,
                hint=f"run 'mlstore run {state.name}', or restore what changed",
                consequence=follows and bool(findings),
            )
        )
    return findings


def _check_files(repo: Repository) -> list[Finding]:
    from mlstore.worktree import status as read_status

    found = read_status(repo, untracked="no")
    return [
        Finding(
            "modified",
            f"'{change.path}' is {change.status} and not committed to mlstore",
            path=change.path,
            hint="record it with 'mlstore add' and 'mlstore commit', or restore it",
        )
        for change in (*found.staged, *found.unstaged)
    ]


def _outputs(repo: Repository) -> dict[str, str]:
    """Give each output of the blocks behind HEAD with its stage; nothing where the history is damaged."""
    from mlstore.history import read_chain

    head = repo.refs.head().commit
    if head is None:
        return {}
    try:
        chain = read_chain(repo, head)
    except MlstoreError:
        return {}
    return {path: block.name for block in chain.blocks for path in block.stage.outputs}
