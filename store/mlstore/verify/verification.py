"""``verify``: is what stands here exactly the pipeline that it claims to be?

In this order, and going on past every finding: history, content, lineage, worktree, pins, and the
comparison with a golden pipeline. Nothing that is read is ever executed or deserialised.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlstore._progress import Progress
from mlstore.errors import CorruptError, NotFoundError, RefNotFound, UsageError
from mlstore.hashing import ObjectId
from mlstore.history import Chain, read_chain, resolve_commit
from mlstore.lockfile import LOCK_NAME, Pin
from mlstore.repository import STORE_NAME, Repository, read_snapshot
from mlstore.verify.against import Side, compare_chains, files_outside
from mlstore.verify.blocks import check_chain
from mlstore.verify.content import check_blobs
from mlstore.verify.exposure import check_exposure
from mlstore.verify.findings import Finding, Report, StageVerdict
from mlstore.verify.inspection import Inspection
from mlstore.verify.owners import name_owners
from mlstore.verify.pins import check_pins, read_lock
from mlstore.verify.worktree import check_worktree


@dataclass(frozen=True, slots=True)
class _Options:
    against: str | None
    history: bool
    worktree: bool | None
    pins: bool
    jobs: int | None
    progress: Progress | None


def verify(
    repo: Repository,
    rev: str = "HEAD",
    *,
    against: str | None = None,
    history: bool = False,
    worktree: bool | None = None,
    pins: bool = True,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Verify the pipeline at *rev* and give the report; nothing is changed.

    *against* is a revision to compare with, the folder of another repository (``DIR`` or ``DIR@REV``),
    or the name of a pin in ``mlstore.lock``. *history* hashes the blobs of all ancestors too. *worktree*
    None checks the worktree when *rev* is what is checked out. *jobs* None uses all cores.

    Raises ``RefNotFound`` and its like for a revision that names nothing, ``UsageError`` when the two
    repositories have different object formats; damage becomes findings.
    """
    return _Verification(repo, rev, _Options(against, history, worktree, pins, jobs, progress)).run()


class _Verification:
    def __init__(self, repo: Repository, rev: str, options: _Options) -> None:
        self._repo = repo
        self._options = options
        self._commit = _resolve_tip(repo, rev)
        self._report = Report(rev, self._commit, options.against)
        self._inspection = Inspection(repo)
        self._chain: Chain | None = None
        self._stale: frozenset[str] = frozenset()

    def run(self) -> Report:
        report, options = self._report, self._options
        self._report.findings += check_exposure(self._repo)
        self._check_history()
        self._check_content()
        self._check_lineage()
        self._check_worktree()
        self._check_pins()
        if options.against is not None:
            self._check_against(options.against)
        elif self._chain is not None:
            report.stages = [
                StageVerdict(
                    block.name,
                    "stale" if block.name in self._stale else "ok",
                    block.id,
                    block.lineage,
                    record=block.stage.record,
                )
                for block in self._chain.blocks
            ]
        name_owners(self._inspection)
        report.findings = [*self._inspection.findings, *report.findings]
        report.skipped["signatures"] = "this version does not check signatures"
        report.sort()
        return report

    # the steps, in order

    def _check_history(self) -> None:
        inspection = self._inspection
        inspection.walk_history([self._commit])
        self._report.checked["commits"] = len(inspection.commits)

    def _check_content(self) -> None:
        inspection, report = self._inspection, self._report
        chain = self._chain = self._read_chain()
        whole = {self._commit, *(block.id for block in chain.blocks if chain)} if chain else {self._commit}
        for commit_id, commit in inspection.commits.items():
            blobs = self._options.history or commit_id == self._commit
            inspection.walk_tree(commit.tree, commit_id, blobs=blobs)
        inspection.check_extent(self._commit)
        for block in chain.blocks if chain else ():
            for path, object_id in block.stage.outputs.items():
                inspection.need_blob(object_id, block.id, path)
        for commit_id, commit in inspection.commits.items():
            needed = commit.stage is not None and (self._options.history or commit_id in whole)
            if needed and commit.stage is not None and commit.stage.environment is not None:
                inspection.need_blob(
                    commit.stage.environment, commit_id, f"environment of stage {commit.stage.name}"
                )
        blobs_checked, size = check_blobs(
            self._repo, inspection, jobs=self._options.jobs, progress=self._options.progress
        )
        report.checked |= {"trees": len(inspection.trees), "blobs": blobs_checked, "bytes": size}
        if not self._options.history:
            report.skipped["history"] = "blobs of earlier commits only; see --history"

    def _read_chain(self) -> Chain | None:
        try:
            return read_chain(self._repo, self._commit)
        except (CorruptError, NotFoundError):
            self._report.skipped["lineage"] = "the history is damaged"
            return None

    def _check_lineage(self) -> None:
        commit = self._inspection.commits.get(self._commit)
        if self._chain is None or commit is None:
            return
        result = check_chain(self._repo, self._chain, commit.tree)
        self._stale = result.stale
        self._report.findings += result.findings
        self._report.checked["stages"] = len(self._chain)

    def _check_worktree(self) -> None:
        report, wanted = self._report, self._options.worktree
        commit = self._inspection.commits.get(self._commit)
        if wanted is None:
            wanted = self._repo.refs.head().commit == self._commit
            if not wanted:
                report.skipped["worktree"] = f"'{report.rev}' is not what is checked out"
        elif not wanted:
            report.skipped["worktree"] = "not asked for"
        if not wanted or commit is None:
            return
        try:
            expected = read_snapshot(self._repo.objects, commit.tree)
        except (CorruptError, NotFoundError) as exc:
            report.skipped["worktree"] = "the commit's tree is damaged"
            if not self._inspection.damaged:  # each of its trees is sound: it is what they stand for
                report.findings.append(
                    Finding(
                        "corrupt-object",
                        exc.message,
                        commit=self._commit,
                        expected=commit.tree,
                        hint=exc.hint,
                    )
                )
            return
        report.checked["files"] = len(expected)
        report.findings += check_worktree(
            self._repo,
            self._commit,
            expected,
            self._chain,
            jobs=self._options.jobs,
            progress=self._options.progress,
        )

    def _check_pins(self) -> None:
        lock = read_lock(self._repo) if self._options.pins else None
        if lock is None:
            reason = f"there is no {LOCK_NAME}" if self._options.pins else "not asked for"
            self._report.skipped["pins"] = reason
            return
        self._report.findings += check_pins(self._repo, lock)
        self._report.checked["pins"] = len(lock.pins)

    def _check_against(self, text: str) -> None:
        report = self._report
        golden = find_golden(self._repo, text)
        if isinstance(golden, Pin):
            self._compare_with_pin(golden)
            return
        try:
            golden_side = Side(golden[0], golden[1], read_chain(*golden))
            if self._chain is None:
                raise CorruptError("the history is damaged")
            current = Side(self._repo, self._commit, self._chain)
            result = compare_chains(golden_side, current, self._stale)
            report.stages = result.stages
            report.findings += result.findings
            if golden_side.chain.blocks:
                report.findings += files_outside(golden_side, current)
        except CorruptError as exc:
            report.skipped["against"] = exc.message
            if not self._inspection.damaged:
                report.findings.append(
                    Finding("corrupt-object", f"'{text}' cannot be read: {exc.message}", hint=exc.hint)
                )

    def _compare_with_pin(self, pin: Pin) -> None:
        """The golden commit is not in this store: its lineages in the lock still decide."""
        report = self._report
        report.skipped["against"] = f"commit {pin.commit[:10]} is not in this store: compared by lineage only"
        ours = {block.name: block for block in self._chain.blocks} if self._chain else {}
        for name in dict.fromkeys([*ours, *pin.stages]):  # in pipeline order, as far as that is known
            block, wanted = ours.get(name), pin.stages.get(name)
            found = block.lineage if block else None
            verdict = "match" if found == wanted else _lineage_verdict(found, wanted)
            report.stages.append(
                StageVerdict(name, verdict, block.id if block else None, found, pin.commit, wanted)
            )
            if verdict != "match":
                report.findings.append(
                    Finding(
                        verdict,
                        f"stage '{name}' is not that of '{pin.name}' in {LOCK_NAME}",
                        stage=name,
                        commit=block.id if block else None,
                        expected=wanted,
                        actual=found,
                        hint="bring the golden commit into this store to see what differs",
                    )
                )


def _lineage_verdict(found: ObjectId | None, wanted: ObjectId | None) -> str:
    if found is None:
        return "missing"
    return "extra" if wanted is None else "diverged"


def _resolve_tip(repo: Repository, rev: str) -> ObjectId:
    """Give the commit that *rev* names, even when its object is damaged: that is a finding, not an error."""
    head = repo.refs.head()
    if rev in ("HEAD", "@") and head.commit is not None:
        return head.commit
    return resolve_commit(repo, rev)


def find_golden(repo: Repository, text: str) -> tuple[Repository, ObjectId] | Pin:
    """Give what *text* names as golden: a commit here, one in another repository, or a pin of the lock."""
    try:
        return repo, resolve_commit(repo, text)
    except RefNotFound as exc:
        other = _other_repository(repo, text)
        if other is not None:
            return other
        lock = read_lock(repo)
        if lock is not None and text in lock.pins:
            pin = lock.pins[text]
            return (repo, pin.commit) if pin.commit in repo.objects else pin
        raise RefNotFound(
            f"'{text}' is neither a revision, nor a repository, nor pinned in '{LOCK_NAME}'",
            hint=f"pin a pipeline that verifies with 'mlstore tag --golden {text}'",
            **exc.data,
        ) from None


def _other_repository(repo: Repository, text: str) -> tuple[Repository, ObjectId] | None:
    folder, _, rev = text.rpartition("@")
    for path, revision in ((text, "HEAD"), (folder, rev or "HEAD")):
        if path and (Path(path) / STORE_NAME).is_dir():
            found = Repository.open(Path(path), trusted=repo.trusted)
            if found.format != repo.format:
                raise UsageError(
                    f"'{path}' has object format '{found.format.name}', this repository '{repo.format.name}'",
                    hint="ids of different formats cannot be compared",
                )
            return found, resolve_commit(found, revision)
    return None
