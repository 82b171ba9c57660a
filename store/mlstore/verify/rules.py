"""Whose rules judge: golden's, never those of the branch that is judged; and what the branch would have."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from mlstore.errors import ConfigError, CorruptError, MlstoreError, NotFoundError
from mlstore.gate.policy import Policy, bytes_only, read_policy
from mlstore.hashing import ObjectId
from mlstore.lockfile import LOCK_NAME, Pin
from mlstore.manifest import MANIFEST_NAME
from mlstore.repository import Repository
from mlstore.repository.snapshot import iter_files
from mlstore.verify.findings import Finding
from mlstore.verify.pins import read_lock

if TYPE_CHECKING:
    from mlstore.gate import Loosened

Golden: TypeAlias = tuple[Repository, ObjectId] | Pin
"""What is verified against: a commit in this or another repository, or a pin whose commit is not here."""

_MOST_PATHS = 10_000
_SHOWN = 8


def read_rules(repo: Repository, commit: ObjectId, golden: Golden | None) -> Policy:
    """Give the rules that judge: golden's, or without golden those of the *commit* that is verified.

    A file of the worktree counts only as far as ``mlstore.lock`` pins its rules.
    """
    if isinstance(golden, Pin):
        return bytes_only(repo.format, f"commit {golden.commit[:10]} is not in this store")
    home, judging = golden if golden is not None else (repo, commit)
    try:
        return read_policy(home, judging, pinned=_pinned(repo, home, judging), worktree=False)
    except (CorruptError, NotFoundError) as exc:
        return bytes_only(repo.format, exc.message)


def _pinned(repo: Repository, home: Repository, commit: ObjectId) -> ObjectId | None:
    """Give the id of the rules that the lock records for *commit*."""
    if home is not repo:
        return None
    try:
        lock = read_lock(repo)
    except ConfigError:
        return None  # said where pins are checked
    pins = lock.pins.values() if lock is not None else ()
    return next((pin.gate for pin in pins if pin.commit == commit and pin.gate is not None), None)


def unusable_rules(policy: Policy) -> list[Finding]:
    """Say that rules could not be used, if that is so."""
    if policy.note is None:
        return []
    return [
        Finding(
            "gate-rules",
            "the rules of the gate could not be used, so only the same bytes count",
            severity="warning",
            path=MANIFEST_NAME,
            cause=policy.note,
            hint=f"bring back the '{MANIFEST_NAME}' that they stand in",
        )
    ]


def compare_rules(repo: Repository, commit: ObjectId, golden: Golden | None, policy: Policy) -> list[Finding]:
    """Say how the rules of the branch differ from golden's, which count."""
    told = unusable_rules(policy)
    if not isinstance(golden, tuple) or golden == (repo, commit):
        return told
    try:
        branch = read_policy(repo, commit)
        if branch.id == policy.id:
            return told
        from mlstore.gate import compare_policies

        found = compare_policies(policy, branch, _paths(golden, (repo, commit)))
    except (CorruptError, NotFoundError):
        return told  # said elsewhere
    except MlstoreError as exc:
        return [*told, _finding([], exc.message)]
    return [*told, _finding(found, branch.note)]


def _paths(*sides: tuple[Repository, ObjectId]) -> list[str]:
    names: dict[str, None] = {}
    for repo, commit in sides:
        files = iter_files(repo.objects, repo.objects.read_commit(commit).tree)
        names.update((entry.name, None) for entry in islice(files, _MOST_PATHS))
    return list(names)


def _finding(found: list[Loosened], note: str | None) -> Finding:
    looser = [one for one in found if one.relation in ("looser", "other")]
    details = [str(one) for one in found[:_SHOWN]]
    if len(found) > _SHOWN:
        details.append(f"and {len(found) - _SHOWN} more files")
    what = "looser than golden's" if found and found[0].relation == "looser" else "not those of golden"
    return Finding(
        "gate-rules",
        f"the rules of this branch are {what}; golden's judge it",
        severity="warning" if looser else "info",
        path=MANIFEST_NAME,
        cause=note or (None if found else "no file is judged in another way by them"),
        hint=f"pin a golden pipeline with the new rules, which changes '{LOCK_NAME}'" if looser else None,
        details=tuple(details),
    )
