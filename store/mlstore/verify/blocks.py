"""The chain by itself: is every block true to its own snapshot, and to the blocks it stands on?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlstore.compare import load_values, select, value_id
from mlstore.errors import (
    ConfigError,
    CorruptError,
    MlstoreError,
    NotFoundError,
    ObjectNotFound,
    PathNotFound,
)
from mlstore.hashing import ObjectId
from mlstore.history import Block, Chain
from mlstore.model import TreeEntry
from mlstore.repository import Repository, find_entry
from mlstore.verify.explain import explain_file_change
from mlstore.verify.findings import Finding
from mlstore.worktree.proven import read_blob


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """Findings about a chain, the names of its stale stages, and the inputs that could not be looked at."""

    findings: list[Finding]
    stale: frozenset[str]
    unseen: tuple[str, ...] = ()


def check_chain(repo: Repository, chain: Chain, tree: ObjectId) -> ChainCheck:
    """Check every block of *chain* as it stands at a commit with *tree*.

    Damaged objects are passed over here: the content check tells them. Of a key in a file that the store was
    cloned without nothing can be said: such inputs are ``unseen``.
    """
    findings: list[Finding] = []
    stale: set[str] = set()
    unseen: dict[str, None] = {}
    for block in chain.blocks:
        findings += _check_own_record(repo, block, unseen)
        found = _check_inputs(repo, chain, block, tree, unseen) or _check_upstream(chain, block)
        if found:
            stale.add(block.name)
        findings += found
        findings += _check_outputs(repo, chain, block, tree)
    return ChainCheck(findings, frozenset(stale), tuple(unseen) if repo.filter is not None else ())


def stated_size(repo: Repository, block: Block, path: str) -> int | None:
    """Give how many bytes the block's own tree says that *path* has, None where it does not say."""
    try:
        entry = find_entry(repo.objects, block.commit.tree, path)
    except (CorruptError, NotFoundError):
        return None
    return None if entry is None or entry.kind == "tree" else entry.size


def undecided_keys(
    repo: Repository, commit: ObjectId, unseen: Iterable[str], golden: tuple[Repository, ObjectId] | None
) -> list[Finding]:
    """Give a finding for each file of *commit* with a key that nobody could look at, unless it is golden's.

    *golden* is a repository and a tree in it. What a block claims of such a key proves nothing.
    """
    tree = repo.objects.read_commit(commit).tree
    findings = []
    for path in sorted({selector.partition("#")[0] for selector in unseen}):
        ours = find_entry(repo.objects, tree, path)
        theirs = find_entry(golden[0].objects, golden[1], path) if golden is not None else None
        if ours is not None and theirs is not None and ours.id == theirs.id:
            continue
        findings.append(
            Finding(
                "undecided",
                f"'{path}' is not that of golden, and whether the keys that count agree cannot be told",
                commit=commit,
                path=path,
                expected=theirs.id if theirs else None,
                actual=ours.id if ours else None,
                cause="its content is not in this store, and not in the worktree",
                hint="verify where the content is, without --dataless",
            )
        )
    return findings


# a block and its own snapshot


def _check_own_record(repo: Repository, block: Block, unseen: dict[str, None]) -> list[Finding]:
    """A block's own tree must hold the inputs and outputs that it claims."""
    claims = {**block.stage.inputs, **block.stage.outputs}
    findings = []
    for selector, claimed in claims.items():
        try:
            actual = selector_id(repo, block.commit.tree, selector)
        except (CorruptError, NotFoundError) as exc:
            if isinstance(exc, PathNotFound):
                findings.append(_false_record(block, selector, claimed, None))
            elif isinstance(exc, ObjectNotFound):
                unseen[selector] = None
            continue
        if actual != claimed:
            findings.append(_false_record(block, selector, claimed, actual))
    return findings


def _false_record(block: Block, selector: str, claimed: ObjectId, actual: ObjectId | None) -> Finding:
    return Finding(
        "false-record",
        f"stage '{block.name}' claims '{selector}', its own snapshot holds something else",
        stage=block.name,
        commit=block.id,
        path=selector.partition("#")[0],
        expected=claimed,
        actual=actual,
        hint="the block was put together by hand: do not trust it",
    )


def selector_id(repo: Repository, tree: ObjectId, selector: str) -> ObjectId:
    """Give what ``path`` or ``path#key`` is in *tree*: the file's id, or the value's.

    Raises ``PathNotFound`` when the file or key is not there.
    """
    path, _, key = selector.partition("#")
    entry = find_entry(repo.objects, tree, path)
    if entry is None or entry.kind == "tree":
        raise PathNotFound(f"'{path}' is not there", path=path)
    if not key:
        return entry.id
    return key_id(repo, entry, key)


def key_id(repo: Repository, entry: TreeEntry, key: str) -> ObjectId:
    """Give the id of the value at *key* in the file that *entry* names; raises ``PathNotFound``."""
    try:
        values = load_values(read_blob(repo, entry), entry.name)
    except ConfigError as exc:
        raise PathNotFound(exc.message, path=f"{entry.name}#{key}") from None
    return value_id(repo.format, select(values, key, entry.name))


# a block and what it stands on


def _check_inputs(
    repo: Repository, chain: Chain, block: Block, tree: ObjectId, unseen: dict[str, None]
) -> list[Finding]:
    findings = []
    for selector, recorded in block.stage.inputs.items():
        producer = chain.producer(selector.partition("#")[0])
        if producer is not None and producer.name == block.name:
            continue
        source = producer.commit.tree if producer is not None else tree
        try:
            now: ObjectId | None = selector_id(repo, source, selector)
        except PathNotFound:
            now = None
        except ObjectNotFound:
            unseen[selector] = None
            continue
        except MlstoreError:
            continue
        if now != recorded:
            findings.append(_stale_input(repo, block, producer, selector, recorded, now, tree))
    return findings


def _stale_input(
    repo: Repository,
    block: Block,
    producer: Block | None,
    selector: str,
    recorded: ObjectId,
    now: ObjectId | None,
    tree: ObjectId,
) -> Finding:
    path, _, key = selector.partition("#")
    details: tuple[str, ...] = ()
    if producer is not None:
        wrote = f"stage '{producer.name}' wrote another '{path}' in {producer.id[:10]}"
        cause = f"{wrote}, and '{block.name}' was not run on it"
    elif now is None:
        cause = f"'{selector}' is no longer there"
    else:
        details = explain_file_change(repo, block.commit.tree, repo, tree, path, key or None)
        what = details[0] if details else "its content is another"
        cause = f"'{path}' was changed after '{block.name}' ran: {what}"
    return Finding(
        "stale",
        f"stage '{block.name}' is stale: it was made from another '{selector}'",
        stage=block.name,
        commit=block.id,
        path=path,
        expected=now,
        actual=recorded,
        cause=cause,
        hint="run 'mlstore run': it brings this stage and those after it up to date",
        details=details,
    )


def _check_upstream(chain: Chain, block: Block) -> list[Finding]:
    """Equal bytes with another past: the stage before was run again from other inputs."""
    findings = []
    for name, lineage in block.stage.upstream.items():
        current = chain.get(name)
        if current is None or current.name == block.name or current.lineage == lineage:
            continue
        findings.append(
            Finding(
                "stale",
                f"stage '{block.name}' is stale: it stands on an older block of '{name}'",
                stage=block.name,
                commit=block.id,
                expected=current.lineage,
                actual=lineage,
                cause=f"stage '{name}' was run again in {current.id[:10]}",
                hint="run 'mlstore run': it brings this stage and those after it up to date",
            )
        )
    return findings


def _check_outputs(repo: Repository, chain: Chain, block: Block, tree: ObjectId) -> list[Finding]:
    findings = []
    for path, recorded in block.stage.outputs.items():
        if chain.producer(path) is not block:
            continue
        try:
            entry = find_entry(repo.objects, tree, path)
        except (CorruptError, NotFoundError):
            continue
        if entry is None or entry.id != recorded:
            details = explain_file_change(repo, block.commit.tree, repo, tree, path, None)
            findings.append(
                Finding(
                    "overwritten",
                    f"'{path}' is not what stage '{block.name}' wrote",
                    stage=block.name,
                    commit=block.id,
                    path=path,
                    expected=recorded,
                    actual=entry.id if entry else None,
                    cause="; ".join(details) or "it was changed or removed by a later commit",
                    hint=f"restore it with 'mlstore checkout {block.id[:10]} -- {path}'",
                    details=details,
                )
            )
    return findings
