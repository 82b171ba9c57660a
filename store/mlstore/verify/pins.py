"""``mlstore.lock`` against the store: the anchor that whoever rewrites the store cannot move unseen."""

from __future__ import annotations

from mlstore.durable import read_regular
from mlstore.errors import ConfigError, CorruptError, MlstoreError, NotFoundError
from mlstore.gate.policy import read_policy
from mlstore.hashing import ObjectId
from mlstore.history import Chain, read_chain
from mlstore.history.revision import peel
from mlstore.lockfile import LOCK_NAME, Lock, Pin, parse_lock
from mlstore.refs import TAGS
from mlstore.repository import Repository
from mlstore.verify.findings import Finding

_LARGEST = 16 << 20


def read_lock(repo: Repository) -> Lock | None:
    """Give ``mlstore.lock`` of the worktree, None when there is none; raises ``ConfigError``."""
    try:
        data = read_regular(repo.root / LOCK_NAME, _LARGEST, error=ConfigError)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return parse_lock(data.decode("utf-8", "replace"))


def make_pin(repo: Repository, name: str, commit_id: ObjectId, chain: Chain) -> Pin:
    """Give what ``mlstore.lock`` is to say of a commit.

    Where the commit tracks no ``mlstore.toml``, the rules of the gate are those of the file in the worktree.
    """
    commit = repo.objects.read_commit(commit_id)
    stages = {block.name: block.lineage for block in chain.blocks}
    policy = read_policy(repo, commit_id)
    return Pin(
        name, commit_id, commit.lineage, commit.height, stages, policy.id if policy.has_rules else None
    )


def check_pins(repo: Repository, lock: Lock) -> list[Finding]:
    """Check every pin of *lock*: its tag points to the commit, and the commit is what the pin says."""
    if lock.object_format != repo.format.name:
        return [
            _moved(
                None,
                f"'{LOCK_NAME}' is of a repository with object format '{lock.object_format}'",
                expected=lock.object_format,
                actual=repo.format.name,
            )
        ]
    return [finding for pin in lock.pins.values() for finding in _check_pin(repo, pin)]


def _check_pin(repo: Repository, pin: Pin) -> list[Finding]:
    findings = _check_tag(repo, pin)
    try:
        actual = make_pin(repo, pin.name, pin.commit, read_chain(repo, pin.commit))
    except NotFoundError:
        return [
            *findings,
            Finding(
                "missing-object",
                f"the commit that '{LOCK_NAME}' pins as '{pin.name}' is not in this store",
                commit=pin.commit,
                expected=pin.commit,
                hint="bring it here, or pin another commit with 'mlstore tag --golden'",
            ),
        ]
    except CorruptError:
        return findings  # the damage itself is told by the content check, or here by its own finding
    for what, pinned, found in (
        ("lineage", pin.lineage, actual.lineage),
        ("height", pin.height, actual.height),
        ("stages", pin.stages, actual.stages),
    ):
        if pinned != found:
            findings.append(
                _moved(
                    pin.commit,
                    f"'{LOCK_NAME}' pins another {what} for '{pin.name}' than its commit has",
                    expected=str(pinned),
                    actual=str(found),
                )
            )
    return findings + _check_gate(repo, pin, actual)


def _check_gate(repo: Repository, pin: Pin, actual: Pin) -> list[Finding]:
    """Rules that the commit itself holds are those of the pin; an older lock does not say which."""
    tracked = read_policy(repo, pin.commit, worktree=False).source == "commit"
    if pin.gate is None or not tracked or pin.gate == actual.gate:
        return []
    return [
        _moved(
            pin.commit,
            f"'{LOCK_NAME}' pins other rules of the gate for '{pin.name}' than its commit has",
            expected=pin.gate,
            actual=str(actual.gate),
        )
    ]


def _check_tag(repo: Repository, pin: Pin) -> list[Finding]:
    try:
        target = repo.refs.read(TAGS + pin.name)
        commit = peel(repo, target, "commit", pin.name) if target else None
    except MlstoreError as exc:
        kind = "corrupt-object" if isinstance(exc, CorruptError) else "missing-object"
        return [
            Finding(
                kind,
                f"tag '{pin.name}' cannot be read: {exc.message}",
                path=f"{TAGS}{pin.name}",
                expected=exc.data.get("id"),
                actual=exc.data.get("actual"),
                hint=exc.hint,
            )
        ]
    if commit is None:
        return [
            Finding(
                "missing-ref",
                f"tag '{pin.name}' is pinned by '{LOCK_NAME}' and not in this store",
                path=f"{TAGS}{pin.name}",
                expected=pin.commit,
                hint=f"make it again with 'mlstore tag {pin.name} {pin.commit[:10]}'",
            )
        ]
    if commit != pin.commit:
        return [
            _moved(
                commit,
                f"tag '{pin.name}' does not point to the commit that '{LOCK_NAME}' pins",
                expected=pin.commit,
                actual=commit,
            )
        ]
    return []


def _moved(commit: ObjectId | None, message: str, *, expected: str, actual: str) -> Finding:
    return Finding(
        "moved-pin",
        message,
        commit=commit,
        path=LOCK_NAME,
        expected=expected,
        actual=actual,
        cause="the tag was moved, the history rewritten, or the lock restored from another time",
        hint="find out which of the two is right before you trust either",
    )
