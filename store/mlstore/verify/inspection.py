"""Reading a damaged history without stopping: commits and trees, each looked at once.

Every commit and tree that is read was hashed and must be canonical. What cannot be read becomes a
finding, and the walk goes on past it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlstore.errors import CorruptError, CorruptObject, MlstoreError, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.model import Commit, Tree, compute_lineage
from mlstore.model.paths import doubt_about
from mlstore.repository import Extent, Repository, measure
from mlstore.verify.findings import Finding

# A path is at most 4096 bytes; what is deeper is told by its beginning.
_LONGEST_PREFIX = 4096


@dataclass(frozen=True, slots=True)
class Need:
    """Who needs an object first: a commit, and the path there (None for the commit itself or its root).

    Where it is not known (``commit`` None), ``name_owners`` finds out.
    """

    commit: ObjectId | None
    path: str | None


@dataclass(slots=True)
class Inspection:
    """What a walk over commits and trees has seen so far.

    Every tree is decoded once and not kept; of a blob only the size is noted (None where none is stated),
    who needs it is looked up for what turns out to be damaged. ``records`` are blobs that every clone has.
    """

    repo: Repository
    commits: dict[ObjectId, Commit] = field(default_factory=dict)
    trees: set[ObjectId] = field(default_factory=set)
    blobs: dict[ObjectId, int | None] = field(default_factory=dict)
    other_sizes: dict[ObjectId, int] = field(default_factory=dict)
    records: set[ObjectId] = field(default_factory=set)
    damaged: dict[ObjectId, Finding] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    _needs: dict[ObjectId, Need] = field(default_factory=dict)
    _expanded: set[ObjectId] = field(default_factory=set)

    def walk_history(self, tips: Iterable[ObjectId]) -> None:
        """Read all ancestors of *tips* and check that each is what its parents make it."""
        pending: list[tuple[ObjectId, Need | None]] = [(tip, None) for tip in tips]
        while pending:
            commit_id, need = pending.pop()
            if commit_id in self.commits or commit_id in self.damaged:
                continue
            commit = self._read_commit(commit_id, need)
            if commit is not None:
                self.commits[commit_id] = commit
                pending += [(parent, Need(commit_id, None)) for parent in commit.parents]
        self._check_blocks()

    def _read_commit(self, commit_id: ObjectId, need: Need | None) -> Commit | None:
        try:
            return self.repo.objects.read_commit(commit_id)
        except (CorruptError, NotFoundError) as exc:
            self.damage(commit_id, exc, need or Need(commit_id, None), "commit")
            return None

    def damage(self, object_id: ObjectId, exc: MlstoreError, need: Need, what: str) -> None:
        """Note that the object cannot be used."""
        if object_id in self.damaged:
            return
        actual = exc.data.get("actual")
        finding = Finding(
            kind="corrupt-object" if isinstance(exc, CorruptError) else "missing-object",
            message=_describe(object_id, exc, what),
            commit=need.commit,
            path=need.path,
            expected=object_id,
            actual=actual,
            hint="restore it from a good copy: 'mlstore add' of the same file heals a blob",
            type=what,
            size=self.blobs.get(object_id),
        )
        self.damaged[object_id] = finding
        self.findings.append(finding)

    def _check_blocks(self) -> None:
        seen: set[tuple[str, ObjectId]] = set()
        for commit_id, commit in sorted(self.commits.items(), key=lambda item: item[1].height):
            parents = [self.commits[parent] for parent in commit.parents if parent in self.commits]
            whole = len(parents) == len(commit.parents)
            if whole:
                self._check_height(commit_id, commit, parents)
            self._check_lineage(commit_id, commit, parents, whole)
            if commit.stage is not None and commit.lineage is not None:
                self._check_upstream(commit_id, commit, seen)
                seen.add((commit.stage.name, commit.lineage))

    def _check_height(self, commit_id: ObjectId, commit: Commit, parents: list[Commit]) -> None:
        expected = max((parent.height for parent in parents), default=-1) + 1
        if commit.height != expected:
            self.findings.append(
                Finding(
                    "wrong-height",
                    f"commit says height {commit.height}, its parents make it {expected}",
                    stage=commit.stage.name if commit.stage else None,
                    commit=commit_id,
                    expected=str(expected),
                    actual=str(commit.height),
                    hint="the history was put together by hand: do not trust it",
                )
            )

    def _check_lineage(self, commit_id: ObjectId, commit: Commit, parents: list[Commit], whole: bool) -> None:
        if commit.stage is not None:
            expected: ObjectId | None = compute_lineage(self.repo.format, commit.stage)
        elif not whole:
            return  # a parent is damaged, and told so
        else:
            expected = parents[0].lineage if parents else None
        if commit.lineage == expected:
            return
        self.findings.append(
            Finding(
                "wrong-lineage",
                "the recorded lineage is not that of what the block says it did",
                stage=commit.stage.name if commit.stage else None,
                commit=commit_id,
                expected=expected,
                actual=commit.lineage,
                hint="the block was put together by hand: do not trust it",
            )
        )

    def _check_upstream(self, commit_id: ObjectId, commit: Commit, seen: set[tuple[str, ObjectId]]) -> None:
        assert commit.stage is not None
        for stage, lineage in commit.stage.upstream.items():
            if (stage, lineage) not in seen and not self.damaged:
                self.findings.append(
                    Finding(
                        "false-record",
                        f"the block names an upstream '{stage}' that its history does not hold",
                        stage=commit.stage.name,
                        commit=commit_id,
                        expected=lineage,
                        hint="the block was put together by hand: do not trust it",
                    )
                )

    def walk_tree(self, tree: ObjectId, commit: ObjectId, *, blobs: bool) -> None:
        """Read *tree* and all below it; with *blobs* note the blobs that it needs."""
        # Each tree once, whatever the number of places that share it.
        done = self._expanded if blobs else self.trees
        pending: list[tuple[ObjectId, str]] = [(tree, "")]
        while pending:
            tree_id, prefix = pending.pop()
            if tree_id in done or tree_id in self.damaged:
                continue
            value = self._read_tree(tree_id, Need(commit, prefix.rstrip("/") or None))
            if blobs:
                self._expanded.add(tree_id)
            for entry in value.entries if value else ():
                if entry.kind == "tree":
                    if len(prefix) < _LONGEST_PREFIX:
                        pending.append((entry.id, f"{prefix}{entry.name}/"))
                    else:
                        pending.append((entry.id, prefix))
                elif blobs and self.blobs.setdefault(entry.id, entry.size) != entry.size:
                    self.other_sizes[entry.id] = entry.size

    def check_extent(self, commit_id: ObjectId, known: dict[ObjectId, Extent] | None = None) -> None:
        """Refuse a snapshot that no command would expand: a walk saw each of its trees only once."""
        commit = self.commits.get(commit_id)
        if commit is None or commit.tree not in self.trees:
            return
        try:
            measure(self.repo.objects, commit.tree, known)
        except CorruptError as exc:
            if commit.tree not in self.damaged and exc.data.get("id") not in self.damaged:
                self.findings.append(
                    Finding(
                        "corrupt-object", exc.message, commit=commit_id, expected=commit.tree, hint=exc.hint
                    )
                )
        except NotFoundError:
            return  # a tree below is missing, and told so

    def _read_tree(self, tree_id: ObjectId, need: Need) -> Tree | None:
        try:
            value = self.repo.objects.read_tree(tree_id)
        except (CorruptError, NotFoundError) as exc:
            self.damage(tree_id, exc, need, "tree")
            return None
        if tree_id not in self.trees:
            self.trees.add(tree_id)
            self._check_names(value, need)
        return value

    def _check_names(self, tree: Tree, need: Need) -> None:
        """Warn of names that are allowed and yet do harm elsewhere."""
        for entry in tree.entries:
            doubt = doubt_about(entry.name)
            if doubt is not None:
                path = f"{need.path}/{entry.name}" if need.path else entry.name
                self.findings.append(
                    Finding(
                        "doubtful-name",
                        f"'{path}' is an odd name: {doubt}",
                        severity="warning",
                        commit=need.commit,
                        path=path,
                        hint="rename it before somebody checks it out there, or reads it here",
                    )
                )

    def need_blob(
        self, object_id: ObjectId, commit: ObjectId, path: str | None, *, size: int | None = None
    ) -> None:
        """Note that *commit* needs the blob, as what *path* says."""
        if self.blobs.setdefault(object_id, size) is None:
            self.blobs[object_id] = size
        self._needs.setdefault(object_id, Need(commit, path))

    def may_be_absent(self, object_id: ObjectId) -> bool:
        """Whether the store says that it was cloned without this blob; never so for commits and trees."""
        left_out, size = self.repo.filter, self.blobs.get(object_id)
        if left_out is None or object_id in self.records:
            return False
        return left_out.leaves_out(0 if size is None else size)

    def need_of(self, object_id: ObjectId) -> Need:
        """Give who needs a blob, as far as that was noted."""
        return self._needs.get(object_id, Need(None, None))

    def check_size(self, object_id: ObjectId, actual: int) -> None:
        """Hold the *actual* size of a blob against what trees say of it."""
        for stated in (self.blobs[object_id], self.other_sizes.get(object_id)):
            if stated is not None and stated != actual:
                mismatch = size_mismatch(object_id, stated, actual)
                self.damage(object_id, mismatch, self.need_of(object_id), "blob")


def _describe(object_id: ObjectId, exc: MlstoreError, what: str) -> str:
    name = f"{what} {object_id[:10]}"
    if isinstance(exc, NotFoundError):
        return f"{name} is missing from the store"
    if "actual" in exc.data:
        return f"{name} is corrupt: its stored bytes hash to another id"
    return f"{name}: {exc.message}"


def size_mismatch(object_id: ObjectId, expected: int, actual: int) -> CorruptObject:
    """Give the error for a tree entry that states another size than its blob has."""
    return CorruptObject(f"object '{object_id}' has {actual} bytes, its tree says {expected}", id=object_id)
