"""``gc``, ``prune``, ``repack`` and ``gc --undo``.

All of them hold the locks of those who write and of those who run stages, so nobody's unfinished work can
be taken for garbage. What is taken out is what nothing needs *and* nobody wrote or used for a while.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from mlstore.errors import CorruptError, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.maintenance.expiry import parse_expiry
from mlstore.maintenance.names import name_objects
from mlstore.maintenance.reach import add_with_needs, find_needed, in_doubt
from mlstore.maintenance.trash import empty_trash, new_bag, restore_bag, trash_bags
from mlstore.model import format_time
from mlstore.objects import StoredItem
from mlstore.refs import TAGS
from mlstore.repository import Repository

PRUNE_EXPIRE = "2.weeks.ago"
REFLOG_EXPIRE = "90.days.ago"
TRASH_EXPIRE = "2.weeks.ago"


@dataclass(frozen=True, slots=True)
class Removal:
    """An object that goes: ``size`` bytes, ``stored`` on disk; ``name`` is ``path@commit`` or a message."""

    id: ObjectId
    kind: str
    size: int
    stored: int
    name: str | None


@dataclass(slots=True)
class GcReport:
    """What a collection did, or (``dry_run``) would do. ``removed`` is filled in a dry run only.

    ``trash`` is where what went can be found, None where it is gone; ``untouched`` are messages about
    packs that were left alone because they are damaged.
    """

    dry_run: bool = False
    objects: int = 0
    bytes: int = 0
    removed: list[Removal] = field(default_factory=list)
    log_entries: int = 0
    trash: str | None = None
    trash_emptied: int = 0
    packed: int = 0
    merged: int = 0
    untouched: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data (schema ``mlstore.gc/1``)."""
        return asdict(self)


def collect_garbage(
    repo: Repository, *, now: float, expire: str | None = None, dry_run: bool = False
) -> GcReport:
    """Drop old reflog entries, move what nothing needs into the trash, empty the old trash, and pack.

    *expire* says how old an unneeded object must be (default: ``gc.prune-expire``). Raises
    ``CorruptError`` or ``ObjectNotFound`` where damage hides what is needed: nothing was removed then.
    """
    config = repo.config
    before = parse_expiry(expire or config.get_text("gc.prune-expire") or PRUNE_EXPIRE, now)
    logs = parse_expiry(config.get_text("gc.reflog-expire") or REFLOG_EXPIRE, now)
    old_trash = parse_expiry(config.get_text("gc.trash-expire") or TRASH_EXPIRE, now)
    logs_since = "" if logs is None else format_time(max(0.0, logs))
    with _alone(repo, "gc"):
        report = GcReport(dry_run=dry_run)
        sweeper = _Sweeper(repo, logs_since, before)  # raises before anything was dropped
        report.log_entries = _expire_logs(repo, logs_since, dry_run=dry_run)
        if dry_run:
            sweeper.list_removals(report)
            return report
        sweeper.sweep(report, now=now, trash=True)
        if old_trash is not None:
            report.trash_emptied = empty_trash(repo, old_trash)
        report.packed = sweeper.collector.pack_loose()
        report.merged = sweeper.collector.merge_packs(large=False)
    return report


def prune(repo: Repository, *, now: float, expire: str | None = None, dry_run: bool = False) -> GcReport:
    """Remove for good what nothing needs, by *expire* (default: all of it), and empty the trash."""
    before = parse_expiry(expire or "now", now)
    with _alone(repo, "prune"):
        report = GcReport(dry_run=dry_run)
        sweeper = _Sweeper(repo, "", before)
        if dry_run:
            sweeper.list_removals(report)
            report.trash_emptied = sum(bag.size for bag in trash_bags(repo))
            return report
        sweeper.sweep(report, now=now, trash=False)
        report.trash_emptied = empty_trash(repo, float("inf"))
    return report


def repack(repo: Repository, *, everything: bool = False) -> GcReport:
    """Put small loose objects into packs and merge packs, with *everything* the large ones too."""
    with _alone(repo, "repack"):
        collector = repo.collector()
        packed = collector.pack_loose()
        return GcReport(packed=packed, merged=collector.merge_packs(large=everything))


def undo(repo: Repository) -> int:
    """Put back what the last collection moved into the trash; gives the number of objects.

    Raises ``NotFoundError`` when there is nothing in the trash.
    """
    with _alone(repo, "gc --undo"):
        bags = trash_bags(repo)
        if not bags:
            raise NotFoundError(
                "the trash is empty", hint="'mlstore gc' fills it; 'mlstore prune' and time empty it"
            )
        return restore_bag(repo, bags[0])


@contextmanager
def _alone(repo: Repository, purpose: str) -> Iterator[None]:
    # In the order in which a run takes them.
    with repo.lock("run", purpose), repo.write_lock(purpose):
        yield


def _expire_logs(repo: Repository, since: str, *, dry_run: bool) -> int:
    return sum(
        repo.refs.expire_reflog(name, since, dry_run=dry_run)
        for name in repo.refs.logs()
        if not name.startswith(("run/", TAGS))
    )


class _Sweeper:
    """Knows what is needed, and lists or removes the rest."""

    def __init__(self, repo: Repository, logs_since: str, before: float | None) -> None:
        self._repo = repo
        self.collector = repo.collector()
        # A moment in nanoseconds; with None nothing is old enough. What was written within the second of
        # "now" is as old as now.
        self._before = 0 if before is None else int((before + 1) * 1e9)
        self._needed = find_needed(repo, logs_since=logs_since)
        parts: set[ObjectId] = set()
        try:
            add_with_needs(repo, self._needed, self.collector.written_since(self._before))
            for object_id, read_parts in self.collector.recipes():
                if object_id in self._needed:
                    parts |= read_parts()
        except CorruptError as exc:
            raise in_doubt(exc) from None
        self._needed |= parts

    def list_removals(self, report: GcReport) -> None:
        """Fill in what would go, with names, the largest first; chunks only count."""
        items: dict[ObjectId, StoredItem] = {}
        for item in self.collector.unneeded(self._needed, self._before):
            report.bytes += item.stored
            if item.is_object:
                items.setdefault(item.id, item)
        names = name_objects(self._repo.objects, items)
        report.objects = len(items)
        report.removed = [
            Removal(item.id, names[item.id].kind, item.size, item.stored, names[item.id].name)
            for item in sorted(items.values(), key=lambda item: (-item.size, item.id))
        ]

    def sweep(self, report: GcReport, *, now: float, trash: bool) -> None:
        """Take it out."""
        bag = new_bag(self._repo, now) if trash else None
        swept = self.collector.sweep(self._needed, self._before, bag)
        report.objects, report.bytes = swept.objects, swept.bytes
        report.untouched = [exc.message for exc in swept.untouched]
        if bag is not None and swept.bytes:
            report.trash = bag.relative_to(self._repo.root).as_posix()
