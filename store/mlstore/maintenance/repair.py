"""``fsck --repair``: what is damaged goes into the quarantine, what good copies are found for comes back.

Everything is restored by its hash and by nothing else. Nothing is removed: what was damaged stands in
``.mlstore/quarantine/TIME-NUMBER`` afterwards. A repair that is killed can be started again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from mlstore._progress import Progress
from mlstore.durable import keep_copy, replace_file
from mlstore.errors import CorruptError, NotFoundError, PathNotFound
from mlstore.hashing import ObjectId, is_object_id
from mlstore.index import Index
from mlstore.maintenance.healing import Healed, Healer
from mlstore.maintenance.sources import Search
from mlstore.model import canonical_json, format_time
from mlstore.objects.audit import Audit
from mlstore.objects.mend import Mender, Salvaged
from mlstore.objects.pack import EntryKind
from mlstore.objects.recipe import Part
from mlstore.repository import Repository, read_snapshot
from mlstore.verify import Finding, FsckReport, fsck
from mlstore.verify.findings import Category
from mlstore.verify.storecheck import Examination, examine
from mlstore.worktree.checkout import unread_entry

QUARANTINE: Final = "quarantine"
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_BY_ID: Final = frozenset({"corrupt-object", "missing-object"})


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A file of the store that was set aside, and why; of a pack, what was ``kept`` and ``lost``."""

    path: str
    reason: str
    kept: int = 0
    lost: list[ObjectId] = field(default_factory=list)


@dataclass(slots=True)
class RepairReport:
    """What was (``dry_run``: would be) restored and set aside, and ``after``: what is still wrong.

    ``quarantine`` is the folder that damaged files went to, None where there were none. ``rebuilt`` are files
    of the store that were made anew. ``unread`` are files and folders that the search could not read.
    """

    dry_run: bool
    sources: list[str]
    after: FsckReport
    healed: list[Healed] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    rebuilt: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    quarantine: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the store is sound now."""
        return self.after.ok

    @property
    def category(self) -> Category | None:
        """The gravest category of what is still wrong."""
        return self.after.category

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data (schema ``mlstore.repair/1``)."""
        return {
            "ok": self.ok,
            "dry_run": self.dry_run,
            "sources": self.sources,
            "healed": [asdict(one) for one in self.healed],
            "quarantined": [asdict(one) for one in self.quarantined],
            "quarantine": self.quarantine,
            "rebuilt": self.rebuilt,
            "unread": self.unread,
            "after": self.after.to_dict(),
        }


def repair(
    repo: Repository,
    sources: Sequence[Path] = (),
    *,
    now: float,
    dry_run: bool = False,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> RepairReport:
    """Restore what *sources* (default: the worktree) have good copies of, and set aside what is damaged.

    A source is a folder of any files, or another repository; it is only read. *now* is in seconds since the
    epoch. *dry_run* changes nothing, and ``after`` is then the state as it is. Raises ``PathNotFound`` for a
    source that is no folder, ``StorageError`` where the disk refuses: what was readable still is.
    """
    folders = [Path(os.path.abspath(source)) for source in sources] or [repo.root]
    for folder in folders:
        if not folder.is_dir():
            raise PathNotFound(f"'{folder}' is not a folder", path=str(folder))
    with nullcontext() if dry_run else _alone(repo):
        return _Repair(repo, folders, now, dry_run, partial(examine, jobs=jobs, progress=progress)).run()


@contextmanager
def _alone(repo: Repository) -> Iterator[None]:
    # In the order in which a run takes them.
    with repo.lock("run", "fsck --repair"), repo.write_lock("fsck --repair"):
        yield


class _Repair:
    def __init__(
        self, repo: Repository, folders: list[Path], now: float, dry_run: bool, examine: partial[Examination]
    ) -> None:
        self._repo = repo
        self._now = now
        self._dry_run = dry_run
        self._examine = examine
        self._aside = _new_folder(repo, now)
        self._mender = Mender(
            repo.objects,
            scratch=repo.scratch,
            lock=repo.store / "locks" / "packs",
            fsync=repo.fsync,
            aside=self._aside,
        )
        # What has another name than its hash may be what is missed.
        here = repo.store / "objects" if dry_run else self._aside / "objects"
        self._search = Search(repo, [*folders, here])
        self._healer = Healer(repo, self._mender, self._search, dry_run=dry_run)
        self._report = RepairReport(dry_run, [str(folder) for folder in folders], FsckReport())

    def run(self) -> RepairReport:
        exam, report = self._examine(self._repo), self._report
        wanted = _wanted(exam.report.findings)
        kept = self._set_aside(exam, dict(wanted))
        if self._dry_run:
            self._healer.heal({one: size for one, size in wanted.items() if one not in kept})
            report.after = exam.report
        else:
            self._heal(wanted)
            for name, recipes in self._mender.unneeded_recipes().items():
                self._rescue(name, {}, "its recipes cannot be made, their objects are elsewhere", recipes)
            self._rebuild_index(exam.report.findings)
            report.after = fsck(Repository.open(self._repo.root))
        report.healed = sorted(self._healer.healed.values(), key=lambda one: (one.path or "", one.id))
        report.unread = sorted(set(self._search.unread))
        if report.quarantined and not self._dry_run:
            report.quarantine = self._aside.relative_to(self._repo.root).as_posix()
            self._write_note()
        self._name_healed(exam.report.findings)
        return report

    # setting aside

    def _set_aside(self, exam: Examination, missed: dict[ObjectId, int | None]) -> set[ObjectId]:
        """Set aside every damaged file; gives what of damaged packs is sound, with all that it is made of."""
        for parts in self._mender.unmade().values():
            missed |= dict.fromkeys(self._mender.absent_parts(parts) - missed.keys())
        kept = self._set_aside_packs(exam.audit, missed)
        for (pack, object_id), flaw in sorted(exam.audit.flaws.items(), key=lambda item: item[0][1]):
            if pack is None:
                self._move(self._repo.objects.loose.path(object_id), flaw.reason)
        for path in list(self._repo.objects.strangers()):
            self._move(path, "it is not an object")
        return kept

    def _set_aside_packs(self, audit: Audit, missed: dict[ObjectId, int | None]) -> set[ObjectId]:
        kept, gone = set[ObjectId](), set[ObjectId]()
        recipes: dict[ObjectId, list[Part]] = {}
        broken = {name: exc.message.partition(": ")[2] or exc.message for name, exc in audit.broken}
        flawed = {flaw.id for flaw in audit.flaws.values()}
        suspects = {flaw.id for flaw in audit.flaws.values() if flaw.kind == EntryKind.RECIPE and flaw.actual}
        for name in sorted({*broken, *(pack for pack, _ in audit.flaws if pack is not None)}):
            state = self._mender.look(name, missed)
            # One that makes something else of sound parts was never that of its object.
            lying = {
                one
                for one in suspects & state.recipes.keys()
                if flawed.isdisjoint(part.source for part in state.recipes[one])
            }
            if name in broken or state.lost or lying:
                reason = broken.get(name, "some of its entries are damaged")
                kept.update(self._rescue(name, missed, reason, lying).kept)
                gone.update(one.id for one in state.lost)
                recipes |= state.recipes
        absent = gone | self._mender.absent_parts(part for parts in recipes.values() for part in parts)
        absent -= kept
        return {one for one in kept if absent.isdisjoint(part.source for part in recipes.get(one, ()))}

    def _rescue(
        self, name: str, missed: dict[ObjectId, int | None], reason: str, without: Iterable[ObjectId] = ()
    ) -> Salvaged:
        without = set(without)
        if self._dry_run:
            found = self._mender.look(name, missed)
        else:
            found = self._mender.rescue(name, missed, without)
        lost = sorted({one.id for one in found.lost})
        path = f"objects/pack/{name}.pack"
        self._report.quarantined.append(Quarantined(path, reason, len(found.kept), lost))
        return found

    def _move(self, path: Path, reason: str) -> None:
        relative = path.relative_to(self._repo.store).as_posix()
        if any(one.path == relative for one in self._report.quarantined):
            return
        self._report.quarantined.append(Quarantined(relative, reason))
        if not self._dry_run:
            self._mender.set_aside(path)

    # healing

    def _heal(self, wanted: dict[ObjectId, int | None]) -> None:
        """Heal as long as something new comes to light: a tree that is back may need what is missing too."""
        tried: set[ObjectId] = set()
        while True:
            again = self._examine(Repository.open(self._repo.root), stored=False)
            missed = wanted | _wanted(again.report.findings)
            found = self._healer.heal(missed)
            if not found and missed.keys() <= tried:
                return
            tried |= missed.keys()

    def _rebuild_index(self, findings: Iterable[Finding]) -> None:
        """Make a damaged index anew from HEAD; where that cannot be read it is left, and told again."""
        if not any(one.kind == "corrupt-file" and one.path == "index" for one in findings):
            return
        repo = Repository.open(self._repo.root)
        try:
            head = repo.refs.head().commit
            index = Index()
            if head is not None:
                tree = repo.objects.read_commit(head).tree
                for entry in read_snapshot(repo.objects, tree).values():
                    index.set(unread_entry(repo, entry))
                index.mark_tree(tree)
        except (CorruptError, NotFoundError):
            return
        keep_copy(repo.store / "index", self._aside / "index", fsync=repo.fsync)
        repo.save_index(index)
        self._report.quarantined.append(Quarantined("index", "it was damaged"))
        self._report.rebuilt.append("index")

    # saying

    def _name_healed(self, findings: Iterable[Finding]) -> None:
        known = {finding.expected: finding for finding in findings if finding.kind in _BY_ID}
        self._report.healed = [
            one.named(known[one.id]) if one.id in known else one for one in self._report.healed
        ]

    def _write_note(self) -> None:
        note = {
            "schema": "mlstore.quarantine/1",
            "time": format_time(self._now),
            "files": [asdict(one) for one in self._report.quarantined],
        }
        replace_file(
            self._aside / "note.json",
            canonical_json(note) + b"\n",
            scratch=self._repo.scratch,
            fsync=self._repo.fsync,
        )


def _wanted(findings: Iterable[Finding]) -> dict[ObjectId, int | None]:
    """Give what is damaged or missing, with its size where that is known."""
    return {
        ObjectId(finding.expected): finding.size
        for finding in findings
        if finding.kind in _BY_ID
        and finding.severity == "error"
        and finding.type != "chunk"  # nothing but recipes needs those
        and finding.expected is not None
        and is_object_id(finding.expected)
    }


def _new_folder(repo: Repository, now: float) -> Path:
    """Give a folder of the quarantine that is not there yet."""
    stamp, number = time.strftime(_STAMP, time.gmtime(now)), 0
    while (repo.store / QUARANTINE / f"{stamp}-{number:04}").exists():
        number += 1
    return repo.store / QUARANTINE / f"{stamp}-{number:04}"
