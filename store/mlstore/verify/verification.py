"""``verify``: is what stands here exactly the pipeline that it claims to be?

In this order, and going on past every finding: history, content, lineage, worktree, pins, anchors,
signatures where they are required, and the comparison with a golden pipeline. Nothing that is read is ever
executed or deserialised.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlstore._progress import Progress
from mlstore.errors import CorruptError, NotFoundError, RefNotFound, UsageError
from mlstore.hashing import ObjectId
from mlstore.history import Chain, read_chain, resolve_commit
from mlstore.lockfile import LOCK_NAME, Lock, Pin
from mlstore.repository import STORE_NAME, Repository, read_snapshot
from mlstore.signing import LastSeen
from mlstore.verify.against import compare_chains, files_outside
from mlstore.verify.anchors import AnchorCheck
from mlstore.verify.blocks import check_chain, stated_size, undecided_keys
from mlstore.verify.content import check_blobs
from mlstore.verify.coverage import skipped_keys
from mlstore.verify.exposure import check_exposure
from mlstore.verify.findings import Finding, Report, StageVerdict
from mlstore.verify.inspection import Inspection
from mlstore.verify.judging import Judge
from mlstore.verify.owners import name_owners
from mlstore.verify.pairs import Side
from mlstore.verify.pins import check_pins, read_lock
from mlstore.verify.rules import Golden, compare_rules, read_rules, unusable_rules
from mlstore.verify.sampling import Selection
from mlstore.verify.signatures import SignatureCheck, Signing
from mlstore.verify.worktree import Reference, check_worktree

if TYPE_CHECKING:
    from mlstore.gate import Loading, Trust


@dataclass(frozen=True, slots=True)
class _Options:
    against: str | None
    history: bool
    worktree: bool | None
    pins: bool
    jobs: int | None
    progress: Progress | None
    trust: Trust | None
    allow_load: bool
    signing: Signing
    seen: LastSeen | None
    accept_rollback: bool
    dataless: bool = False
    selection: Selection | None = None


def verify(
    repo: Repository,
    rev: str = "HEAD",
    *,
    against: str | None = None,
    history: bool = False,
    worktree: bool | None = None,
    pins: bool = True,
    dataless: bool = False,
    selection: Selection | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
    signing: Signing | None = None,
    seen: LastSeen | None = None,
    accept_rollback: bool = False,
    trust: Trust | None = None,
    allow_load: bool = False,
) -> Report:
    """Verify the pipeline at *rev* and give the report; nothing in the repository is changed.

    *against* is a revision to compare with, the folder of another repository (``DIR`` or ``DIR@REV``),
    or the name of a pin in ``mlstore.lock``. *history* hashes the blobs of all ancestors too. *worktree*
    None checks the worktree when *rev* is what is checked out. *dataless* judges by commits, trees and the
    files of the worktree, and reads no blob; *selection* reads a part of them. *jobs* None uses all cores.

    What differs is judged by the rules of the gate that the golden commit holds (without *against*: *rev*
    itself). Of these only ``predictions`` deserialises, and only golden's own bytes and those for which
    *trust* vouches; *allow_load* vouches for what a stage was observed to write in this very repository.

    *signing* says whose signatures are required, on top of what the settings and the lock require. *seen* is
    what this client saw last: a head that does not descend from it is a finding (with *accept_rollback* only
    told); where all is well, it is moved on.

    Raises ``RefNotFound`` and its like for a revision that names nothing, ``UsageError`` when the two
    repositories have different object formats, ``CannotRun`` when signatures are required and
    ``ssh-keygen`` is not there; damage becomes findings.
    """
    if dataless and selection is not None:
        raise UsageError("without reading blobs there is nothing to take a sample of")
    options = _Options(
        against,
        history,
        worktree,
        pins,
        jobs,
        progress,
        trust,
        allow_load,
        signing or Signing(),
        seen,
        accept_rollback,
        dataless,
        selection,
    )
    return _Verification(repo.without_blobs() if dataless else repo, rev, options).run()


class _Verification:
    def __init__(self, repo: Repository, rev: str, options: _Options) -> None:
        self._repo = repo
        self._options = options
        self._commit = _resolve_tip(repo, rev)
        self._report = Report(rev, self._commit, options.against)
        self._inspection = Inspection(repo)
        self._chain: Chain | None = None
        self._stale: frozenset[str] = frozenset()
        self._unseen: tuple[str, ...] = ()
        self._golden = self._find_golden()
        self._judge = Judge(read_rules(repo, self._commit, self._golden))

    def run(self) -> Report:
        report, options = self._report, self._options
        self._report.findings += check_exposure(self._repo)
        self._check_history()
        self._check_content()
        self._check_lineage()
        self._check_worktree()
        lock = self._check_pins()
        anchors = AnchorCheck(self._repo, report, options.seen, options.accept_rollback)
        anchors.run(self._inspection.commits, lock)
        SignatureCheck(self._repo, options.signing, report).run(self._inspection.commits, lock)
        if options.against is not None and self._golden is not None:
            self._check_against(options.against, self._golden)
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
        self._say_what_was_skipped()
        name_owners(self._inspection)
        report.findings = [*self._inspection.findings, *report.findings]
        report.findings += self._rules_findings()
        report.policy = self._judge.policy.to_dict() | {"used": dict(sorted(self._judge.used.items()))}
        report.sort()
        anchors.remember()
        return report

    def _find_golden(self) -> Golden | None:
        if self._options.against is None:
            return None
        found = find_golden(self._repo, self._options.against)
        if self._options.dataless and isinstance(found, tuple) and found[0] is not self._repo:
            return found[0].without_blobs(), found[1]
        return found

    # the steps, in order

    def _check_history(self) -> None:
        inspection = self._inspection
        inspection.walk_history([self._commit])
        self._report.checked["commits"] = len(inspection.commits)

    def _check_content(self) -> None:
        inspection, report = self._inspection, self._report
        chain = self._chain = self._read_chain()
        self._judge.allow(self._loading())
        whole = {self._commit, *(block.id for block in chain.blocks if chain)} if chain else {self._commit}
        for commit_id, commit in inspection.commits.items():
            blobs = self._options.history or commit_id == self._commit
            inspection.walk_tree(commit.tree, commit_id, blobs=blobs)
        inspection.check_extent(self._commit)
        for block in chain.blocks if chain else ():
            for path, object_id in block.stage.outputs.items():
                size = None if object_id in inspection.blobs else stated_size(self._repo, block, path)
                inspection.need_blob(object_id, block.id, path, size=size)
        for commit_id, commit in inspection.commits.items():
            needed = commit.stage is not None and (self._options.history or commit_id in whole)
            if needed and commit.stage is not None and commit.stage.environment is not None:
                inspection.need_blob(
                    commit.stage.environment, commit_id, f"environment of stage {commit.stage.name}"
                )
                inspection.records.add(commit.stage.environment)
        found = report.coverage = check_blobs(
            self._repo,
            inspection,
            selection=self._options.selection,
            dataless=self._options.dataless,
            jobs=self._options.jobs,
            progress=self._options.progress,
        )
        looked_at = found.blobs - found.absent - found.left
        report.checked |= {"trees": len(inspection.trees), "blobs": looked_at, "bytes": found.hashed_bytes}
        if not self._options.history:
            report.skipped["history"] = "blobs of earlier commits only; see --history"

    def _say_what_was_skipped(self) -> None:
        report, options = self._report, self._options
        again = options.selection.options if options.selection is not None else ""
        report.skipped |= report.coverage.skipped(
            dataless=options.dataless, files="files" in report.checked, again=again
        )
        report.skipped |= skipped_keys(self._unseen)

    def _loading(self) -> Loading | None:
        """Give what ``predictions`` may load; nothing of it is looked at before such a rule judges."""
        wanted = any(rule.equal == "predictions" for rule in self._judge.policy.gate.rules)
        own = self._inspection.commits.get(self._commit)
        side = self._golden_tree() or ((self._repo, own.tree) if own is not None else None)
        if not wanted or side is None:
            return None
        from mlstore.gate import Loading, any_of, golden_files, made_here, signed

        trusted = [self._options.trust]
        if self._chain is not None:
            trusted.append(signed(self._repo, self._chain))
            if self._options.allow_load:
                trusted.append(made_here(self._repo, self._chain))
        return Loading(self._repo.format, golden_files(*side), any_of(trusted))

    def _rules_findings(self) -> list[Finding]:
        if self._options.against is None:
            return unusable_rules(self._judge.policy)
        return compare_rules(self._repo, self._commit, self._golden, self._judge.policy)

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
        self._stale, self._unseen = result.stale, result.unseen
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
            Reference(self._repo, self._commit, expected, self._chain, self._golden_tree()),
            self._judge,
            jobs=self._options.jobs,
            progress=self._options.progress,
        )

    def _golden_tree(self) -> tuple[Repository, ObjectId] | None:
        if not isinstance(self._golden, tuple):
            return None
        repo, commit = self._golden
        try:
            return repo, repo.objects.read_commit(commit).tree
        except (CorruptError, NotFoundError):
            return None  # said where the two chains are compared

    def _check_pins(self) -> Lock | None:
        lock = read_lock(self._repo) if self._options.pins else None
        if lock is None:
            reason = f"there is no {LOCK_NAME}" if self._options.pins else "not asked for"
            self._report.skipped["pins"] = reason
            return None
        self._report.findings += check_pins(self._repo, lock)
        self._report.checked["pins"] = len(lock.pins)
        return lock

    def _check_against(self, text: str, golden: Golden) -> None:
        report = self._report
        if isinstance(golden, Pin):
            self._compare_with_pin(golden)
            report.findings += self._undecided(None)
            return
        try:
            golden_side = Side(golden[0], golden[1], read_chain(*golden))
            if self._chain is None:
                raise CorruptError("the history is damaged")
            current = Side(self._repo, self._commit, self._chain)
            result = compare_chains(golden_side, current, self._judge, self._stale)
            report.stages = result.stages
            report.findings += result.findings
            report.findings += self._undecided(golden_side)
            if golden_side.chain.blocks:
                report.findings += files_outside(golden_side, current)
        except CorruptError as exc:
            report.skipped["against"] = exc.message
            if not self._inspection.damaged:
                report.findings.append(
                    Finding("corrupt-object", f"'{text}' cannot be read: {exc.message}", hint=exc.hint)
                )

    def _undecided(self, golden: Side | None) -> list[Finding]:
        if not self._unseen:
            return []
        theirs = (golden.repo, golden.tree) if golden is not None else None
        return undecided_keys(self._repo, self._commit, self._unseen, theirs)

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


def find_golden(repo: Repository, text: str) -> Golden:
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
            hint=_how_to_name_golden(text),
            **exc.data,
        ) from None


def _how_to_name_golden(text: str) -> str:
    if "/" in text:
        return "a folder has to hold .mlstore, a branch or tag has to be one that 'mlstore log --all' shows"
    return f"pin a pipeline that verifies with 'mlstore tag --golden {text}'"


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
