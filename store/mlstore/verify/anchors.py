"""Anchors: what is known of the heads from outside of the store, and whether REV descends from it.

``mlstore.lock`` names pinned commits; ``LastSeen`` what this client saw last. An old head with a valid
history is the one attack that no check of the store alone can notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlstore.errors import CorruptError, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.history.walk import is_ancestor
from mlstore.lockfile import LOCK_NAME, Lock
from mlstore.model import Commit
from mlstore.refs import BRANCHES, TAGS, is_ref
from mlstore.repository import Repository
from mlstore.signing import LastSeen
from mlstore.signing.lastseen import Anchor, Seen, look
from mlstore.verify.findings import Finding, Report, Severity

_WORST: tuple[Anchor, ...] = ("ROLLED-BACK", "NEWER", "MATCH", "NONE")


@dataclass(slots=True)
class AnchorCheck:
    """Holds REV against the anchors and puts what it finds into the *report*."""

    repo: Repository
    report: Report
    seen: LastSeen | None
    accept: bool = False
    _names: list[str] = field(default_factory=list)

    def run(self, commits: Mapping[ObjectId, Commit], lock: Lock | None) -> None:
        """Judge both anchors; *commits* is REV's history."""
        self.report.anchors = {"lock": self._check_lock(commits, lock), "last-seen": self._check_seen(lock)}

    def remember(self) -> None:
        """Note where the judged refs stand, once the whole verification has passed."""
        if self.seen is not None and self.report.ok and self._names:
            self.seen.note(self.repo, self._names)
            if self.seen.problem is not None:
                self.report.skipped["last-seen"] = self.seen.problem

    # the lock

    def _check_lock(self, commits: Mapping[ObjectId, Commit], lock: Lock | None) -> dict[str, object]:
        pins: dict[str, Anchor] = {}
        here = self.report.commit
        for pin in lock.pins.values() if lock is not None else ():
            known: Anchor = "NEWER" if pin.commit in commits else "ROLLED-BACK"
            pins[pin.name] = "MATCH" if pin.commit == here else known
        best: Anchor = "NONE"
        if pins:
            best = min(pins.values(), key=("MATCH", "NEWER", "ROLLED-BACK").index)
        if best == "ROLLED-BACK" and lock is not None and self.report.rev in ("HEAD", "@"):
            self._tell_of_older_head(lock)
        return {"state": best, "pins": pins}

    def _tell_of_older_head(self, lock: Lock) -> None:
        for pin in lock.pins.values():
            if self._stands_before(pin.commit):
                self.report.findings.append(
                    Finding(
                        "behind-pin",
                        f"HEAD is older than the commit that '{LOCK_NAME}' pins as '{pin.name}'",
                        severity="warning",
                        commit=self.report.commit,
                        expected=pin.commit,
                        actual=self.report.commit,
                    )
                )

    def _stands_before(self, pinned: ObjectId) -> bool:
        try:
            return self.report.commit is not None and is_ancestor(
                self.repo, ObjectId(self.report.commit), pinned
            )
        except (CorruptError, NotFoundError):
            return False  # told by the check of the pins

    # what was seen last

    def _check_seen(self, lock: Lock | None) -> dict[str, object]:
        if self.seen is None:
            return {"state": "NONE", "refs": {}}
        seen = self.seen.read(self.repo)
        if self.seen.problem is not None:
            self.report.skipped["last-seen"] = self.seen.problem
        self._names = list(self._concerned(seen, lock))
        states = {name: self.seen.judge(self.repo, name, seen) for name in self._names}
        for name in self._names:
            if states[name] == "ROLLED-BACK" and not self._told_by_branch(name, states):
                self._tell_rollback(name, seen[name])
        worst = min(states.values(), key=_WORST.index, default="NONE")
        return {"state": worst, "refs": states}

    def _concerned(self, seen: Mapping[str, Seen], lock: Lock | None) -> Iterable[str]:
        """Give the refs that are relied on: those of REV, of what it is held against, of the pins."""
        names: dict[str, None] = {}
        for text in (self.report.rev, self.report.against):
            if text in ("HEAD", "@"):
                branch = self.repo.refs.head().branch
                found = ["HEAD", *([] if branch is None else [BRANCHES + branch])]
            else:
                words = () if text is None else (text, TAGS + text, BRANCHES + text)
                found = [word for word in words if word.startswith("refs/") and is_ref(word)]
            names.update(dict.fromkeys(found))
        for pinned in lock.pins if lock is not None else ():
            if is_ref(TAGS + pinned):
                names[TAGS + pinned] = None
        return [name for name in names if name in seen or look(self.repo, name) is not None]

    def _told_by_branch(self, name: str, states: Mapping[str, Anchor]) -> bool:
        branch = self.repo.refs.head().branch
        return name == "HEAD" and branch is not None and states.get(BRANCHES + branch) == "ROLLED-BACK"

    def _tell_rollback(self, name: str, before: Seen) -> None:
        now = look(self.repo, name)
        gone = now is None
        severity: Severity = "info" if self.accept else "error"
        self.report.findings.append(
            Finding(
                "rolled-back",
                f"{_spoken(name)} {'is gone' if gone else 'does not descend from what this client saw last'}",
                severity=severity,
                commit=now.commit if now is not None else None,
                path=name,
                expected=before.commit or before.id,
                actual=None if now is None else now.commit or now.id,
                cause="accepted by --accept-rollback"
                if self.accept
                else "it was moved back, rewritten or replaced, and not by a command of this client",
                hint=None
                if self.accept
                else "find out who did it; 'mlstore verify --accept-rollback' takes it as it is now",
            )
        )


def _spoken(name: str) -> str:
    if name.startswith(BRANCHES):
        return f"branch '{name.removeprefix(BRANCHES)}'"
    return f"tag '{name.removeprefix(TAGS)}'" if name.startswith(TAGS) else f"'{name}'"
