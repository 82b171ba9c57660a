"""Refs and reflogs: read one by one, and for a damaged one what its reflog knows of it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from mlstore.errors import CorruptError, MlstoreError, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.refs.names import BRANCHES
from mlstore.repository import Repository
from mlstore.verify.findings import Finding
from mlstore.verify.inspection import Inspection

_MOST_TAGS = 32
_SHOWN = 60


@dataclass(slots=True)
class RefCheck:
    """Looks at every ref and log of *repo*. ``roots`` are what they lead to: commits, tags, trees, blobs."""

    repo: Repository
    inspection: Inspection
    findings: list[Finding] = field(default_factory=list)
    roots: set[ObjectId] = field(default_factory=set)

    def check_refs(self) -> tuple[set[ObjectId], int]:
        """Give the commits that refs lead to, and how many refs there are."""
        tips: set[ObjectId] = set()
        names = ["HEAD", *self.repo.refs.names()]
        for name in names:
            try:
                target = self.repo.refs.head().commit if name == "HEAD" else self.repo.refs.read(name)
            except MlstoreError as exc:
                hint = self._propose(name) or exc.hint
                self.findings.append(Finding("corrupt-file", exc.message, path=name, hint=hint))
                continue
            if target is None:
                self._check_unborn(name)
                continue
            self.roots.add(target)
            if target in self.repo.objects:
                self._check_branch(name, target)
                tips |= self._peel(name, target)
                continue
            self.findings.append(
                Finding(
                    "missing-object",
                    f"'{name}' points to an object that is not there",
                    path=name,
                    expected=target,
                    hint=self._propose(name) or f"'mlstore reflog {name}' shows where it was before",
                )
            )
        return tips, len(names)

    def _check_branch(self, name: str, target: ObjectId) -> None:
        if not name.startswith(BRANCHES) or target in self.inspection.damaged:
            return
        try:
            kind = self.repo.objects.kind(target)
        except (CorruptError, NotFoundError):
            return  # told where it is followed
        if kind != "commit":
            text = f"'{name}' is a branch, and what it points to is a {kind}, not a commit"
            self.findings.append(Finding("corrupt-file", text, path=name, hint=self._propose(name)))

    def _check_unborn(self, name: str) -> None:
        """A HEAD on a branch that is not there is fine in a new repository; later it may be half a name."""
        if name == "HEAD" and self._last_known("HEAD") is not None:
            self.findings.append(
                Finding(
                    "missing-ref",
                    f"'HEAD' is on '{self.repo.refs.head().branch}', which has no commit",
                    severity="warning",
                    path="HEAD",
                    hint=self._propose("HEAD"),
                )
            )

    def _propose(self, name: str) -> str | None:
        """Say how a damaged ref can be put back to where its log saw it last; nobody but the user does it."""
        last = self._last_known(name)
        if last is None:
            return None
        object_id, message = last
        line = str(object_id)
        if name == "HEAD":
            branches = self._branches_at(object_id)
            if branches:
                line = f"ref: {branches[0]}"
        return (
            f"its reflog has it last at {object_id[:10]} ({message[:_SHOWN]}); if that is right: "
            f"echo {shlex.quote(line)} > {shlex.quote(f'.mlstore/{name}')}"
        )

    def _last_known(self, name: str) -> tuple[ObjectId, str] | None:
        try:
            for entry in self.repo.refs.reflog(name):
                if entry.new is not None and entry.new in self.repo.objects:
                    return entry.new, entry.message
        except MlstoreError:
            return None
        return None

    def _branches_at(self, commit: ObjectId) -> list[str]:
        found = []
        for name in self.repo.refs.names(BRANCHES):
            try:
                if self.repo.refs.read(name) == commit:
                    found.append(name)
            except MlstoreError:
                continue
        return found

    def check_logs(self) -> set[ObjectId]:
        """Give the commits that reflogs lead to; what a log names need not be here any more."""
        tips: set[ObjectId] = set()
        for name in self.repo.refs.logs():
            if name.startswith("run/"):
                continue
            try:
                entries = self.repo.refs.reflog(name)
                unreadable = self.repo.refs.unreadable_log_lines(name)
            except MlstoreError as exc:
                self.findings.append(Finding("corrupt-file", exc.message, path=f"logs/{name}", hint=exc.hint))
                continue
            if unreadable:
                self.findings.append(
                    Finding(
                        "corrupt-file",
                        f"the reflog of '{name}' has {unreadable} lines that are no entries",
                        severity="warning",
                        path=f"logs/{name}",
                        cause="a writer died, or the file was changed by hand",
                    )
                )
            for entry in entries:
                for object_id in (entry.old, entry.new):
                    if object_id is not None and object_id in self.repo.objects:
                        tips |= self._peel(name, object_id)
        return tips

    def _peel(self, name: str, target: ObjectId) -> set[ObjectId]:
        """Give the commit behind a ref; annotated tags on the way are reachable, and must be readable."""
        for _ in range(_MOST_TAGS):
            if target in self.inspection.damaged:
                return set()
            self.roots.add(target)
            try:
                kind = self.repo.objects.kind(target)
                if kind == "commit":
                    return {target}
                if kind != "tag":
                    if kind == "tree":
                        self.inspection.walk_tree(target, target, blobs=True)
                    return set()
                tag = self.repo.objects.read_tag(target)
                target = tag.target
                if target not in self.repo.objects:
                    raise NotFoundError(f"tag '{name}' points to an object that is not there")
                actual = self.repo.objects.kind(target)
                if actual != tag.target_kind and target not in self.inspection.damaged:
                    raise CorruptError(
                        f"tag '{name}' says that it names a {tag.target_kind}: it is a {actual}"
                    )
            except CorruptError as exc:
                self._tell("corrupt-object", name, target, exc)
                return set()
            except NotFoundError as exc:
                self._tell("missing-object", name, target, exc)
                return set()
        self._tell("corrupt-object", name, target, CorruptError(f"'{name}' is a chain of tags without end"))
        return set()

    def _tell(self, kind: str, name: str, target: ObjectId, exc: MlstoreError) -> None:
        finding = Finding(kind, exc.message, path=name, expected=target, hint=exc.hint)
        if finding not in self.findings:
            self.findings.append(finding)
