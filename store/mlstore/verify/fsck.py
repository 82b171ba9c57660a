"""``fsck``: the whole store, every object hashed again, going on past every error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlstore.errors import CorruptError, CorruptFile, MlstoreError, NotFoundError
from mlstore.hashing import Digest, ObjectId
from mlstore.index import Index
from mlstore.index.codec import check_paths
from mlstore.repository import Repository
from mlstore.verify.content import Progress, in_parallel
from mlstore.verify.findings import Category, Finding, Report
from mlstore.verify.inspection import Inspection, Need, size_mismatch
from mlstore.verify.owners import name_owners


@dataclass(slots=True)
class FsckReport:
    """What ``fsck`` found. ``unreachable`` objects are no error: no ref, reflog or index needs them."""

    findings: list[Finding] = field(default_factory=list)
    unreachable: list[ObjectId] = field(default_factory=list)
    dangling: list[ObjectId] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def category(self) -> Category | None:
        """The gravest category among the errors."""
        return Report("", None, findings=self.findings).category

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data (schema ``mlstore.fsck/1``)."""
        return {
            "ok": self.ok,
            "findings": [finding.to_dict() for finding in self.findings],
            "unreachable": list(self.unreachable),
            "dangling": list(self.dangling),
            "checked": self.checked,
        }


def fsck(repo: Repository, *, jobs: int | None = None, progress: Progress | None = None) -> FsckReport:
    """Check every object, ref, reflog and the index of *repo*; nothing is changed.

    *jobs* None uses all cores. Damage becomes findings that name the object and who needs it.
    """
    check = _Fsck(repo, jobs, progress)
    return check.run()


class _Fsck:
    def __init__(self, repo: Repository, jobs: int | None, progress: Progress | None) -> None:
        self._repo = repo
        self._jobs = jobs
        self._progress = progress
        self._report = FsckReport()
        self._inspection = Inspection(repo)
        self._sizes: dict[ObjectId, int] = {}
        self._roots: set[ObjectId] = set()

    def run(self) -> FsckReport:
        report, inspection = self._report, self._inspection
        self._check_packs()
        self._check_objects()
        tips = self._check_refs() | self._check_logs()
        self._check_connections(tips)
        self._check_index()
        self._check_strangers()
        name_owners(inspection)
        report.findings = [*inspection.findings, *report.findings]
        self._find_unreachable()
        wrapped = Report("", None, findings=report.findings)
        wrapped.sort()
        report.findings = wrapped.findings
        return report

    def _check_objects(self) -> None:
        def check(object_id: ObjectId) -> tuple[ObjectId, Digest | MlstoreError]:
            try:
                return object_id, self._repo.objects.check(object_id)
            except (CorruptError, NotFoundError) as exc:
                return object_id, exc

        count = 0
        objects = self._repo.objects
        for object_id, result in in_parallel(check, objects.ids(), self._size_of, self._jobs):
            count += 1
            if isinstance(result, MlstoreError):
                self._damage(object_id, result)
                continue
            self._sizes[object_id] = result.size
            if self._progress is not None:
                self._progress(object_id, result.size)
        self._report.checked |= {"objects": count, "bytes": sum(self._sizes.values())}

    def _size_of(self, object_id: ObjectId) -> int:
        try:
            return self._repo.objects.size(object_id)
        except (CorruptError, NotFoundError):
            return 0  # what is wrong with it is told when it is checked

    def _check_packs(self) -> None:
        """Each pack's index, and each chunk by its own hash: a recipe may need it only in part."""
        packs = chunks = 0
        for pack in self._repo.objects.check_packs():
            packs += 1
            path = f"objects/pack/{pack.name}.pack"
            if pack.error is not None:
                self._file_finding(path, pack.error.message, pack.error.hint)
            for spare in pack.spares:
                self._report.findings.append(
                    Finding(
                        "corrupt-object",
                        spare.message,
                        severity="warning",
                        path=path,
                        expected=spare.data["id"],
                        cause="there is another copy of it, which is the one that is read",
                    )
                )
            for chunk_id in pack.chunks:
                chunks += 1
                self._check_chunk(chunk_id)
        self._report.checked |= {"packs": packs, "chunks": chunks}

    def _check_chunk(self, chunk_id: ObjectId) -> None:
        size = 0
        try:
            size = self._repo.objects.check_chunk(chunk_id)
        except CorruptError as exc:
            self._damage(chunk_id, exc)
        if self._progress is not None:
            self._progress(chunk_id, size)

    def _damage(self, object_id: ObjectId, exc: MlstoreError) -> None:
        finding = Finding(
            "corrupt-object",
            f"object {object_id[:10]} is corrupt: " + _reason(exc),
            expected=object_id,
            actual=exc.data.get("actual"),
            hint=exc.hint,
        )
        self._inspection.damaged[object_id] = finding
        self._inspection.findings.append(finding)

    # refs and logs

    def _check_refs(self) -> set[ObjectId]:
        tips: set[ObjectId] = set()
        names = self._repo.refs.names()
        for name in ["HEAD", *names]:
            try:
                target = self._repo.refs.head().commit if name == "HEAD" else self._repo.refs.read(name)
            except MlstoreError as exc:
                self._file_finding(name, exc.message, exc.hint)
                continue
            if target is None:
                continue
            self._roots.add(target)
            if target not in self._repo.objects:
                self._report.findings.append(
                    Finding(
                        "missing-object",
                        f"'{name}' points to an object that is not there",
                        path=name,
                        expected=target,
                        hint=f"'mlstore reflog {name}' shows where it was before",
                    )
                )
            else:
                tips |= self._peel(name, target)
        self._report.checked["refs"] = len(names) + 1
        return tips

    def _peel(self, name: str, target: ObjectId) -> set[ObjectId]:
        """Give the commit behind a ref; annotated tags on the way are reachable, and must be readable."""
        for _ in range(32):
            if target in self._inspection.damaged:
                return set()
            self._roots.add(target)
            kind = self._repo.objects.kind(target)
            if kind == "commit":
                return {target}
            if kind != "tag":
                if kind == "tree":
                    self._inspection.walk_tree(target, target, blobs=True)
                return set()
            try:
                target = self._repo.objects.read_tag(target).target
                if target not in self._repo.objects:
                    raise NotFoundError(f"tag '{name}' points to an object that is not there")
            except CorruptError as exc:
                self._report.findings.append(
                    Finding("corrupt-object", exc.message, path=name, expected=target, hint=exc.hint)
                )
                return set()
            except NotFoundError as exc:
                self._report.findings.append(
                    Finding("missing-object", exc.message, path=name, expected=target)
                )
                return set()
        return set()

    def _check_logs(self) -> set[ObjectId]:
        tips: set[ObjectId] = set()
        for name in self._repo.refs.logs():
            if name.startswith("run/"):
                continue
            try:
                entries = self._repo.refs.reflog(name)
                unreadable = self._repo.refs.unreadable_log_lines(name)
            except MlstoreError as exc:
                self._file_finding(f"logs/{name}", exc.message, exc.hint)
                continue
            if unreadable:
                self._report.findings.append(
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
                    if object_id is not None and object_id in self._repo.objects:
                        tips |= self._peel(name, object_id)
        return tips

    # what hangs together

    def _check_connections(self, tips: set[ObjectId]) -> None:
        inspection = self._inspection
        inspection.walk_history(sorted(tips))
        for commit_id, commit in inspection.commits.items():
            inspection.walk_tree(commit.tree, commit_id, blobs=True)
            if commit.stage is not None and commit.stage.environment is not None:
                where = f"environment of stage {commit.stage.name}"
                inspection.need_blob(commit.stage.environment, commit_id, where)
        for object_id, need in inspection.blobs.items():
            self._check_needed(object_id, need)
        self._report.checked["commits"] = len(inspection.commits)

    def _check_needed(self, object_id: ObjectId, need: Need) -> None:
        size = self._sizes.get(object_id)
        if size is None:
            missing = NotFoundError(f"object '{object_id}' is missing")
            self._inspection.damage(object_id, missing, need, "blob")
        elif need.size is not None and need.size != size:
            self._inspection.damage(object_id, size_mismatch(object_id, need.size, size), need, "blob")

    def _check_index(self) -> None:
        try:
            index = self._repo.read_index()
            check_paths(index.table)
        except CorruptFile as exc:
            self._file_finding("index", exc.message, exc.hint)
            return
        self._report.checked["index"] = len(index)
        self._check_staged(index)

    def _check_staged(self, index: Index) -> None:
        for entry in index.entries():
            self._roots.add(entry.id)
            if entry.id not in self._sizes and entry.id not in self._inspection.damaged:
                self._report.findings.append(
                    Finding(
                        "missing-object",
                        f"the staged content of '{entry.path}' is not in the store",
                        path=entry.path,
                        expected=entry.id,
                        hint=f"run 'mlstore add {entry.path}' again",
                    )
                )

    def _check_strangers(self) -> None:
        for path in self._repo.objects.strangers():
            relative = path.relative_to(self._repo.store).as_posix()
            self._report.findings.append(
                Finding(
                    "stranger",
                    f"'{relative}' is not an object",
                    severity="warning",
                    path=relative,
                    hint="nothing in mlstore made it: look at it, then remove it",
                )
            )

    def _find_unreachable(self) -> None:
        inspection = self._inspection
        reachable = {
            *inspection.commits,
            *inspection.trees,
            *inspection.blobs,
            *inspection.damaged,
            *self._roots,
        }
        loose = [object_id for object_id in self._sizes if object_id not in reachable]
        self._report.unreachable = loose
        pointed_to = self._pointed_to(loose)
        self._report.dangling = [object_id for object_id in loose if object_id not in pointed_to]

    def _pointed_to(self, loose: list[ObjectId]) -> set[ObjectId]:
        found: set[ObjectId] = set()
        for object_id in loose:
            try:
                kind = self._repo.objects.kind(object_id)
                if kind == "commit":
                    commit = self._repo.objects.read_commit(object_id)
                    found |= {commit.tree, *commit.parents}
                elif kind == "tree":
                    found |= {entry.id for entry in self._repo.objects.read_tree(object_id).entries}
                elif kind == "tag":
                    found.add(self._repo.objects.read_tag(object_id).target)
            except (CorruptError, NotFoundError):
                continue
        return found

    def _file_finding(self, path: str, message: str, hint: str | None) -> None:
        self._report.findings.append(Finding("corrupt-file", message, path=path, hint=hint))


def _reason(exc: MlstoreError) -> str:
    if "actual" in exc.data:
        return "its stored bytes hash to another id"
    return exc.message.partition(": ")[2] or exc.message
