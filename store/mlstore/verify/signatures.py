"""Signatures where they are required: every commit of REV's history, and tags that are pinned as signed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlstore.errors import ConfigError, MlstoreError
from mlstore.hashing import ObjectId, is_object_id
from mlstore.lockfile import LOCK_NAME, Lock, Pin
from mlstore.model import Commit
from mlstore.refs import TAGS
from mlstore.repository import Repository
from mlstore.signing import Signature, Verifier, verifier_of
from mlstore.verify.findings import Finding, Report

_KINDS = {
    "UNSIGNED": "unsigned",
    "UNKNOWN-KEY": "unknown-key",
    "EXPIRED": "expired-key",
    "REVOKED": "revoked-key",
    "BAD": "bad-signature",
}
_SAYS = {
    "UNSIGNED": "is not signed",
    "UNKNOWN-KEY": "is signed by a key that is not trusted",
    "EXPIRED": "is signed by a key that was not valid then",
    "REVOKED": "is signed by a key that was revoked",
    "BAD": "carries a signature that is not its own",
}
_HINTS = {
    "UNSIGNED": "find out who made it; 'mlstore commit --amend -S' signs the last commit",
    "UNKNOWN-KEY": "add the signer's key to the list of allowed signers, if it is his",
    "EXPIRED": "the list of allowed signers says when a key is valid",
    "REVOKED": "whatever this key signed may be somebody else's: record it anew with another key",
    "BAD": "the object was changed after it was signed: do not trust it",
}
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one *source* requires: commits signed by one of *principals* (none: by any allowed signer).

    The commit *since* and its ancestors are left out: they were made before anybody signed.
    """

    source: str
    principals: tuple[str, ...] = ()
    since: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class Signing:
    """What the caller of ``verify`` wants of signatures, and who judges them (None: see ``verifier_of``)."""

    required: Requirement | None = None
    verifier: Verifier | None = None


def requirements(repo: Repository, lock: Lock | None, asked: Requirement | None) -> list[Requirement]:
    """Give all that has to hold: what was asked for, what the repository's settings say, what the lock says.

    Raises ``ConfigError`` when the settings cannot be used.
    """
    found = [asked] if asked is not None else []
    value, since = repo.config.get("gate.requiresignature"), repo.config.get_text("gate.signedsince")
    if since is not None and not is_object_id(since):
        raise ConfigError("'gate.signedsince' is not the whole id of a commit", key="gate.signedsince")
    if value is not None and value is not False:
        names = _names(value)
        found.append(Requirement("gate.requiresignature", names, ObjectId(since) if since else None))
    if lock is not None and lock.signatures is not None:
        found.append(Requirement(LOCK_NAME, lock.signatures.principals, lock.signatures.since))
    return found


def _names(value: object) -> tuple[str, ...]:
    if value is True:
        return ()
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ConfigError(
            "'gate.requiresignature' is neither true nor false nor names of signers",
            key="gate.requiresignature",
        )
    names = tuple(name for text in texts for name in text.replace(",", " ").split())
    if not names:
        raise ConfigError("'gate.requiresignature' names nobody", key="gate.requiresignature")
    return names


@dataclass(slots=True)
class SignatureCheck:
    """Judges the signatures of one verification and puts what it finds into the *report*."""

    repo: Repository
    signing: Signing
    report: Report
    _verifier: Verifier | None = field(default=None)

    def run(self, commits: Mapping[ObjectId, Commit], lock: Lock | None) -> None:
        """Judge what has to be signed among *commits* (all of REV's history), and the tags of *lock*."""
        wanted = requirements(self.repo, lock, self.signing.required)
        if wanted:
            self._check_commits(commits, wanted)
            self._warn_of_lists()
        else:
            self.report.skipped["signatures"] = _not_required(commits)
        for pin in lock.pins.values() if lock is not None else ():
            if pin.signed:
                self._check_tag(pin, wanted)
        if self.report.signatures:
            self.report.checked["signatures"] = len(self.report.signatures)

    @property
    def verifier(self) -> Verifier:
        """Who judges."""
        if self._verifier is None:
            self._verifier = self.signing.verifier or self.repo.verifier or verifier_of(self.repo)
        return self._verifier

    # commits

    def _check_commits(self, commits: Mapping[ObjectId, Commit], wanted: Sequence[Requirement]) -> None:
        left_out = {one.since: _up_to(self.repo, commits, one.since) for one in wanted}
        rows = sorted(commits.items(), key=lambda item: (item[1].height, item[0]))
        rows = [row for row in rows if not all(row[0] in left_out[one.since] for one in wanted)]
        if len(rows) < len(commits):
            number = len(commits) - len(rows)
            self.report.skipped["signatures"] = f"{number} earlier commits, which the policy leaves out"

        def judge(row: tuple[ObjectId, Commit]) -> Signature:
            asked = [one for one in wanted if row[0] not in left_out[one.since]]
            return self._judge(row[1], asked)

        for (commit_id, commit), found in zip(rows, _in_threads(judge, rows), strict=True):
            stage = commit.stage.name if commit.stage is not None else None
            self.report.signatures.append(
                {"commit": commit_id, "tag": None, "stage": stage, **found.to_dict()}
            )
            if not found.good:
                what = f"the block of stage '{stage}'" if stage is not None else f"commit {commit_id[:10]}"
                self.report.findings.append(_finding(found, what, commit_id, wanted, stage=stage))

    def _judge(self, commit: Commit, asked: Sequence[Requirement]) -> Signature:
        """Every source that names signers has to find one of its own: the first that is not good counts."""
        found = Signature("UNSIGNED")
        for names in dict.fromkeys(one.principals for one in asked):
            found = self.verifier.commit(commit, names)
            if not found.good:
                break
        return found

    # tags

    def _check_tag(self, pin: Pin, wanted: Sequence[Requirement]) -> None:
        try:
            ref = self.repo.refs.read(TAGS + pin.name)
            tag = self.repo.objects.read_tag(ref) if ref and self.repo.objects.kind(ref) == "tag" else None
        except MlstoreError:
            return  # told by the check of the pins
        found = Signature("UNSIGNED")
        for names in dict.fromkeys(one.principals for one in wanted) or [()]:
            found = self.verifier.tag(tag, names, name=pin.name) if tag is not None else Signature("UNSIGNED")
            if not found.good:
                break
        self.report.signatures.append(
            {"commit": pin.commit, "tag": pin.name, "stage": None, **found.to_dict()}
        )
        if found.state == "UNKNOWN-KEY" and not wanted and self.verifier.trust.signers is None:
            self.report.skipped["signers"] = (
                f"tag '{pin.name}' is signed; nobody said which signers are allowed"
            )
        elif not found.good:
            self.report.findings.append(
                _finding(found, f"tag '{pin.name}'", pin.commit, wanted, tag=pin.name)
            )

    def _warn_of_lists(self) -> None:
        for path in self.verifier.trust.inside(self.repo.root):
            self.report.findings.append(
                Finding(
                    "signers-in-worktree",
                    f"'{path}' lies in the repository that it is to protect",
                    severity="warning",
                    path=str(path),
                    cause="whoever can change the repository can name himself as a signer",
                    hint="keep it elsewhere, and say where by --allowed-signers or signing.allowedsigners",
                )
            )


def _in_threads(judge: Any, rows: Sequence[Any]) -> Iterable[Signature]:
    # Most of the time goes by in ssh-keygen; a few rows are not worth a thread.
    if len(rows) < _THREADS:
        return [judge(row) for row in rows]
    from concurrent.futures import ThreadPoolExecutor

    first = judge(rows[0])  # finds the program and reads the lists, once
    with ThreadPoolExecutor(_THREADS) as pool:
        return [first, *pool.map(judge, rows[1:])]


def _up_to(
    repo: Repository, commits: Mapping[ObjectId, Commit], since: ObjectId | None
) -> frozenset[ObjectId]:
    """Give *since* and its ancestors, nothing where it is not part of this history."""
    if since is None or since not in commits:
        return frozenset()
    found, pending = set(), [since]
    while pending:
        commit_id = pending.pop()
        if commit_id in commits and commit_id not in found:
            found.add(commit_id)
            pending += commits[commit_id].parents
    return frozenset(found)


def _finding(
    found: Signature,
    what: str,
    commit: ObjectId,
    wanted: Sequence[Requirement],
    *,
    stage: str | None = None,
    tag: str | None = None,
) -> Finding:
    names = sorted({name for one in wanted for name in one.principals})
    sources = ", ".join(one.source for one in wanted)
    cause = found.reason or (
        f"required by {sources}" if sources else f"'{LOCK_NAME}' says that it was signed"
    )
    return Finding(
        _KINDS[found.state],
        f"{what} {_SAYS[found.state]}",
        stage=stage,
        commit=commit,
        path=None if tag is None else TAGS + tag,
        expected=f"a signature by {' or '.join(names)}" if names else "a signature by an allowed signer",
        actual=f"{found.state} {found.key_type} {found.fingerprint}" if found.key_type else found.state,
        cause=cause,
        hint=_HINTS[found.state],
    )


def _not_required(commits: Mapping[ObjectId, Commit]) -> str:
    signed = sum(commit.signature is not None for commit in commits.values())
    if not signed:
        return "no commit is signed, and none has to be"
    return f"{signed} of {len(commits)} commits carry a signature; --require-signature judges them"
