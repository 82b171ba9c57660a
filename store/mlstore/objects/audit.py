"""Reading all stored bytes again, each once, and holding them against their ids.

Packs are read from front to back. A recipe's chunks are read, decompressed and hashed by several threads
while the object that they make is hashed in order, so no byte is read or decompressed for each of the two.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from mlstore._twin import beside, may_fork
from mlstore.errors import CorruptError, CorruptObject, MlstoreError, NotFoundError, StorageError
from mlstore.hashing import ObjectId
from mlstore.objects.loose import check_file
from mlstore.objects.pack import EntryKind, Pack
from mlstore.objects.pack.codec import ID_SIZE, KIND_AT, ROW
from mlstore.objects.pack.pack import PackIndex, damaged
from mlstore.objects.pack.span import Span, SpanResult, check_span, dump_results, load_results, spans
from mlstore.objects.recipe import Part, decode_recipe, groups_of
from mlstore.objects.workers import anywhere, configured_parallel, in_order

if TYPE_CHECKING:
    from mlstore.objects.database import ObjectDatabase

_PIECE: Final = 1 << 20  # bytes of a recipe that a thread takes at a time
_RECIPE, _CHUNK = int(EntryKind.RECIPE), int(EntryKind.CHUNK)  # to compare numbers quickly
_WINDOW: Final = 8192  # entries whose ids are held as text at a time
_LARGE_FILE: Final = 256 << 10
_HUGE_FILE: Final = 32 << 20
_KEPT: Final = 32 << 20  # bytes of trees and commits that are kept for the walk that follows

FORK_FROM: Final = 6000
"""From this many small entries on, a second process looks at half of them."""

Tick: TypeAlias = Callable[[int, int], None]
"""Called now and then with how many entries or files and how many stored bytes were looked at since."""

Choice: TypeAlias = Callable[[ObjectId], bool]


class Flaw(NamedTuple):
    """A copy of an object or chunk that is not right. ``pack`` None is the loose file."""

    id: ObjectId
    pack: str | None
    kind: int
    reason: str
    actual: str | None = None

    def error(self) -> CorruptError:
        """Give it as the error that a reader would get."""
        if self.pack is not None and self.actual is None:
            return damaged(self.pack, self.id, self.reason)
        more = {"actual": self.actual} if self.actual else {}
        return CorruptObject(
            f"object '{self.id}' is corrupt: {self.reason}",
            hint="'mlstore fsck' lists who needs it; 'mlstore add' of a good copy heals it",
            id=self.id,
            **more,
        )


@dataclass(slots=True)
class Audit:
    """What was found, and how far it got.

    ``sizes`` has every object of the store that is there (in bytes), ``damaged`` those that cannot be read
    right; ``spares`` are damaged copies (with the pack they are in) of what is read from elsewhere. ``done``
    marks a pack's entries by number, ``loose_done`` holds loose objects: those are not looked at again.
    ``chunk_ids`` are those of the damaged that are no objects; ``stated`` are the sizes (bytes) that packs
    give to what is damaged.
    ``metadata`` are proved bytes that begin like a tree, commit or tag.
    """

    database: ObjectDatabase
    jobs: int | None = None
    quick: bool = False
    chosen: Choice | None = None
    tick: Tick | None = None
    sizes: dict[ObjectId, int] = field(default_factory=dict)
    damaged: dict[ObjectId, MlstoreError] = field(default_factory=dict)
    spares: list[tuple[str, CorruptError]] = field(default_factory=list)
    broken: list[tuple[str, CorruptError]] = field(default_factory=list)
    metadata: dict[ObjectId, bytes] = field(default_factory=dict)
    done: dict[str, bytearray] = field(default_factory=dict)
    loose_done: set[ObjectId] = field(default_factory=set)
    flaws: dict[tuple[str | None, ObjectId], Flaw] = field(default_factory=dict)
    packs: dict[str, tuple[Pack, PackIndex]] = field(default_factory=dict)
    loose: list[ObjectId] = field(default_factory=list)
    loose_set: set[ObjectId] = field(default_factory=set)
    chunks: int = 0
    looked_at: int = 0
    done_before: int = 0
    left_out: int = 0
    total_files: int = 0
    total_bytes: int = 0
    unsure: set[ObjectId] = field(default_factory=set)
    chunk_ids: set[ObjectId] = field(default_factory=set)
    stated: dict[ObjectId, int] = field(default_factory=dict)
    _kept: int = 0
    _skip: dict[str, bytearray] = field(default_factory=dict)
    _recipes: list[tuple[Pack, int, ObjectId]] = field(default_factory=list)
    _loose_todo: list[ObjectId] = field(default_factory=list)

    # first: what is there

    def prepare(self) -> None:
        """List what is there and check the packs' indexes. ``done`` and its like may be filled after this."""
        self.loose = list(self.database.loose.ids())
        self.loose_set = set(self.loose)
        for pack in self.database.packs.packs():
            try:
                index = pack.read_index()
            except CorruptError as exc:
                self.broken.append((pack.name, exc))
                self._note_unsound(pack)
                continue
            self.packs[pack.name] = pack, index
            self.done[pack.name] = bytearray(len(pack))
        told = {name for name, _ in self.broken}
        broken = self.database.packs.broken
        self.broken += [(name, broken[name]) for name in sorted(broken) if name not in told]

    def _note_unsound(self, pack: Pack) -> None:
        """What a pack with a damaged index seems to hold is asked for as any reader would."""
        try:
            entries = list(pack.entries())
        except CorruptError:
            return
        wanted = self.chosen or (lambda object_id: True)
        self.unsure.update(e.id for e in entries if e.kind != EntryKind.CHUNK and wanted(e.id))

    def plan(self) -> None:
        """Decide what to look at: what is chosen and not done."""
        for pack, index in self.packs.values():
            self._plan_pack(pack, index)
        for object_id in self.loose:
            self.sizes[object_id] = self.database.loose.size_if_there(object_id) or 0
            if self._is_left_out(object_id, object_id in self.loose_done):
                continue
            self._loose_todo.append(object_id)
            self.total_bytes += self.sizes[object_id]
        self.total_files = self.looked_at

    def _plan_pack(self, pack: Pack, index: PackIndex) -> None:
        skip = self._skip[pack.name] = bytearray(self.done[pack.name])
        done, sizes, plain, total = self.done[pack.name], self.sizes, 0, 0
        simple = self.chosen is None and not any(done)
        for first in range(0, len(pack), _WINDOW):
            ids = index.ids[first * ID_SIZE : (first + _WINDOW) * ID_SIZE].hex()
            rows = index.rows[first * ROW.size : (first + _WINDOW) * ROW.size]
            for at, (_, stored, size, _, kind, _) in enumerate(ROW.iter_unpack(rows)):
                object_id = ObjectId(ids[2 * ID_SIZE * at : 2 * ID_SIZE * (at + 1)])
                if kind != _CHUNK:
                    sizes[object_id] = size
                else:
                    self.chunks += 1
                number = first + at
                if simple:
                    plain += 1
                elif self._is_left_out(object_id, bool(done[number])):
                    skip[number] = 1
                    continue
                total += stored
                if kind == _RECIPE:
                    self._recipes.append((pack, number, object_id))
        self.looked_at += plain
        self.total_bytes += total

    def _is_left_out(self, object_id: ObjectId, is_done: bool) -> bool:
        if is_done:
            self.done_before += 1
            return True
        if self.chosen is not None and not self.chosen(object_id):
            self.left_out += 1
            return True
        self.looked_at += 1
        return False

    # then: look

    def run(self) -> None:
        """Look at all that was planned."""
        for pack, number, object_id in self._recipes:
            if self.quick:
                self._look_at_recipe(pack, number, object_id)
            else:
                self._check_recipe(pack, number, object_id)
        self._check_packs()
        if self.quick:
            self._look_at_files()
        else:
            self._check_files()

    def settle(self) -> None:
        """Judge what is damaged: a flaw of one copy is none of the object where another is read."""
        for flaw in self.flaws.values():
            self._judge(flaw)
        for object_id in sorted(self.unsure - self.loose_set):
            error = self._error_of(object_id, EntryKind.OBJECT)
            if error is not None:
                self.damaged[object_id] = error
            else:
                self.sizes[object_id] = self.database.size(object_id)
        loose = {object_id for pack, object_id in self.flaws if pack is None}
        for object_id in self.damaged:
            size = self.sizes.pop(object_id, None)
            if size is not None and object_id not in loose:  # the length of a damaged file says nothing
                self.stated[object_id] = size

    # packs

    def _check_packs(self) -> None:
        """Look at all spans: those of many small entries in two processes, large ones by all workers."""
        packs = list(self.packs.values())
        small = [(pack, index) for pack, index in packs if pack.is_of_small]
        in_two = self.jobs != 1 and sum(len(pack) for pack, _ in small) >= FORK_FROM
        if in_two and configured_parallel(self.jobs) is None and may_fork():
            self._check_in_two(small)
            packs = [(pack, index) for pack, index in packs if not pack.is_of_small]
        for result in self._span_results(packs):
            self._take(result)

    def _check_in_two(self, packs: list[tuple[Pack, PackIndex]]) -> None:
        """Look at one half here and at the other in a child; what it could not do is done here."""

        def ours() -> None:
            for span in self._spans(packs, 0, 2):
                self._take(check_span(span))

        answer = beside(lambda: dump_results(map(check_span, self._spans(packs, 1, 2))), ours)
        theirs = map(check_span, self._spans(packs, 1, 2)) if answer is None else load_results(answer)
        for result in theirs:
            self._take(result)

    def _spans(self, packs: list[tuple[Pack, PackIndex]], part: int = 0, of: int = 1) -> Iterator[Span]:
        for pack, index in packs:
            # Chunks that a recipe was made of are done by now.
            skip = bytearray(map(max, self._skip[pack.name], self.done[pack.name]))
            yield from spans(pack, index, skip, quick=self.quick, part=part, of=of)

    def _span_results(self, packs: list[tuple[Pack, PackIndex]]) -> Iterator[SpanResult]:
        """Give the results of all spans: those of small entries here, those of large ones by all workers."""
        large: list[Span] = []
        for span in self._spans(packs):
            if span.pays_for_a_thread:
                large.append(span)
            else:
                yield check_span(span)
        if len(large) > 1:
            yield from anywhere(check_span, large, self.jobs)
        else:
            yield from map(check_span, large)

    def _take(self, result: SpanResult) -> None:
        span = result.span
        done = self.done[span.pack]
        for at, number in enumerate(span.numbers):
            if number not in result.flaws and result.unread is None:
                done[number] = 1
                continue
            object_id = ObjectId(span.ids[at * ID_SIZE : (at + 1) * ID_SIZE].hex())
            kind = span.rows[at * ROW.size + KIND_AT]
            if result.unread is None:
                self._note(Flaw(object_id, span.pack, kind, *result.flaws[number]))
            elif kind != EntryKind.CHUNK:
                self.unsure.add(object_id)  # the pack was merged into another meanwhile, or it is gone
        for object_id, data in result.metadata.items():
            self._keep(object_id, data)
        self._told(len(span.numbers), span.size)

    def _keep(self, object_id: ObjectId, data: bytes) -> None:
        if self._kept + len(data) <= _KEPT:
            self._kept += len(data)
            self.metadata[object_id] = data

    def _note(self, flaw: Flaw) -> None:
        self.flaws[flaw.pack, flaw.id] = flaw

    def _told(self, files: int, size: int) -> None:
        if self.tick is not None:
            self.tick(files, size)

    # recipes

    def _check_recipe(self, pack: Pack, number: int, object_id: ObjectId) -> None:
        try:
            entry = pack.entry(number)
            parts = decode_recipe(pack.read(entry), object_id, entry.size)
            hasher = self.database.format.new()
            for data in in_order(self._read_pieces, groups_of(parts, _PIECE), self.jobs):
                for piece in data:
                    hasher.update(piece)
            actual = hasher.hexdigest()
        except NotFoundError as exc:
            flaw = Flaw(object_id, pack.name, EntryKind.RECIPE, f"a part of it is missing: {exc.message}")
        except (CorruptError, StorageError) as exc:  # the disk may refuse one object and give the next
            flaw = Flaw(object_id, pack.name, EntryKind.RECIPE, exc.message)
        else:
            if actual == object_id:
                # One on loose files is not marked as done: nothing would notice when those change.
                on_packs = not any(part.source in self.loose_set for part in parts)
                (self.done if on_packs else self._skip)[pack.name][number] = 1
                self._told(1, entry.stored)
                return
            flaw = Flaw(object_id, pack.name, EntryKind.RECIPE, f"its bytes hash to '{actual}'", actual)
        self._skip[pack.name][number] = 1
        self._note(flaw)

    def _look_at_recipe(self, pack: Pack, number: int, object_id: ObjectId) -> None:
        """Without putting it together: its parts have to be there, and long enough."""
        try:
            entry = pack.entry(number)
            for part in decode_recipe(pack.read(entry), object_id, entry.size):
                found = self.database.packs.find_part(part.source)
                size = found[1].size if found else self.sizes.get(part.source)
                if size is None or size < part.offset + part.length:
                    raise CorruptObject(
                        f"its part '{part.source}' is {'missing' if size is None else 'too short'}"
                    )
        except CorruptError as exc:
            self._note(Flaw(object_id, pack.name, EntryKind.RECIPE, exc.message))
            self._skip[pack.name][number] = 1

    def _read_pieces(self, pieces: list[Part]) -> list[bytes]:
        """Give the bytes of each piece; many pieces of one chunk need it only once."""
        found, last, whole = [], None, b""
        for piece in pieces:
            start, stop = piece.offset, piece.offset + piece.length
            if piece.source in self.loose_set:
                data = self._read_range(piece)
            else:
                if piece.source != last:
                    last, whole = piece.source, self._read_part(piece.source)
                data = whole if piece.length == len(whole) else whole[start:stop]
            if len(data) != piece.length:
                raise CorruptObject(f"its part '{piece.source}' is too short", id=piece.source)
            found.append(data)
        return found

    def _read_range(self, piece: Part) -> bytes:
        source = self.database.open_source(piece.source)
        try:
            return source.read_at(piece.offset, piece.length)
        finally:
            source.close()

    def _read_part(self, object_id: ObjectId) -> bytes:
        """Give a part that is in a pack; the first time its own bytes are proved too."""
        packs = self.database.packs
        found = packs.find_part(object_id)
        if found is None:
            raise NotFoundError(f"object '{object_id}' is missing", id=object_id)
        pack, entry = found
        if entry.kind == EntryKind.RECIPE:
            raise CorruptObject(f"object '{object_id}' is a recipe and part of one", id=object_id)
        done, number = self.done.get(pack.name), pack.number(object_id)
        if done is None or number is None:
            return packs.read(object_id)
        try:
            data = pack.read(entry)
        except CorruptError:
            return packs.read(object_id)  # another copy; this one is told when its pack is read
        if not done[number] and not self._skip[pack.name][number]:
            if self.database.format.hash_bytes(data) != object_id:
                return packs.read(object_id)
            done[number] = 1
            self._told(1, entry.stored)
        return data

    # loose files

    def _check_files(self) -> None:
        root, name = self.database.loose.root, self.database.format.name
        small = [one for one in self._loose_todo if self.sizes[one] < _LARGE_FILE]
        large = [one for one in self._loose_todo if _LARGE_FILE <= self.sizes[one] < _HUGE_FILE]
        for object_id in small:
            self._take_file(*check_file((str(root), object_id, name)))
        for object_id in self._loose_todo:
            if self.sizes[object_id] >= _HUGE_FILE:  # all cores take part in hashing each of them
                self._take_file(*check_file((str(root), object_id, name), self._tell_bytes, self.jobs != 1))
        tasks = [(str(root), object_id, name) for object_id in large]
        results = anywhere(check_file, tasks, self.jobs) if len(tasks) > 1 else map(check_file, tasks)
        for result in results:
            self._take_file(*result)

    def _take_file(self, object_id: ObjectId, size: int, reason: str | None, actual: str | None) -> None:
        if reason is None:
            self.sizes[object_id] = size
            self.loose_done.add(object_id)
        else:
            self._note(Flaw(object_id, None, EntryKind.OBJECT, reason, actual))
        self._told(1, size if size < _HUGE_FILE else 0)

    def _tell_bytes(self, size: int) -> None:
        self._told(0, size)

    def _look_at_files(self) -> None:
        """Without hashing there is nothing to hold a file against: it has to be there, and to be a file."""
        for object_id in self._loose_todo:
            try:
                status = os.lstat(self.database.loose.path(object_id))
            except OSError as exc:
                self._note(Flaw(object_id, None, EntryKind.OBJECT, (exc.strerror or str(exc)).lower()))
                continue
            if not stat.S_ISREG(status.st_mode):
                self._note(
                    Flaw(object_id, None, EntryKind.OBJECT, "it is a link, folder or device, not a file")
                )
            self._told(1, status.st_size)

    # judging

    def _judge(self, flaw: Flaw) -> None:
        copies = len(self.database.packs.copies(flaw.id)) + (flaw.id in self.loose_set)
        if flaw.pack is not None and copies > 1:
            self.spares.append((flaw.pack, flaw.error()))
            if flaw.id in self.loose_set and flaw.kind != EntryKind.CHUNK:
                return  # the loose copy is the one that is read, and was looked at by itself
        error = self._error_of(flaw.id, flaw.kind)
        if error is None and copies <= 1:
            error = flaw.error()  # read twice, and right only once
        if error is not None:
            self.damaged.setdefault(flaw.id, error)
            if flaw.kind == EntryKind.CHUNK and flaw.id not in self.sizes:
                self.chunk_ids.add(flaw.id)

    def _error_of(self, object_id: ObjectId, kind: int) -> MlstoreError | None:
        try:
            if kind == EntryKind.CHUNK and object_id not in self.sizes:
                self.database.check_chunk(object_id)
            else:
                self.database.check(object_id)
        except (CorruptError, NotFoundError, StorageError) as exc:
            return exc
        return None
