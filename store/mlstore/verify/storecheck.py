"""``fsck``: the whole store, every object hashed again, going on past every error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlstore._progress import Progress, as_tick, expect, format_size
from mlstore.errors import CorruptError, CorruptFile, MlstoreError, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.index import Index
from mlstore.index.codec import check_paths
from mlstore.objects.audit import Audit
from mlstore.repository import Extent, Repository
from mlstore.verify.exposure import check_exposure
from mlstore.verify.findings import Category, Finding, Report
from mlstore.verify.inspection import Inspection
from mlstore.verify.notes import check_notes
from mlstore.verify.owners import name_owners
from mlstore.verify.refcheck import RefCheck
from mlstore.verify.resume import Saver
from mlstore.verify.sampling import Sample

_NOTHING = Sample(0, 1)  # holds no object
_WINDOW = 8192


@dataclass(slots=True)
class FsckReport:
    """What ``fsck`` found. ``unreachable`` objects are no error: no ref, reflog or index needs them.

    ``dangling`` are those of them that no other object points to; ``types`` says what each of them is.

    ``mode`` is ``full`` or ``quick``; ``skipped`` says what was not looked at (or not hashed), and why.
    """

    findings: list[Finding] = field(default_factory=list)
    unreachable: list[ObjectId] = field(default_factory=list)
    dangling: list[ObjectId] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    checked: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    mode: str = "full"

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
            "mode": self.mode,
            "hashed": self.mode == "full",
            "findings": [finding.to_dict() for finding in self.findings],
            "unreachable": list(self.unreachable),
            "dangling": list(self.dangling),
            "types": self.types,
            "checked": self.checked,
            "skipped": self.skipped,
        }


def fsck(
    repo: Repository,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
    quick: bool = False,
    sample: Sample | None = None,
    resume: bool = False,
) -> FsckReport:
    """Check every object, ref, reflog and the index of *repo*; nothing of it is changed.

    *jobs* None uses all cores; a backend chosen by ``joblib.parallel_config`` is used. Damage becomes
    findings that name the object and who needs it. *quick* holds stored bytes against their checksums
    and hashes commits and trees only: that recognises accidents, not forgery. *sample* looks at a part.

    How far it got is kept in the store while it runs; *resume* goes on where an interrupted run stopped.
    """
    return _Fsck(repo, progress, Audit(repo.objects, jobs=jobs, quick=quick), sample).run(resume)


class Examination(NamedTuple):
    """An ``fsck`` for whoever mends what it found: ``audit`` knows which file each damaged copy is in."""

    report: FsckReport
    audit: Audit


def examine(
    repo: Repository, *, jobs: int | None = None, progress: Progress | None = None, stored: bool = True
) -> Examination:
    """Check all of *repo*; not *stored* looks at what hangs together only, and reads no blob."""
    audit = Audit(repo.objects, jobs=jobs, quick=not stored)
    sample = None if stored else _NOTHING
    return Examination(_Fsck(repo, progress, audit, sample).run(resume=False), audit)


class _Fsck:
    def __init__(
        self, repo: Repository, progress: Progress | None, audit: Audit, sample: Sample | None
    ) -> None:
        self._repo = repo
        self._progress = progress
        self._audit = audit
        self._sample = sample
        self._report = FsckReport(mode="quick" if audit.quick else "full")
        self._inspection = Inspection(repo)
        self._sizes = audit.sizes
        self._roots: set[ObjectId] = set()
        self._left_out: dict[ObjectId, int] = {}

    def run(self, resume: bool) -> FsckReport:
        report, inspection = self._report, self._inspection
        self._check_objects(resume)
        self._check_connections(self._check_refs())
        report.findings += check_notes(self._repo, inspection.damaged.keys())
        self._check_index()
        self._check_strangers()
        report.findings += check_exposure(self._repo)
        name_owners(inspection)
        report.findings = [*inspection.findings, *report.findings]
        self._find_unreachable()
        self._say_what_was_skipped()
        wrapped = Report("", None, findings=report.findings)
        wrapped.sort()
        report.findings = wrapped.findings
        return report

    # the stored bytes

    def _check_objects(self, resume: bool) -> None:
        """Look at every stored byte once: chunks by their own hash too, for a recipe may need only a part."""
        audit, saver = self._audit, Saver(self._repo, self._audit)
        audit.chosen = self._sample.holds if self._sample else None
        audit.prepare()
        if resume:
            saver.load()
        audit.plan()
        expect(self._progress, audit.looked_at, audit.total_bytes)
        audit.tick = saver.watching(as_tick(self._progress))
        with saver:
            audit.run()
        audit.settle()
        self._repo.objects.remember(audit.metadata)
        self._tell_packs()
        for object_id, error in audit.damaged.items():
            self._damage(object_id, error)
        self._report.checked |= {
            "packs": len(audit.packs) + len(audit.broken),
            "chunks": audit.chunks,
            "objects": len(self._sizes.keys() | (audit.damaged.keys() - audit.chunk_ids)),
            "bytes": sum(self._sizes.values()),
        }

    def _tell_packs(self) -> None:
        for name, exc in self._audit.broken:
            self._file_finding(f"objects/pack/{name}.pack", exc.message, exc.hint)
        for name, exc in self._audit.spares:
            self._report.findings.append(
                Finding(
                    "corrupt-object",
                    exc.message,
                    severity="warning",
                    path=f"objects/pack/{name}.pack",
                    expected=exc.data["id"],
                    cause="there is another copy of it, which is the one that is read",
                    hint="'mlstore fsck --repair' sets that pack aside and keeps what is sound in it",
                )
            )

    def _say_what_was_skipped(self) -> None:
        audit, skipped = self._audit, self._report.skipped
        if self._left_out:
            size, many = format_size(sum(self._left_out.values())), len(self._left_out)
            what = f"{many} blob{'s are' if many != 1 else ' is'} not here"
            skipped["filtered"] = f"{what}, {size}: the store was cloned without ({self._repo.filter})"
            self._report.checked["filtered"] = many
        if audit.done_before:
            skipped["resumed"] = f"{audit.done_before} entries were checked by the interrupted run"
            self._report.checked["resumed"] = audit.done_before
        if self._sample is not None:
            skipped["sample"] = f"{audit.left_out} entries are in other parts than {self._sample}"
            self._report.checked["left_out"] = audit.left_out
        if audit.quick:
            skipped["hashes"] = "quick: by checksum; xxh3 recognises accidents, not forgery"
            if audit.loose:
                skipped["loose"] = (
                    f"{len(audit.loose)} loose files have no checksum: only their size was looked at"
                )

    def _damage(self, object_id: ObjectId, exc: MlstoreError) -> None:
        finding = Finding(
            "corrupt-object",
            f"object {object_id[:10]} is corrupt: " + _reason(exc),
            expected=object_id,
            actual=exc.data.get("actual"),
            hint=exc.hint,
            type="chunk" if object_id in self._audit.chunk_ids else None,
            size=self._audit.stated.get(object_id),
        )
        self._inspection.damaged[object_id] = finding
        self._inspection.findings.append(finding)

    # refs and logs

    def _check_refs(self) -> set[ObjectId]:
        check = RefCheck(self._repo, self._inspection, self._report.findings, self._roots)
        tips, self._report.checked["refs"] = check.check_refs()
        return tips | check.check_logs()

    # what hangs together

    def _check_connections(self, tips: set[ObjectId]) -> None:
        inspection = self._inspection
        inspection.walk_history(sorted(tips))
        for commit_id, commit in inspection.commits.items():
            inspection.walk_tree(commit.tree, commit_id, blobs=True)
            if commit.stage is not None and commit.stage.environment is not None:
                where = f"environment of stage {commit.stage.name}"
                inspection.need_blob(commit.stage.environment, commit_id, where)
                inspection.records.add(commit.stage.environment)
        sizes = self._sizes
        for object_id, stated in inspection.blobs.items():
            size = sizes.get(object_id)
            if size is None and object_id not in inspection.damaged and inspection.may_be_absent(object_id):
                self._left_out[object_id] = stated or 0
            elif size is None:
                missing = NotFoundError(f"object '{object_id}' is missing")
                inspection.damage(object_id, missing, inspection.need_of(object_id), "blob")
            elif size != stated or inspection.other_sizes:
                inspection.check_size(object_id, size)
        self._report.checked["commits"] = len(inspection.commits)
        self._check_extent()

    def _check_extent(self) -> None:
        """A snapshot that no command would expand: the walk above saw each of its trees only once."""
        known: dict[ObjectId, Extent] = {}
        for commit_id in self._inspection.commits:
            self._inspection.check_extent(commit_id, known)

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
        gone = self._absent(index)
        chosen, rows = self._repo.filter, index.table.tree_entries() if gone else ()
        for path, _, object_id, size in rows:
            if object_id not in gone:
                continue
            if chosen is not None and chosen.leaves_out(size):
                self._left_out[object_id] = size
            else:
                self._report.findings.append(
                    Finding(
                        "missing-object",
                        f"the staged content of '{path}' is not in the store",
                        path=path,
                        expected=object_id,
                        hint=f"run 'mlstore add {path}' again",
                        type="blob",
                    )
                )

    def _absent(self, index: Index) -> set[ObjectId]:
        """Give what is staged and not there; all that is staged is a root."""
        inspection, gone, raw = self._inspection, set[ObjectId](), index.table.ids
        for first in range(0, len(raw), 32 * _WINDOW):  # so few ids at a time: most are in memory already
            text = raw[first : first + 32 * _WINDOW].hex()
            ids = {ObjectId(text[at : at + 64]) for at in range(0, len(text), 64)}
            self._roots |= ids.difference(inspection.blobs)
            gone |= ids.difference(self._sizes, inspection.damaged)
        return gone

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
        loose = sorted(self._sizes.keys() - reachable)
        self._report.unreachable = loose
        pointed_to = self._pointed_to(loose)
        self._report.dangling = [object_id for object_id in loose if object_id not in pointed_to]

    def _pointed_to(self, loose: list[ObjectId]) -> set[ObjectId]:
        found: set[ObjectId] = set()
        for object_id in loose:
            try:
                kind = self._report.types[object_id] = self._repo.objects.kind(object_id)
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
